/**
 * A whole machine at an instant: the processors' bytes, every device's state object, the overlays of the disks, and RAM
 * by copy-on-write. Making one costs some tens of microseconds; pages cost when they are written afterwards.
 */
import { CPU_STATE_SIZE } from '../cpu/state';
import type { OverlayCopy } from './disk/overlay';
import type { InputEvent, InputLog } from './inputLog';
import type { MachineStop, Snapshot } from './machineInterface';
import type { Version } from './memory/pageHistory';
import type { Pc } from './machine';

export class MachineSnapshot implements Snapshot {
  readonly icount: number;
  private readonly processors: Uint8Array[];
  private readonly turns: Pc['turns']['state'];
  private readonly devices: object[];
  private readonly overlays: OverlayCopy[];
  private readonly input: ReturnType<InputLog['save']>;
  private readonly memory: Version;
  private readonly ended: MachineStop | undefined;
  private readonly debugExit: number | undefined;

  constructor(pc: Pc) {
    this.icount = pc.icount;
    this.processors = pc.cpus.map(({ views, state }) => views.u8.slice(state.base, state.base + CPU_STATE_SIZE));
    this.turns = { ...pc.turns.state };
    this.devices = [...pc.board.devices, pc.bios].map((device) => structuredClone(device.state));
    this.overlays = pc.drives.map((drive) => drive.overlay.copy());
    this.input = pc.input.save();
    this.memory = pc.memory.snapshot();
    this.ended = pc.ended;
    this.debugExit = pc.debugExit;
  }

  /** `input` replaces what is recorded as typed, before and after this instant: the log of a run that is to be repeated. */
  restore(pc: Pc, input?: readonly InputEvent[]): void {
    pc.memory.restore(this.memory);
    pc.cpus.forEach(({ views, state }, n) => views.u8.set(this.processors[n]!, state.base));
    pc.turns.state = { ...this.turns };
    pc.cpu = pc.cpus[this.turns.current]!;
    [...pc.board.devices, pc.bios].forEach((device, n) => (device.state = structuredClone(this.devices[n]!)));
    pc.board.restored();
    this.overlays.forEach((overlay, n) => pc.drives[n]!.overlay.restore(overlay));
    pc.input.restore(this.input, input);
    pc.ended = this.ended;
    pc.debugExit = this.debugExit;
    for (const cpu of pc.cpus) cpu.restored();
  }

  release(pc: Pc): void {
    pc.memory.release(this.memory);
  }
}
