/**
 * The x87 instructions. Notation: compile.ts and notation.ts. SDM volume 2, appendix "Opcode Map", "Escape Opcode Instructions".
 * Operand types of memory: w, d, q integers or floating point by mnemonic, t the 80-bit formats; environments and states have no width
 * here, for it depends on the operand size.
 */
const ARITHMETIC = ['fadd', 'fmul', 'fcom', 'fcomp', 'fsub', 'fsubr', 'fdiv', 'fdivr'];
const compares = (name: string): boolean => name === 'fcom' || name === 'fcomp';

const arithmetic = ARITHMETIC.map((name, n) => {
  const integer = name.replace(/^f/, 'fi');
  const modrm = (0xc0 + n * 8).toString(16).toUpperCase();
  const operands = compares(name) ? 'STi' : 'ST,STi';
  return `
  D8 /${n} mem     | ${name} Md
  DC /${n} mem     | ${name} Mq
  DA /${n} mem     | ${integer} Md
  DE /${n} mem     | ${integer} Mw
  D8 ${modrm}+i    | ${name} ${operands}`;
}).join('\n');

export const X87 = `
${arithmetic}
  D9 /0 mem | fld Md
  D9 /2 mem | fst Md
  D9 /3 mem | fstp Md
  D9 /4 mem | fldenv M
  D9 /5 mem | fldcw Mw
  D9 /6 mem | fnstenv M
  D9 /7 mem | fnstcw Mw
  D9 C0+i   | fld STi
  D9 C8+i   | fxch STi
  D9 D0     | fnop
# D8+i, and DC D0+i to DF D8+i below, are undocumented twins.
  D9 D8+i   | fstp STi
  D9 E0     | fchs
  D9 E1     | fabs
  D9 E4     | ftst
  D9 E5     | fxam
  D9 E8     | fld1
  D9 E9     | fldl2t
  D9 EA     | fldl2e
  D9 EB     | fldpi
  D9 EC     | fldlg2
  D9 ED     | fldln2
  D9 EE     | fldz
  D9 F0     | f2xm1
  D9 F1     | fyl2x
  D9 F2     | fptan
  D9 F3     | fpatan
  D9 F4     | fxtract
  D9 F5     | fprem1
  D9 F6     | fdecstp
  D9 F7     | fincstp
  D9 F8     | fprem
  D9 F9     | fyl2xp1
  D9 FA     | fsqrt
  D9 FB     | fsincos
  D9 FC     | frndint
  D9 FD     | fscale
  D9 FE     | fsin
  D9 FF     | fcos
  DA C0+i   | fcmovb ST,STi
  DA C8+i   | fcmove ST,STi
  DA D0+i   | fcmovbe ST,STi
  DA D8+i   | fcmovu ST,STi
  DA E9     | fucompp
  DB /0 mem | fild Md
  DB /1 mem | fisttp Md
  DB /2 mem | fist Md
  DB /3 mem | fistp Md
  DB /5 mem | fld Mt
  DB /7 mem | fstp Mt
  DB C0+i   | fcmovnb ST,STi
  DB C8+i   | fcmovne ST,STi
  DB D0+i   | fcmovnbe ST,STi
  DB D8+i   | fcmovnu ST,STi
# FNENI, FNDISI and FNSETPM of the 8087 and 80287 do nothing since the 80387.
  DB E0     | fneni
  DB E1     | fndisi
  DB E2     | fnclex
  DB E3     | fninit
  DB E4     | fnsetpm
  DB E8+i   | fucomi ST,STi
  DB F0+i   | fcomi ST,STi
  DC C0+i   | fadd STi,ST
  DC C8+i   | fmul STi,ST
  DC D0+i   | fcom STi
  DC D8+i   | fcomp STi
  DC E0+i   | fsubr STi,ST
  DC E8+i   | fsub STi,ST
  DC F0+i   | fdivr STi,ST
  DC F8+i   | fdiv STi,ST
  DD /0 mem | fld Mq
  DD /1 mem | fisttp Mq
  DD /2 mem | fst Mq
  DD /3 mem | fstp Mq
  DD /4 mem | frstor M
  DD /6 mem | fnsave M
  DD /7 mem | fnstsw Mw
  DD C0+i   | ffree STi
  DD C8+i   | fxch STi
  DD D0+i   | fst STi
  DD D8+i   | fstp STi
  DD E0+i   | fucom STi
  DD E8+i   | fucomp STi
  DE C0+i   | faddp STi,ST
  DE C8+i   | fmulp STi,ST
  DE D0+i   | fcomp STi
  DE D9     | fcompp
  DE E0+i   | fsubrp STi,ST
  DE E8+i   | fsubp STi,ST
  DE F0+i   | fdivrp STi,ST
  DE F8+i   | fdivp STi,ST
  DF /0 mem | fild Mw
  DF /1 mem | fisttp Mw
  DF /2 mem | fist Mw
  DF /3 mem | fistp Mw
  DF /4 mem | fbld Mt
  DF /5 mem | fild Mq
  DF /6 mem | fbstp Mt
  DF /7 mem | fistp Mq
  DF C0+i   | ffreep STi
  DF C8+i   | fxch STi
  DF D0+i   | fstp STi
  DF D8+i   | fstp STi
  DF E0     | fnstsw AX
  DF E8+i   | fucomip ST,STi
  DF F0+i   | fcomip ST,STi
`;
