/** MMX instructions as compareX87.ts makes them. Opcodes: SDM volume 2, "Two-byte Opcode Map", without mandatory prefix. */
import type { X87Form } from './x87Forms';

/** Name and last opcode byte of 0F xx, MMX register and MMX register or memory. */
const TWO_BYTE: Record<string, number> = {
  punpcklbw: 0x60, punpcklwd: 0x61, punpckldq: 0x62, packsswb: 0x63, pcmpgtb: 0x64, pcmpgtw: 0x65, pcmpgtd: 0x66, packuswb: 0x67,
  punpckhbw: 0x68, punpckhwd: 0x69, punpckhdq: 0x6a, packssdw: 0x6b, 'movq load': 0x6f, pcmpeqb: 0x74, pcmpeqw: 0x75, pcmpeqd: 0x76, 'movq store': 0x7f,
  psrlw: 0xd1, psrld: 0xd2, psrlq: 0xd3, paddq: 0xd4, pmullw: 0xd5, psubusb: 0xd8, psubusw: 0xd9, pminub: 0xda, pand: 0xdb,
  paddusb: 0xdc, paddusw: 0xdd, pmaxub: 0xde, pandn: 0xdf, pavgb: 0xe0, psraw: 0xe1, psrad: 0xe2, pavgw: 0xe3, pmulhuw: 0xe4, pmulhw: 0xe5,
  psubsb: 0xe8, psubsw: 0xe9, pminsw: 0xea, por: 0xeb, paddsb: 0xec, paddsw: 0xed, pmaxsw: 0xee, pxor: 0xef, psllw: 0xf1, pslld: 0xf2, psllq: 0xf3,
  pmuludq: 0xf4, pmaddwd: 0xf5, psadbw: 0xf6, psubb: 0xf8, psubw: 0xf9, psubd: 0xfa, psubq: 0xfb, paddb: 0xfc, paddw: 0xfd, paddd: 0xfe,
}; // prettier-ignore
const THREE_BYTE = ['pshufb', 'phaddw', 'phaddd', 'phaddsw', 'pmaddubsw', 'phsubw', 'phsubd', 'phsubsw', 'psignb', 'psignw', 'psignd', 'pmulhrsw'];

const forms: X87Form[] = [];
for (const [name, opcode] of Object.entries(TWO_BYTE)) forms.push({ name, opcode: [0x0f, opcode], mmx: 'both' });
THREE_BYTE.forEach((name, i) => forms.push({ name, opcode: [0x0f, 0x38, i], mmx: 'both' }));
['pabsb', 'pabsw', 'pabsd'].forEach((name, i) => forms.push({ name, opcode: [0x0f, 0x38, 0x1c + i], mmx: 'both' }));
for (const [opcode, element] of [[0x71, 'w'], [0x72, 'd'], [0x73, 'q']] as const) {
  for (const [reg, name] of [[2, 'psrl'], [4, 'psra'], [6, 'psll']] as const) {
    if (element === 'q' && reg === 4) continue;
    forms.push({ name: `${name}${element} imm8`, opcode: [0x0f, opcode], reg, mmx: 'register', immediate: true });
  }
}
forms.push(
  { name: 'emms', opcode: [0x0f], modrm: 0x77 },
  { name: 'movd load', opcode: [0x0f, 0x6e], mmx: 'both', general: 'source' },
  { name: 'movq load r64', opcode: [0x48, 0x0f, 0x6e], mmx: 'both', general: 'source' },
  { name: 'movd store', opcode: [0x0f, 0x7e], mmx: 'both', general: 'destination' },
  { name: 'movq store r64', opcode: [0x48, 0x0f, 0x7e], mmx: 'both', general: 'destination' },
  { name: 'pshufw', opcode: [0x0f, 0x70], mmx: 'both', immediate: true },
  { name: 'palignr', opcode: [0x0f, 0x3a, 0x0f], mmx: 'both', immediate: true },
  { name: 'pinsrw', opcode: [0x0f, 0xc4], mmx: 'both', immediate: true, general: 'source' },
  { name: 'pextrw', opcode: [0x0f, 0xc5], mmx: 'register', immediate: true, general: 'destination', generalIsReg: true },
  { name: 'pmovmskb', opcode: [0x0f, 0xd7], mmx: 'register', general: 'destination', generalIsReg: true },
  { name: 'movntq', opcode: [0x0f, 0xe7], mmx: 'memory' },
  { name: 'pinsrw r64', opcode: [0x48, 0x0f, 0xc4], mmx: 'both', immediate: true, general: 'source' },
  { name: 'pextrw r64', opcode: [0x48, 0x0f, 0xc5], mmx: 'register', immediate: true, general: 'destination', generalIsReg: true },
  { name: 'pmovmskb r64', opcode: [0x48, 0x0f, 0xd7], mmx: 'register', general: 'destination', generalIsReg: true },
  { name: 'maskmovq', opcode: [0x0f, 0xf7], mmx: 'register' },
);

export const MMX_FORMS: readonly X87Form[] = forms;
