/**
 * Reviewed differences between iced-x86 and our decoder: instructions that iced knows and that the modelled Intel processor does not
 * have (they raise #UD there). Every reason is printed with its count, so that one that hides too much is seen.
 */
import { EncodingKind } from 'iced-x86';
import type { Signature } from './icedSignature';

/** iced's mnemonics that are invalid for us. */
const ABSENT: readonly (readonly [reason: string, mnemonic: RegExp])[] = [
  ['AMD: 3DNow!, SSE4a, SVM, CLZERO and others', /^(femms|extrq|insertq|movntss|movntsd|vmrun|vmmcall|vmgexit|vmload|vmsave|stgi|clgi|skinit|invlpga|invlpgb|tlbsync|clzero|monitorx|mwaitx|mcommit|rdpru|psmash|pvalidate|rmpadjust|rmpupdate|rmpquery|rmpread|udb)$/],
  ['VIA PadLock and Zhaoxin', /^(xstore|xstore_alt|xcrypt\w+|montmul|xsha\w+|ccs_\w+|undoc)$/],
  ['never announced: SGX, TSX, TDX, PCONFIG, CET, key locker, ENQCMD, WAITPKG, PTWRITE, UINTR, FRED, RAO-INT, MOVDIR, HRESET, SERIALIZE, LKGS, MSRLIST and others',
    /^(encl[suv]|xabort|xbegin|xend|xtest|xsusldtrk|xresldtrk|seam\w+|tdcall|pconfig|setssbsy|clrssbsy|rstorssp|saveprevssp|incssp[dq]|wru?ss[dq]|\w*256kl|\w*128kl|loadiwkey|encodekey\w+|enqcmds?|tpause|umonitor|umwait|ptwrite|senduipi|uiret|testui|clui|stui|eretu|erets|aadd|aand|aor|axor|movdiri|movdir64b|hreset|serialize|lkgs|rdmsrlist|wrmsrlist|wrmsrns|pbndkb|urdmsr|uwrmsr)$/],
  ['AMD: FMA4 and VPERMIL2', /^(vfn?m(add|sub|addsub|subadd)[ps][sd]|vpermil2p[sd])$/],
  ['never announced: AVX-512 masks, AMX, GFNI, AVX-VNNI, AVX-IFMA, AVX-NE-CONVERT, CMPccXADD, SHA512, SM3, SM4',
    /^(k(mov|not|and|andn|or|xnor|xor|add|unpck|ortest|test|shiftl|shiftr)\w*|\w*tile\w*|td\w+|tcmm\w+|v?gf2p8\w+|vpdp\w+|vpmadd52\w+|vbcst\w+|vcvtne\w+|cmp\w+xadd|vsha512\w+|vsm[34]\w+)$/],
]; // prettier-ignore

/** The reason of a known difference, or undefined. */
export function explain(theirs: Signature, ours: Signature | undefined): string | undefined {
  if (ours?.name !== 'invalid') return undefined;
  if (theirs.encoding === EncodingKind.EVEX) return 'never announced: EVEX (AVX-512)';
  if (theirs.encoding === EncodingKind.XOP) return 'AMD: XOP, TBM, LWP';
  if (theirs.encoding === EncodingKind.D3NOW) return 'AMD: 3DNow!, SSE4a, SVM, CLZERO and others';
  if (/^(vaes(enc|dec)(last)?|vpclmulqdq)$/.test(theirs.name) && theirs.text.includes('YMM')) return 'never announced: VAES and VPCLMULQDQ';
  return ABSENT.find(([, mnemonic]) => mnemonic.test(theirs.name))?.[0];
}
