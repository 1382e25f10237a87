/**
 * GDB's remote stub: packets in, packets out, over the debugger of one machine. It has no I/O of its own. GDB is served
 * in all-stop mode with a thread for each processor; what a packet means is in the GDB manual, "Packets".
 */
import { UserError } from '../base/errors';
import type { Debugger } from '../debug/debugger';
import type { Plan } from '../debug/run/plan';
import type { StopCause } from '../debug/run/stopCause';
import { WORLD_NAME } from '../debug/world';
import { BreakpointPackets } from './breakpointPackets';
import { frame, PacketReader } from './framing';
import { fromHex, littleEndian, parseNumber, textToHex } from './hexText';
import { monitor } from './monitor';
import { EXPEDITED, GDB_REGISTERS } from './registers';
import { ERROR, OK, PACKET_SIZE, UNKNOWN } from './replies';
import { StatePackets } from './statePackets';
import { TARGET_XML } from './targetDescription';
import { WorldChoice } from './worldChoice';

export interface GdbStubEnvironment {
  debugger: Debugger;
  /** A stop in sentences; none for one that GDB understands by itself. */
  explain(cause: StopCause): string[];
  /** GDB wants the machine thrown away. */
  killed(): void;
  /** GDB lets the machine go on: told to an editor that shows the same machine. */
  resumed?(): void;
}

/** Characters of console text in one packet. */
const TEXT_CHUNK = 1000;

/** Signal numbers as GDB counts them. */
const Signal = { INT: 2, TRAP: 5, ABRT: 6, SEGV: 11 } as const;

/** Another client of the same machine, the editor, has let it go. */
const RUNS = 'The machine runs: the editor has let it go on. Interrupt it there, or wait until it stops.';
/** Packets about a machine that stands. */
const NEEDS_STANDING = /^[gGpPmMX]/;

function* untilEvent(event: 'exit' | 'entry'): Plan {
  yield { kind: 'run', until: { event } };
  return { kind: 'step' };
}

function signalOf(cause: StopCause | undefined): number {
  if (cause?.kind === 'pause') return Signal.INT;
  if (cause?.kind === 'triple-fault') return Signal.SEGV;
  return cause?.kind === 'error' ? Signal.ABRT : Signal.TRAP;
}

export class GdbStub {
  private readonly reader = new PacketReader({
    packet: (payload) => this.packet(payload),
    interrupt: () => this.interrupt(),
    damaged: () => this.raw('-'),
    repeat: () => this.lastPacket && this.send?.(this.lastPacket),
  });
  private send: ((bytes: Uint8Array) => void) | undefined;
  private lastPacket: Uint8Array | undefined;
  private acknowledges = true;
  /** GDB waits for a stop reply. */
  private waits = false;
  private steps = false;
  private cause: StopCause | undefined;
  private readonly worlds: WorldChoice;
  private readonly state: StatePackets;
  private readonly breakpoints: BreakpointPackets;

  constructor(private readonly env: GdbStubEnvironment) {
    this.worlds = new WorldChoice(() => env.debugger.target);
    this.state = new StatePackets(env.debugger, this.worlds);
    this.breakpoints = new BreakpointPackets(env.debugger, this.worlds);
  }

  get connected(): boolean {
    return this.send !== undefined;
  }

  /** A GDB has connected; one that is there already must go first. */
  connect(send: (bytes: Uint8Array) => void): void {
    if (this.send) throw new UserError('gdb', 'Another GDB is connected.');
    this.send = send;
    this.acknowledges = true;
    this.waits = false;
  }

  /** GDB has gone, with or without a word: the machine stands still, as it does without a GDB from the start. */
  disconnect(): void {
    this.send = undefined;
    this.lastPacket = undefined;
    // The next one knows nothing of this one's choice.
    this.worlds.choice = 'auto';
    this.breakpoints.forget();
    if (this.waits) this.env.debugger.pause();
    this.waits = false;
  }

  receive(bytes: Uint8Array): void {
    this.reader.bytes(bytes);
  }

  /** The machine stands still. */
  stopped(cause: StopCause): void {
    const { debugger: d } = this.env;
    const { left } = this.worlds;
    if (this.steps && cause.kind === 'step' && left) {
      // The step has led out of the world that GDB looks at: it ends when that world goes on.
      d.changed();
      d.run.start(untilEvent(left === 'guest' ? 'entry' : 'exit'), d.target.index);
      return;
    }
    this.steps = false;
    this.cause = cause;
    if (!this.waits) return;
    this.waits = false;
    const sentences = this.env.explain(cause);
    if (sentences.length > 0) this.console(sentences.join('\n') + '\n');
    this.reply(this.stopReply());
  }

