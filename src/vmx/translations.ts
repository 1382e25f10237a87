/**
 * What VM entry and VM exit do to cached translations (SDM volume 3, "VMX Transitions" of "Caching Translation
 * Information"). The processor keeps those of VMX non-root operation apart from all others, but does not tag them.
 *
 * Without VPID each transition drops those of the operation that it enters: nothing could have used them in between.
 * With VPID they survive if they are for the same VPID, EPTP, CR3 and paging mode as before. Real processors ask less
 * (they tag by VPID, EPTP and PCID); ours never keeps what theirs would drop.
 */
import { Offset } from '../cpu/state';
import { Secondary } from './tables/controls';
import { Slot } from './tables/fields';
import type { Vmx } from './vmx';

const { VPID, EPT_POINTER } = Slot;

/** What the translations of one operation depend on: CR3, CR0, CR4, EFER; for the guest also VPID, EPTP and the secondary controls. */
const STATE_WORDS = [Offset.CR3, Offset.CR3 + 4, Offset.CR0, Offset.CR4, Offset.EFER] as const;
const WORDS = STATE_WORDS.length + 4;

export class Translations {
  private readonly guest = new Uint32Array(WORDS);
  private readonly host = new Uint32Array(WORDS);
  private readonly present = new Uint32Array(WORDS);

  constructor(private readonly vmx: Vmx) {}

  /** Before the guest's state is loaded: what the VMM's translations are for. */
  beforeEntry(): void {
    this.note(this.host, false);
  }
  /** After it: non-root operation is entered. */
  atEntry(): void {
    if (!this.vmx.secondary(Secondary.VPID) || !this.same(this.guest, true)) this.vmx.cpu.flushOperation(true);
  }
  /** Before the host's state is loaded. */
  beforeExit(): void {
    this.note(this.guest, true);
  }
  /** After it: root operation is entered. */
  atExit(): void {
    if (!this.vmx.secondary(Secondary.VPID) || !this.same(this.host, false)) this.vmx.cpu.flushOperation(false);
  }

  private note(words: Uint32Array, guest: boolean): void {
    const { state, vmcs } = this.vmx;
    for (let i = 0; i < STATE_WORDS.length; i++) words[i] = state.get32(STATE_WORDS[i]!);
    if (!guest) return;
    words[5] = vmcs.low(VPID);
    words[6] = vmcs.low(EPT_POINTER);
    words[7] = vmcs.high(EPT_POINTER);
    words[8] = this.vmx.secondaryControls;
  }

  private same(words: Uint32Array, guest: boolean): boolean {
    const { present } = this;
    this.note(present, guest);
    for (let i = 0; i < (guest ? WORDS : STATE_WORDS.length); i++) if (present[i] !== words[i]) return false;
    return true;
  }
}
