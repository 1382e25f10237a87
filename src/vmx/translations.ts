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
import { Cr0, Cr4, Efer } from '../cpu/controlBits';
import { Offset } from '../cpu/state';
import { Secondary } from './tables/controls';
import { Slot } from './tables/fields';
import type { Vmx } from './vmx';

const { VPID, EPT_POINTER, APIC_ACCESS_ADDRESS } = Slot;

/** What the translations of one operation depend on: five words of the state, and for the guest six of the VMCS. */
const HOST_WORDS = 5;
const GUEST_WORDS = HOST_WORDS + 6;

/** The translations of one operation. */
class Side {
  readonly words: Uint32Array;
  /** `codePages.tableWrites` when they were last dropped here; none when walks were not tracked yet. */
  droppedAt = NaN;

  constructor(readonly guest: boolean) {
    this.words = new Uint32Array(guest ? GUEST_WORDS : HOST_WORDS);
  }
}

export class Translations {
  private readonly guest = new Side(true);
  private readonly host = new Side(false);
  private readonly present = new Uint32Array(GUEST_WORDS);

  constructor(private readonly vmx: Vmx) {}

  /** Before the guest's state is loaded: what the VMM's translations are for. */
  beforeEntry(): void {
    this.note(this.host.words, false);
  }
  /** After it: non-root operation is entered. */
  atEntry(): void {
    this.enter(this.guest);
  }
  /** Before the host's state is loaded. */
  beforeExit(): void {
    this.note(this.guest.words, true);
  }
  /** After it: root operation is entered. */
  atExit(): void {
    this.enter(this.host);
  }

  private enter(side: Side): void {
    const { cpu } = this.vmx;
    const tagged = this.vmx.secondary(Secondary.VPID);
    if (!tagged) cpu.tracksTables = true;
    if (this.same(side) && (tagged || (side.droppedAt === cpu.codePages.tableWrites && !this.usesPdptes()))) return;
    cpu.flushOperation(side.guest);
    side.droppedAt = cpu.tracksTables ? cpu.codePages.tableWrites : NaN;
  }

  /** PAE paging: what the PDPTE registers hold is not compared. */
  private usesPdptes(): boolean {
    const s = this.vmx.state;
    return (s.cr0 & Cr0.PG) !== 0 && (s.cr4 & Cr4.PAE) !== 0 && (s.efer & Efer.LMA) === 0;
  }

  private note(words: Uint32Array, guest: boolean): void {
    const { state: s, vmcs } = this.vmx;
    words[0] = s.get32(Offset.CR3);
    words[1] = s.high(Offset.CR3);
    words[2] = s.get32(Offset.CR0);
    words[3] = s.get32(Offset.CR4);
    words[4] = s.get32(Offset.EFER);
    if (!guest) return;
    words[5] = this.vmx.secondaryControls;
    words[6] = vmcs.low(VPID);
    words[7] = vmcs.low(EPT_POINTER);
    words[8] = vmcs.high(EPT_POINTER);
    words[9] = vmcs.low(APIC_ACCESS_ADDRESS);
    words[10] = vmcs.high(APIC_ACCESS_ADDRESS);
  }

  private same(side: Side): boolean {
    const { present } = this;
    const { words } = side;
    this.note(present, side.guest);
    for (let i = 0; i < words.length; i++) if (present[i] !== words[i]) return false;
    return true;
  }
}