  /** Something to tell the user: GDB shows it while it waits. False when it cannot be told now. */
  tell(sentence: string): boolean {
    if (!this.waits) return false;
    this.console(sentence + '\n');
    return true;
  }

  private raw(text: string): void {
    this.send?.(new TextEncoder().encode(text));
  }

  private reply(payload: string): void {
    this.lastPacket = frame(payload);
    this.send?.(this.lastPacket);
  }

  private console(text: string): void {
    for (let at = 0; at < text.length; at += TEXT_CHUNK) this.reply('O' + textToHex(text.slice(at, at + TEXT_CHUNK)));
  }

  private interrupt(): void {
    if (this.env.debugger.run.running) this.env.debugger.pause();
  }

  private packet(payload: string): void {
    if (this.acknowledges) this.raw('+');
    let answer: string | undefined;
    try {
      answer = this.perform(payload);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      answer = `E.${error.message}`;
    }
    if (answer !== undefined) this.reply(answer);
  }

  /** Yields the reply; undefined when it comes later or never. */
  private perform(payload: string): string | undefined {
    const rest = payload.slice(1);
    if (NEEDS_STANDING.test(payload) && this.env.debugger.run.running) throw new UserError('running', RUNS);
    switch (payload[0]) {
      case '?':
        return this.why();
      case 'g':
        return this.state.readRegisters();
      case 'G':
        return this.state.writeRegisters(rest);
      case 'p':
        return this.state.readRegister(rest);
      case 'P':
        return this.state.writeRegister(rest);
      case 'm':
        return this.state.readMemory(rest);
      case 'M':
        return this.state.writeMemory(rest, fromHex(rest.slice(rest.indexOf(':') + 1)));
      case 'X':
        return this.state.writeMemory(rest, Uint8Array.from(rest.slice(rest.indexOf(':') + 1), (c) => c.charCodeAt(0)));
      case 'c':
      case 'C':
      case 's':
      case 'S':
        return this.resumeAt(payload[0], rest);
      case 'b':
        return payload === 'bs' || payload === 'bc' ? this.resume(payload === 'bs' ? 'back' : 'reverse') : UNKNOWN;
      case 'v':
        return this.performV(payload);
      case 'Z':
      case 'z':
        return this.breakpoints.packet(payload[0] === 'Z', rest);
      case 'q':
      case 'Q':
        return this.query(payload);
      case 'H':
        return this.selectThread(rest);
      case 'T':
        return this.processorOf(rest) === undefined ? ERROR : OK;
      case '!':
        return OK;
      case 'D':
        return this.detach();
      case 'k':
        this.env.killed();
        return undefined;
      case 'R':
        this.restart();
        return undefined;
    }
    return UNKNOWN;
  }

  private performV(payload: string): string | undefined {
    if (payload === 'vCont?') return 'vCont;c;C;s;S';
    if (payload.startsWith('vCont;')) {
      const actions = payload.slice('vCont;'.length).split(';').map((action) => /^(?:([cs])|([CS])[0-9a-f]{2})(?::(-?[0-9a-f]+))?$/.exec(action));
      if (actions.includes(null)) return ERROR;
      // A step of one thread is what everything else runs along with.
      const step = actions.find((action) => /s/i.test(action![1] ?? action![2]!));
      if (!step) return this.resume('continue');
      return this.selectThread(`g${step[3] ?? '0'}`) === OK ? this.resume('step') : ERROR;
    }
    if (payload.startsWith('vKill')) {
      this.reply(OK);
      this.env.killed();
      return undefined;
    }
    return UNKNOWN;
  }

  private query(payload: string): string | undefined {
    const colon = payload.indexOf(':');
    const comma = payload.indexOf(',');
    const end = [colon, comma].filter((n) => n >= 0).reduce((a, b) => Math.min(a, b), payload.length);
    const rest = payload.slice(end + 1);
    switch (payload.slice(0, end)) {
      case 'qSupported':
        return `PacketSize=${PACKET_SIZE.toString(16)};qXfer:features:read+;QStartNoAckMode+;vContSupported+;swbreak+;hwbreak+;ReverseStep+;ReverseContinue+`;
      case 'QStartNoAckMode':
        this.acknowledges = false;
        return OK;
      case 'qXfer':
        return this.transfer(rest);
      case 'qAttached':
        return '1';
      case 'qC':
        return `QC${this.thread}`;
      case 'qfThreadInfo':
        return `m${this.env.debugger.processors.map((_, cpu) => (cpu + 1).toString(16)).join(',')}`;
      case 'qsThreadInfo':
        return 'l';
      case 'qThreadExtraInfo': {
        const cpu = this.processorOf(rest);
        return cpu === undefined ? ERROR : textToHex(`Processor ${cpu}, in the ${WORLD_NAME[this.env.debugger.processors[cpu]!.target.world]}`);
      }
      case 'qSymbol':
        return OK;
      case 'qRcmd':
        return this.monitor(rest);
    }
    return UNKNOWN;
  }

