/**
 * What VM entry and VM exit do to cached translations (SDM volume 3, "VMX Transitions" of "Caching Translation
 * Information"). The processor keeps those of VMX non-root operation apart from all others, but does not tag them.
 *
 * Without VPID each transition drops those of the operation that it enters: nothing could have used them in between.
 * It drops them in effect only: where no paging structure was written since they were last dropped, a walk would find
 * the same, and so they stay. With VPID they stay in either case. In both they must be for the same VPID, EPTP, CR3 and
 * paging mode as before. Real processors ask less (they tag by VPID, EPTP and PCID); ours never keeps what theirs would
 * drop.
 */
import { Kept } from './stateCode';
import type { Vmx } from './vmx';

/** The translations of one operation. */
class Side {
  /** `codePages.tableWrites` when they were last dropped here; none when walks were not tracked yet. */
  droppedAt = NaN;

  constructor(readonly guest: boolean) {}
}

export class Translations {
  private readonly guest = new Side(true);
  private readonly host = new Side(false);

  constructor(private readonly vmx: Vmx) {}

  /** Non-root operation is entered; `kept` is a Kept by what the guest's translations depended on at the exit before. */
  atEntry(kept: number): void {
    this.enter(this.guest, kept);
  }
  /** Root operation is entered; `kept` is a Kept by what the VMM's translations depended on at the entry before. */
  atExit(kept: number): void {
    this.enter(this.host, kept);
  }

  private enter(side: Side, kept: number): void {
    const { cpu } = this.vmx;
    const tagged = (kept & Kept.TAGGED) !== 0;
    if (!tagged) cpu.tracksTables = true;
    if (kept & Kept.SAME && (tagged || side.droppedAt === cpu.codePages.tableWrites)) return;
    cpu.flushOperation(side.guest);
    side.droppedAt = cpu.tracksTables ? cpu.codePages.tableWrites : NaN;
  }
}
