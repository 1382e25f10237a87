/** INT 15h AH=C2h: the PS/2 mouse, of which nobody moves any: it can be set up and asked, and never calls its user. */
import { mouseAnswer } from '../devices/mouse';
import { Bda } from './biosData';
import type { CallFrame } from './callFrame';
import type { FirmwareParts } from './services';

/** What AH tells. */
const Status = { BAD_FUNCTION: 1, BAD_INPUT: 2, INTERFACE: 3, NO_HANDLER: 5 } as const;
/** Commands of the mouse. */
const Command = { RESET: 0xff, DEFAULTS: 0xf6, DISABLE: 0xf5, ENABLE: 0xf4, RATE: 0xf3, IDENTIFY: 0xf2, STATUS: 0xe9, RESOLUTION: 0xe8, SCALE_1: 0xe6, SCALE_2: 0xe7 } as const;
/** Reports a second, by the caller's number. */
const RATES = [10, 20, 40, 60, 80, 100, 200];
const RESOLUTIONS = 4;
/** Most bytes of a report. */
const MOST_BYTES = 8;
/** The controller's command byte: the mouse's interrupt is on, its port off. */
const MOUSE_INTERRUPT = 0x02;
const MOUSE_DISABLED = 0x20;

type Parts = Pick<FirmwareParts, 'board' | 'memory'>;
/** By AL; each yields what went wrong. */
const FUNCTIONS: Readonly<Record<number, (call: CallFrame, parts: Parts) => number | undefined>> = {
  0x00: (call, parts) => {
    const on = call.bx >> 8;
    if (on > 1) return Status.BAD_FUNCTION;
    if (on && !parts.memory.load(Bda.MOUSE_HANDLER, 1)) return Status.NO_HANDLER;
    ask(parts, on ? Command.ENABLE : Command.DISABLE);
    return undefined;
  },
  0x01: reset,
  0x02: (call, parts) => {
    const rate = RATES[call.bx >> 8];
    if (rate === undefined) return Status.BAD_INPUT;
    ask(parts, Command.RATE, rate);
    return undefined;
  },
  0x03: (call, parts) => {
    if (call.bx >> 8 >= RESOLUTIONS) return Status.BAD_INPUT;
    ask(parts, Command.RESOLUTION, call.bx >> 8);
    return undefined;
  },
  0x04: (call, parts) => {
    call.bx = (ask(parts, Command.IDENTIFY)[0]! << 8) | (call.bx & 0xff);
    return undefined;
  },
  // With BH bytes a report.
  0x05: (call, parts) => (call.bx >> 8 === 0 || call.bx >> 8 > MOST_BYTES ? Status.INTERFACE : reset(call, parts)),
  0x06: (call, parts) => {
    const what = call.bx >> 8;
    if (what > 2) return Status.BAD_FUNCTION;
    const [status, resolution, rate] = ask(parts, [Command.STATUS, Command.SCALE_1, Command.SCALE_2][what]!) as [number, number, number];
    if (what > 0) return undefined;
    call.bx = (call.bx & 0xff00) | status;
    call.cx = (call.cx & 0xff00) | resolution;
    call.dx = (call.dx & 0xff00) | rate;
    return undefined;
  },
  // ES:BX would be called with each report.
  0x07: (_call, { memory }) => {
    memory.store(Bda.MOUSE_HANDLER, 1, 1);
    return undefined;
  },
};

export function pointingDevice(call: CallFrame, parts: Parts): void {
  const { state } = parts.board.keyboard;
  state.commandByte = (state.commandByte & ~MOUSE_DISABLED) | MOUSE_INTERRUPT;
  const f = FUNCTIONS[call.al];
  const status = f ? f(call, parts) : Status.BAD_FUNCTION;
  if (status === undefined) call.succeed();
  else call.fail(status);
}

/** Gives the mouse a command and its data; yields its answer behind the acknowledgement of the last byte. */
function ask({ board: { keyboard } }: Parts, ...bytes: number[]): number[] {
  return bytes.map((byte) => mouseAnswer(keyboard.state.mouse, byte)).at(-1)!.slice(1);
}

function reset(call: CallFrame, parts: Parts): undefined {
  const [passed, identifier] = ask(parts, Command.RESET) as [number, number];
  call.bx = (identifier << 8) | passed;
}
