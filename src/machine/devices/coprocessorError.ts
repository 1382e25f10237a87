/**
 * How a PC/AT reports x87 exceptions while CR0.NE is clear (SDM volume 1, "Software Exception Handling", on MS-DOS
 * compatibility mode): FERR# raises interrupt line 13; a write to port 0xF0 lowers it and asserts IGNNE#, under which
 * the handler's own x87 instructions execute although the exception is still there.
 */
import type { CoprocessorPins } from '../../cpu/bus';
import { type Device, NEVER, type PortDevice } from '../device';

export const COPROCESSOR_CLEAR = 0xf0;

export class CoprocessorError implements Device, PortDevice, CoprocessorPins {
  readonly name = 'coprocessor error';
  state = { reported: false, ignored: false };

  constructor(private readonly setIrq: (level: boolean) => void) {}

  reset(): void {
    this.state = { reported: false, ignored: false };
    this.setIrq(false);
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  get ignoresErrors(): boolean {
    return this.state.ignored;
  }
  reportError(): void {
    this.state.reported = true;
    this.setIrq(true);
  }
  errorGone(): void {
    this.state = { reported: false, ignored: false };
  }

  readPort(): number {
    return 0xff;
  }
  writePort(): void {
    this.setIrq(false);
    this.state.ignored = this.state.reported;
  }
}
