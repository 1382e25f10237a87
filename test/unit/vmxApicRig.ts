/** A 64-bit guest with APIC virtualization: the pages that it takes, and its registers on the virtual-APIC page. */
import { Offset } from '../../src/cpu/state';
import { Exit, type ExitRecord, Pin, Primary, Secondary } from '../../src/vmx';
import { At, VmxRig } from './vmxRig';

/** Host-physical pages. */
export const VIRTUAL_APIC = 0x1_8000;
export const ACCESS_PAGE = 0x1_9000;
export const DESCRIPTOR = 0x1_a000;
/** Guest-physical: where the guest sees the APIC-access page; the rig maps linear addresses one to one. */
export const APIC = 0x5_0000;
/** Handler of every vector of the guest: HLT. */
export const HANDLER = 0x9000;
export const IDT = 0xa000;
export const NOTIFICATION = 0xf2;

export interface ApicControls {
  primary?: number;
  secondary?: number;
  pin?: number;
  exit?: number;
  without?: string[];
}

export class ApicRig extends VmxRig {
  ended = 0;

  constructor(code: string, { primary = 0, secondary = 0, pin = 0, exit = 0, without = [] }: ApicControls) {
    super(without);
    this.longModeGuest(code);
    this.control('pin', pin | (secondary & Secondary.VIRTUAL_INTERRUPT_DELIVERY ? Pin.EXTERNAL_INTERRUPT_EXITING : 0));
    this.control('primary', Primary.SECONDARY_CONTROLS | Primary.HLT_EXITING | Primary.MSR_BITMAPS | primary);
    this.control('secondary', Secondary.EPT | Secondary.UNRESTRICTED_GUEST | secondary);
    this.control('exit', Exit.HOST_ADDRESS_SPACE_SIZE | exit);
    this.set({ VIRTUAL_APIC_ADDRESS: VIRTUAL_APIC, APIC_ACCESS_ADDRESS: ACCESS_PAGE, POSTED_INTERRUPT_DESCRIPTOR_ADDRESS: DESCRIPTOR, POSTED_INTERRUPT_NOTIFICATION_VECTOR: NOTIFICATION });
    this.write64(this.eptEntry(APIC), BigInt(ACCESS_PAGE + 0x37));
    // An IDT whose every vector leads to a HLT of its own, so that RIP tells the vector.
    for (let vector = 0; vector < 256; vector++) {
      const handler = BigInt(HANDLER + vector);
      this.guest64(IDT + vector * 16, (8n << 16n) | (handler & 0xffffn) | (0x8e00n << 32n));
      this.guest64(IDT + vector * 16 + 8, 0n);
      this.guest(HANDLER + vector, 'f4');
    }
    this.guest64(0x8000 + 8, 0x00af_9b00_0000_ffffn);
    this.set({ GUEST_IDTR_BASE: IDT, GUEST_IDTR_LIMIT: 0xfff, GUEST_GDTR_BASE: 0x8000, GUEST_GDTR_LIMIT: 0xff });
    (this.cpu.interrupts as { endOfInterrupt?: () => void }).endOfInterrupt = () => void this.ended++;
  }

  /** 32 bits of the virtual-APIC page. */
  apic(offset: number): number {
    return Number(this.read64(VIRTUAL_APIC + offset) & 0xffff_ffffn);
  }
  setApic(offset: number, value: number): this {
    this.write32(VIRTUAL_APIC + offset, value);
    return this;
  }
  /** RVI and SVI. */
  inService(requesting: number, servicing: number): this {
    this.set({ GUEST_INTERRUPT_STATUS: requesting | (servicing << 8) });
    return this;
  }
  get interruptStatus(): { rvi: number; svi: number } {
    const status = Number(this.get('GUEST_INTERRUPT_STATUS'));
    return { rvi: status & 0xff, svi: status >>> 8 };
  }
  /** A quadword of the guest's stack as its last exit left it. */
  guestStack(n: number): bigint {
    return this.read64(At.GUEST + Number(this.get('GUEST_RSP')) + n * 8);
  }
  get activity(): number {
    return this.cpu.state.get32(Offset.ACTIVITY);
  }
}

/** Vector whose handler the guest halted in, by its last exit. */
export const vectorOf = (exit: ExitRecord): number => (exit.name === 'HLT' ? Number(exit.guestRip) - HANDLER : -1);

