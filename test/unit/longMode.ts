/** A processor of a test put straight into 64-bit mode at CPL 0, with flat segments. */
import { Cr0, Cr4, Efer } from '../../src/cpu/controlBits';
import type { Processor } from '../../src/cpu/processor';
import { Offset, Seg } from '../../src/cpu/state';

const CODE = { selector: 8, access: 0xa09b };
const DATA = { selector: 16, access: 0xc093 };

/** The page tables at `cr3` have to be there already. `vmx` sets the bits that VMXON asks for besides. */
export function enterLongMode(cpu: Processor, { cr3, vmx = false }: { cr3: number; vmx?: boolean }): void {
  const s = cpu.state;
  s.set64(Offset.CR3, BigInt(cr3));
  s.set64(Offset.CR0, BigInt(Cr0.PG + Cr0.ET + Cr0.PE + (vmx ? Cr0.NE : 0)));
  s.set64(Offset.CR4, BigInt(Cr4.PAE + (vmx ? Cr4.VMXE : 0)));
  s.set64(Offset.EFER, BigInt(Efer.LME + Efer.LMA));
  for (let seg: number = Seg.ES; seg <= Seg.GS; seg++) {
    const { selector, access } = seg === Seg.CS ? CODE : DATA;
    s.setSelector(seg, selector);
    s.setAccess(seg, access);
    s.setLimit(seg, 0xffff_ffff);
    s.setSegBase(seg, 0n);
  }
  cpu.stateChanged();
}
