/**
 * Where device registers are in linear memory, as page walks found it: their pages have no TLB tags, so that every access
 * comes to the slow path, which need not walk again. An entry stands for a bank of the TLB and its generation; what else
 * invalidates translations forgets them all.
 */
import { type CpuState, Offset } from '../state';

const ENTRIES = 16;
/** Words of an entry: bank, generation with the linear page's low half, its high half, and whether it may be written. */
const WORDS = 4;

export class DevicePages {
  private readonly words = new Uint32Array(ENTRIES * WORDS);
  private readonly pages = new Float64Array(ENTRIES);

  /** Host-physical page behind a linear address for an access of the present privilege, or -1 when a walk has to tell. */
  find(state: CpuState, low: number, high: number, write: boolean): number {
    const { words } = this;
    const entry = (low >>> 12) & (ENTRIES - 1);
    const i = entry * WORDS;
    if (words[i + 1] !== ((low & ~0xfff) | state.get32(Offset.GENERATION)) >>> 0 || words[i + 2] !== high || words[i] !== state.get32(Offset.CTLB_BASE)) return -1;
    return write && words[i + 3] === 0 ? -1 : this.pages[entry]!;
  }

  keep(state: CpuState, low: number, high: number, page: number, writable: boolean): void {
    const { words } = this;
    const entry = (low >>> 12) & (ENTRIES - 1);
    const i = entry * WORDS;
    words[i] = state.get32(Offset.CTLB_BASE);
    words[i + 1] = (low & ~0xfff) | state.get32(Offset.GENERATION);
    words[i + 2] = high;
    words[i + 3] = writable ? 1 : 0;
    this.pages[entry] = page;
  }

  forget(): void {
    this.words.fill(0);
  }
}
