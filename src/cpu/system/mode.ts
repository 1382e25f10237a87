/** The processor's mode of operation, asked of its state (SDM volume 3, "Modes of Operation"). */
import { Cr0, Efer } from '../controlBits';
import { VM } from '../flags';
import { type CpuState, Offset, Seg } from '../state';

/** Descriptor bits as they lie in a segment's access rights (the VMCS's format). */
export const Access = { ACCESSED: 1, WRITABLE: 2, READABLE: 2, CONFORMING: 4, EXPAND_DOWN: 4, CODE: 8, S: 0x10, P: 0x80, AVL: 0x1000, L: 0x2000, DB: 0x4000, G: 0x8000 } as const;

/** Descriptor privilege level of access rights. */
export const dplOf = (access: number): number => (access >>> 5) & 3;

export const isProtected = (s: CpuState): boolean => (s.cr0 & Cr0.PE) !== 0;
export const isVirtual8086 = (s: CpuState): boolean => (s.get32(Offset.FLAGS) & VM) !== 0;
/** Selectors are paragraph numbers: real-address or virtual-8086 mode. */
export const isReal = (s: CpuState): boolean => !isProtected(s) || isVirtual8086(s);
/** IA-32e mode: 64-bit or compatibility mode. */
export const isLong = (s: CpuState): boolean => (s.efer & Efer.LMA) !== 0;
/** 64-bit mode: IA-32e mode with CS.L. */
export const is64 = (s: CpuState): boolean => isLong(s) && (s.access(Seg.CS) & Access.L) !== 0;

/** RFLAGS.IOPL. */
export const ioplOf = (s: CpuState): number => (s.get32(Offset.FLAGS) >>> 12) & 3;

/** Changes the current privilege level. SS.DPL, which the VMCS keeps it in, follows. Call `stateChanged` after it. */
export function setCpl(s: CpuState, cpl: number): void {
  s.set32(Offset.CPL, cpl);
  s.setAccess(Seg.SS, (s.access(Seg.SS) & ~0x60) | (cpl << 5));
}
