/** Watches one processor for changes of mode and loads of CR3. It hangs on the processor only while somebody waits for one. */
import { hex } from '../../base/bits';
import { mnemonics } from '../../cpu/decode/decode';
import type { Instruction } from '../../cpu/decode/instruction';
import type { Processor } from '../../cpu/processor';
import { Offset, Seg, type CpuState } from '../../cpu/state';
import type { VmxInspection } from '../../vmx/observe';
import { worldOf } from '../run/position';
import { WORLD_NAME, type World } from '../world';
import type { SystemEvent } from './systemEvents';

const PE = 1;
const LMA = 1 << 10;
const VM = 1 << 17;
/** Bit 13 of CS's access rights: 64-bit code. */
const CODE_64 = 1 << 13;

/** The SDM's name of the mode that the processor is in (volume 3, "Modes of Operation"). */
export function modeName(s: CpuState): string {
  if (!(s.cr0 & PE)) return 'real mode';
  if (s.efer & LMA) return s.access(Seg.CS) & CODE_64 ? '64-bit mode' : 'compatibility mode';
  return s.get32(Offset.FLAGS) & VM ? 'virtual-8086 mode' : 'protected mode';
}

export class SystemMonitor {
  /** The mode that each world was seen in last. */
  private readonly modes = new Map<World, string>();
  private readonly cr3 = new Map<World, bigint>();
  private kinds = { mode: false, cr3: false };
  private world: World;

  constructor(
    private readonly cpu: Processor,
    private readonly vmx: VmxInspection,
    private readonly report: (event: SystemEvent) => void,
  ) {
    this.world = worldOf(vmx);
  }

  /** What to watch for from now on; false when nothing. */
  watch(kinds: { mode: boolean; cr3: boolean }): boolean {
    this.kinds = kinds;
    this.restart();
    return kinds.mode || kinds.cr3;
  }

  /** The machine went elsewhere: what was seen before says nothing. */
  restart(): void {
    this.modes.clear();
    this.cr3.clear();
    this.world = worldOf(this.vmx);
    this.modes.set(this.world, modeName(this.cpu.state));
    this.cr3.set(this.world, this.cpu.state.cr3);
  }

  /** A VM entry or exit has completed: the world that runs now may have been given another mode meanwhile. */
  worldChanged(): void {
    if (this.kinds.mode) this.compareMode(this.cpu.state.rip);
    this.world = worldOf(this.vmx);
    this.cr3.set(this.world, this.cpu.state.cr3);
  }

  /** An instruction that could change something has been performed. */
  readonly operation = (insn: Instruction): void => {
    // What ended in the other world has been told by worldChanged.
    if (worldOf(this.vmx) !== this.world) return;
    if (this.kinds.mode) this.compareMode(this.cpu.instructionRip);
    if (!this.kinds.cr3) return;
    const value = this.cpu.state.cr3;
    const old = this.cr3.get(this.world) ?? value;
    const moved = mnemonics[insn.op] === 'mov_to_cr' && insn.operands[0].number === 3;
    if (!moved && old === value) return;
    this.cr3.set(this.world, value);
    this.report({
      kind: 'cr3', world: this.world, rip: this.cpu.instructionRip, details: { value, old },
      words: `CR3 of the ${WORLD_NAME[this.world]} was loaded with ${hex(value)}${old === value ? ' again' : `, it was ${hex(old)}`}`,
    });
  };

  private compareMode(rip: bigint): void {
    const world = worldOf(this.vmx);
    const to = modeName(this.cpu.state);
    const from = this.modes.get(world);
    this.modes.set(world, to);
    if (from === undefined || from === to) return;
    this.report({ kind: 'mode', world, rip, details: { from, to }, words: `The ${WORLD_NAME[world]} went from ${from} to ${to}` });
  }
}
