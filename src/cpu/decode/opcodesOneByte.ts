/** The one-byte opcode map. Notation: compile.ts and notation.ts. SDM volume 2, appendix "Opcode Map", table "One-byte Opcode Map". */

const byteHex = (n: number): string => n.toString(16).toUpperCase().padStart(2, '0');

/** The eight operations that share six encodings, in encoding order; CMP has no destination, hence no LOCK. */
const ALU = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'];
const alu = ALU.map((name, n) => {
  const lock = name === 'cmp' ? '' : '| lock';
  return `
  ${byteHex(n * 8)}     | ${name} Eb,Gb   ${lock}
  ${byteHex(n * 8 + 1)} | ${name} Ev,Gv   ${lock}
  ${byteHex(n * 8 + 2)} | ${name} Gb,Eb
  ${byteHex(n * 8 + 3)} | ${name} Gv,Ev
  ${byteHex(n * 8 + 4)} | ${name} AL,Ib
  ${byteHex(n * 8 + 5)} | ${name} rAX,Iz
  80 /${n} | ${name} Eb,Ib   ${lock}
  81 /${n} | ${name} Ev,Iz   ${lock}
  82 /${n} | ${name} Eb,Ib   | i64 ${name === 'cmp' ? '' : 'lock'}
  83 /${n} | ${name} Ev,Ibs  ${lock}`;
}).join('\n');

/** The shifts and rotates; /6 is an undocumented twin of /4. */
const SHIFTS = ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'shl', 'sar'];
const shifts = SHIFTS.map(
  (name, n) => `
  C0 /${n} | ${name} Eb,Ib
  C1 /${n} | ${name} Ev,Ib
  D0 /${n} | ${name} Eb,1
  D1 /${n} | ${name} Ev,1
  D2 /${n} | ${name} Eb,CL
  D3 /${n} | ${name} Ev,CL`,
).join('\n');

export const ONE_BYTE = `
${alu}
${shifts}
  06      | push_sreg ES      | i64
  07      | pop_sreg ES       | i64
  0E      | push_sreg CS      | i64
  16      | push_sreg SS      | i64
  17      | pop_sreg SS       | i64
  1E      | push_sreg DS      | i64
  1F      | pop_sreg DS       | i64
  27      | daa               | i64
  2F      | das               | i64
  37      | aaa               | i64
  3F      | aas               | i64
  40+r    | inc Zv            | i64
  48+r    | dec Zv            | i64
  50+r    | push Zv           | d64
  58+r    | pop Zv            | d64
  60      | pusha             | i64
  61      | popa              | i64
  62      | bound Gv,Ma       | i64
  63      | arpl Ew,Gw        | i64
  63      | movsx Gv,Ez       | o64
  68      | push Iz           | d64
  69      | imul Gv,Ev,Iz
  6A      | push Ibs          | d64
  6B      | imul Gv,Ev,Ibs
  6C      | ins Yb            | string
  6D      | ins Yz            | string
  6E      | outs Xb           | string
  6F      | outs Xz           | string
  70+c    | jcc Jb            | f64
  84      | test Eb,Gb
  85      | test Ev,Gv
  86      | xchg Eb,Gb        | lock
  87      | xchg Ev,Gv        | lock
  88      | mov Eb,Gb
  89      | mov Ev,Gv
  8A      | mov Gb,Eb
  8B      | mov Gv,Ev
  8C      | mov_from_sreg Rv,Sw
  8C      | mov_from_sreg Mw,Sw
  8D      | lea Gv,M
  8E      | mov_to_sreg Sw,Ew
  8F /0   | pop Ev            | d64
# NOP is XCHG rAX,rAX, but with REX.B it is an exchange with R8; PAUSE is PAUSE with REX.B too.
  np/66/f2 90 | nop           | b0
  np/66/f2 90 | xchg Zv,rAX   | b1
  f3 90   | pause
  91      | xchg Zv,rAX
  92      | xchg Zv,rAX
  93      | xchg Zv,rAX
  94      | xchg Zv,rAX
  95      | xchg Zv,rAX
  96      | xchg Zv,rAX
  97      | xchg Zv,rAX
  98      | cbw
  99      | cwd
  9A      | call_far Ap       | i64
  9B      | fwait
  9C      | pushf             | d64
  9D      | popf              | d64
  9E      | sahf
  9F      | lahf
  A0      | mov AL,Ob
  A1      | mov rAX,Ov
  A2      | mov Ob,AL
  A3      | mov Ov,rAX
  A4      | movs Yb,Xb        | string
  A5      | movs Yv,Xv        | string
  A6      | cmps Xb,Yb        | string
  A7      | cmps Xv,Yv        | string
  A8      | test AL,Ib
  A9      | test rAX,Iz
  AA      | stos Yb           | string
  AB      | stos Yv           | string
  AC      | lods Xb           | string
  AD      | lods Xv           | string
  AE      | scas Yb           | string
  AF      | scas Yv           | string
  B0+r    | mov Zb,Ib
  B8+r    | mov Zv,Iv
  C2      | ret Iw            | f64
  C3      | ret               | f64
  C4      | les Gv,Mp         | i64
  C5      | lds Gv,Mp         | i64
  C6 /0   | mov Eb,Ib
  C7 /0   | mov Ev,Iz
  C8      | enter Iw,I2b      | d64
  C9      | leave             | d64
  CA      | ret_far Iw
  CB      | ret_far
  CC      | int3
  CD      | int Ib
  CE      | into              | i64
  CF      | iret
  D4      | aam Ib            | i64
  D5      | aad Ib            | i64
  D6      | salc              | i64
  D7      | xlat
  E0      | loopne Jb         | f64
  E1      | loope Jb          | f64
  E2      | loop Jb           | f64
  E3      | jcxz Jb           | f64
  E4      | in AL,Ib
  E5      | in eAX,Ib
  E6      | out Ib,AL
  E7      | out Ib,eAX
  E8      | call Jz           | f64
  E9      | jmp Jz            | f64
  EA      | jmp_far Ap        | i64
  EB      | jmp Jb            | f64
  EC      | in AL,DX
  ED      | in eAX,DX
  EE      | out DX,AL
  EF      | out DX,eAX
  F1      | int1
  F4      | hlt
  F5      | cmc
# /1 is an undocumented twin of /0.
  F6 /0   | test Eb,Ib
  F6 /1   | test Eb,Ib
  F6 /2   | not Eb            | lock
  F6 /3   | neg Eb            | lock
  F6 /4   | mul Eb
  F6 /5   | imul1 Eb
  F6 /6   | div Eb
  F6 /7   | idiv Eb
  F7 /0   | test Ev,Iz
  F7 /1   | test Ev,Iz
  F7 /2   | not Ev            | lock
  F7 /3   | neg Ev            | lock
  F7 /4   | mul Ev
  F7 /5   | imul1 Ev
  F7 /6   | div Ev
  F7 /7   | idiv Ev
  F8      | clc
  F9      | stc
  FA      | cli
  FB      | sti
  FC      | cld
  FD      | std
  FE /0   | inc Eb            | lock
  FE /1   | dec Eb            | lock
  FF /0   | inc Ev            | lock
  FF /1   | dec Ev            | lock
  FF /2   | call_near Ev      | f64
  FF /3   | call_far Mp
  FF /4   | jmp_near Ev       | f64
  FF /5   | jmp_far Mp
  FF /6   | push Ev           | d64
`;
