/**
 * The pages at which local APICs show their registers. All processors share one physical bus, but each sees its own
 * registers: what is at the page depends on who asks. A processor whose registers are elsewhere reaches the RAM below.
 */
import { PAGE_SIZE } from '../../base/address';
import type { Bus } from '../bus';
import type { MemoryDevice } from '../device';
import type { LocalApic } from './localApic';

export class ApicPages {
  private claimed = new Set<number>();

  constructor(
    private readonly bus: Bus,
    private readonly apics: readonly LocalApic[],
    /** Number of the processor whose access it is. */
    private readonly current: () => number,
  ) {}

  /** Claims the pages that the local APICs are at now. Returns whether any page changed. */
  update(): boolean {
    const wanted = new Set(this.apics.filter(({ state }) => state.enabled && !state.x2apic).map(({ state }) => state.page));
    const changed = [...wanted].some((page) => !this.claimed.has(page)) || [...this.claimed].some((page) => !wanted.has(page));
    if (!changed) return false;
    for (const page of this.claimed) this.bus.claimPage(page, undefined);
    for (const page of wanted) this.bus.claimPage(page, this.at(page));
    this.claimed = wanted;
    return true;
  }

  private at(page: number): MemoryDevice {
    const mine = (): LocalApic | undefined => {
      const apic = this.apics[this.current()]!;
      return apic.state.page === page && apic.state.enabled && !apic.state.x2apic ? apic : undefined;
    };
    const { memory } = this.bus;
    return {
      readRegister: (offset, size) => {
        const apic = mine();
        return apic ? apic.readRegister(offset, size) : memory.load(page * PAGE_SIZE + offset, size);
      },
      writeRegister: (offset, size, value) => {
        const apic = mine();
        if (apic) apic.writeRegister(offset, size, value);
        else memory.store(page * PAGE_SIZE + offset, size, value);
      },
    };
  }
}