  /** The thread of the processor in focus. */
  private get thread(): string {
    return (this.env.debugger.target.index + 1).toString(16);
  }

  /** The processor of a thread; 0 and -1 mean any: the one in focus. */
  private processorOf(thread: string): number | undefined {
    if (thread === '0' || thread === '-1') return this.env.debugger.target.index;
    const cpu = parseInt(thread, 16) - 1;
    return this.env.debugger.processors[cpu] && cpu;
  }

  /** `Hg` says whose registers and memory are asked for next; what `Hc` says, vCont says itself. */
  private selectThread(text: string): string {
    const cpu = this.processorOf(text.slice(1));
    if (cpu === undefined) return ERROR;
    if (text[0] === 'g') this.env.debugger.focus(cpu);
    return OK;
  }

  private transfer(what: string): string {
    const found = /^features:read:target\.xml:([0-9a-f]+),([0-9a-f]+)$/.exec(what);
    if (!found) return what.startsWith('features:') ? 'E00' : UNKNOWN;
    const offset = parseInt(found[1]!, 16);
    const part = TARGET_XML.slice(offset, offset + Math.min(parseInt(found[2]!, 16), PACKET_SIZE / 2));
    return (offset + part.length < TARGET_XML.length ? 'm' : 'l') + part;
  }

  private monitor(hexLine: string): string {
    const bytes = fromHex(hexLine);
    if (!bytes) return ERROR;
    this.console(monitor({ debugger: this.env.debugger, worlds: this.worlds, restart: () => this.restart() }, new TextDecoder().decode(bytes)));
    return OK;
  }

  private resumeAt(how: string, rest: string): string | undefined {
    const address = parseNumber(/^[cs]$/.test(how) ? rest : rest.split(';')[1]);
    if (address !== undefined && !this.state.view.write('rip', address)) return ERROR;
    return this.resume(how.toLowerCase() === 's' ? 'step' : 'continue');
  }

  private resume(how: 'step' | 'continue' | 'back' | 'reverse'): undefined {
    const step = how === 'step';
    if (this.env.debugger.run.running) throw new UserError('running', RUNS);
    const { debugger: d } = this.env;
    const { left } = this.worlds;
    this.waits = true;
    this.steps = step;
    try {
      if (step && left) {
        d.changed();
        d.run.start(untilEvent(left === 'guest' ? 'entry' : 'exit'), d.target.index);
      } else if (step) d.step('in', 'instruction');
      else if (how === 'back') d.stepBack('instruction');
      else if (how === 'reverse') d.reverseContinue();
      else {
        this.worlds.continued();
        d.continue();
      }
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      // The protocol has no error for this: GDB is told, and that the machine still stands.
      this.waits = this.steps = false;
      this.console(error.message + '\n');
      this.reply(this.stopReply());
      return;
    }
    this.env.resumed?.();
  }

  private why(): string | undefined {
    const { debugger: d } = this.env;
    if (!d.run.running) return this.stopReply();
    // A machine that was left running stands still for the GDB that comes.
    this.waits = true;
    d.pause();
    return undefined;
  }

  private stopReply(): string {
    const { cause } = this;
    const { view } = this.state;
    // Eight bits of it are all that GDB can take.
    if (cause?.kind === 'ended') return `W${((cause.value ?? 0) & 0xff).toString(16).padStart(2, '0')}`;
    const registers = EXPEDITED.flatMap((n) => {
      const register = GDB_REGISTERS[n]!;
      const value = register.read(view);
      return value === undefined ? [] : [`${n.toString(16).padStart(2, '0')}:${littleEndian(value, register.bits)};`];
    });
    const pc = view.read('rip');
    const hit = cause?.kind === 'history-begins' ? 'replaylog:begin;' : this.breakpoints.hit(cause, pc);
    return `T${signalOf(cause).toString(16).padStart(2, '0')}${registers.join('')}${hit}thread:${this.thread};`;
  }

  /** The machine runs on without GDB. */
  private detach(): string {
    this.breakpoints.forget();
    const { debugger: d } = this.env;
    if (!d.run.running && d.machine.ended === undefined) d.continue();
    return OK;
  }

  private restart(): void {
    this.env.debugger.restart();
    this.cause = undefined;
    this.steps = this.waits = false;
  }
}
