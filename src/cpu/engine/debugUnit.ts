/**
 * What the run loop has to do for the guest's own debugging: instruction and I/O breakpoints of DR0 to DR3, the resume
 * flag, single step (SDM volume 3, "Debug Exceptions"). Data breakpoints are watches (mmu/watch.ts).
 *
 * RFLAGS.RF ends with the first instruction that completes. Generated code does not clear it: it counts only while no
 * instruction has retired since it was set, and is taken out before anybody could see it.
 */
import { Vector } from '../fault';
import { RF, TF } from '../flags';
import type { Processor } from '../processor';
import { Offset } from '../state';
import { type ArmedBreakpoints, armedBreakpoints, DR7_ENABLES, NOTHING_ARMED, portBreakpoints } from '../system/debugRegisters';
import { addDebugTraps, PendingDebug } from '../system/debugTraps';

const BLOCKING_MOVSS = 2;
const DEBUGCTL_BTF = 2;

export class DebugUnit {
  armed: ArmedBreakpoints = NOTHING_ARMED;
  private armedFrom = '';
  private armedDr7 = 0;
  /** Clock at which RF was set. */
  private resumeClock = -1;
  /** What the present instruction says of its single-step trap, if it does. */
  decision: boolean | undefined = undefined;

  constructor(private readonly cpu: Processor) {}

  /** Looks whether DR0 to DR3, DR7 or their mode have changed what is asked for. It is called at every change of state. */
  rearm(): boolean {
    const s = this.cpu.state;
    const dr7 = s.get32(Offset.DR7);
    if (((dr7 | this.armedDr7) & DR7_ENABLES) === 0) return false;
    const from = [dr7, s.cr4 & 8, s.efer & 0x400, ...[0, 1, 2, 3].map((n) => s.get64(Offset.DR0 + n * 8))].join();
    if (from === this.armedFrom) return false;
    this.armedFrom = from;
    this.armedDr7 = dr7;
    this.armed = (dr7 & DR7_ENABLES) === 0 ? NOTHING_ARMED : armedBreakpoints(s);
    this.cpu.watches.setRegisters(this.armed.data);
    return true;
  }

  /** Whether an access to ports meets an I/O breakpoint. */
  breaksOnPort(port: number, size: number): boolean {
    return this.armed.ports.length !== 0 && portBreakpoints(this.armed, port, size) !== 0;
  }
  /** Ports were accessed: notes the I/O breakpoints. Returns whether there was one. */
  portAccessed(port: number, size: number): boolean {
    if (this.armed.ports.length === 0) return false;
    const bits = portBreakpoints(this.armed, port, size);
    this.cpu.watches.registerHits |= bits;
    return bits !== 0;
  }

  /** The instruction at a linear address is about to be executed. Returns whether its breakpoint raises #DB, with the fault filled. */
  atInstruction(linear: bigint): boolean {
    const bits = this.armed.execution.get(linear);
    if (bits === undefined) return false;
    const s = this.cpu.state;
    this.settleResume();
    if (s.get32(Offset.FLAGS) & RF || s.get32(Offset.INTERRUPTIBILITY) & BLOCKING_MOVSS) return false;
    this.cpu.fault.exception(Vector.DB).address = BigInt(bits);
    return true;
  }

  /** RF was set at the present clock. */
  resumeSet(): void {
    this.resumeClock = this.cpu.state.icount;
  }
  /** Takes RF out when an instruction has retired since it was set. */
  settleResume(): void {
    const s = this.cpu.state;
    const flags = s.get32(Offset.FLAGS);
    if (flags & RF && s.icount !== this.resumeClock) s.set32(Offset.FLAGS, flags & ~RF);
  }

  /** Data and I/O breakpoints that the instruction before has met become a trap. */
  takeHits(): void {
    const { watches } = this.cpu;
    if (watches.registerHits === 0) return;
    addDebugTraps(this.cpu, watches.registerHits | PendingDebug.ENABLED);
    watches.registerHits = 0;
  }

  /** RFLAGS.TF was set before the instruction that has retired (`trap`), which fell through or not. */
  stepped(trap: boolean, branched: boolean): void {
    if (!(this.decision ?? trap)) return;
    if (this.stepsBranches && !branched) return;
    addDebugTraps(this.cpu, PendingDebug.SINGLE_STEP);
  }

  /** IA32_DEBUGCTL.BTF: TF traps after taken branches alone. */
  get stepsBranches(): boolean {
    return (this.cpu.state.get32(Offset.DEBUGCTL) & DEBUGCTL_BTF) !== 0;
  }

  /** Whether RFLAGS.TF is set. */
  get traps(): boolean {
    return (this.cpu.state.get32(Offset.FLAGS) & TF) !== 0;
  }
}
