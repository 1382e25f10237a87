/**
 * VEX-encoded instructions: AVX, AVX2, FMA, F16C, BMI1, BMI2. Notation: compile.ts and notation.ts.
 * SDM volume 2, "Instruction Format", "Intel Advanced Vector Extensions", and the instructions' own pages for W and L.
 */

/** Names of lines `pattern | name operands`, one per opcode of a table. */
const family = (table: Record<string, string>, line: (opcode: string, name: string) => string): string =>
  Object.entries(table)
    .map(([opcode, name]) => line(opcode, name))
    .join('\n');

/** Integer operations of the shape Vx,Hx,Wx, prefix 66: in map 0F, and in map 0F38. */
const INTEGER_0F: Record<string, string> = {
  '60': 'vpunpcklbw', '61': 'vpunpcklwd', '62': 'vpunpckldq', '63': 'vpacksswb', '64': 'vpcmpgtb', '65': 'vpcmpgtw', '66': 'vpcmpgtd', '67': 'vpackuswb',
  '68': 'vpunpckhbw', '69': 'vpunpckhwd', '6A': 'vpunpckhdq', '6B': 'vpackssdw', '6C': 'vpunpcklqdq', '6D': 'vpunpckhqdq', '74': 'vpcmpeqb', '75': 'vpcmpeqw',
  '76': 'vpcmpeqd', D4: 'vpaddq', D5: 'vpmullw', D8: 'vpsubusb', D9: 'vpsubusw', DA: 'vpminub', DB: 'vpand', DC: 'vpaddusb', DD: 'vpaddusw', DE: 'vpmaxub',
  DF: 'vpandn', E0: 'vpavgb', E3: 'vpavgw', E4: 'vpmulhuw', E5: 'vpmulhw', E8: 'vpsubsb', E9: 'vpsubsw', EA: 'vpminsw', EB: 'vpor', EC: 'vpaddsb',
  ED: 'vpaddsw', EE: 'vpmaxsw', EF: 'vpxor', F4: 'vpmuludq', F5: 'vpmaddwd', F6: 'vpsadbw', F8: 'vpsubb', F9: 'vpsubw', FA: 'vpsubd', FB: 'vpsubq',
  FC: 'vpaddb', FD: 'vpaddw', FE: 'vpaddd',
}; // prettier-ignore
const INTEGER_0F38: Record<string, string> = {
  '00': 'vpshufb', '01': 'vphaddw', '02': 'vphaddd', '03': 'vphaddsw', '04': 'vpmaddubsw', '05': 'vphsubw', '06': 'vphsubd', '07': 'vphsubsw', '08': 'vpsignb',
  '09': 'vpsignw', '0A': 'vpsignd', '0B': 'vpmulhrsw', '28': 'vpmuldq', '29': 'vpcmpeqq', '2B': 'vpackusdw', '37': 'vpcmpgtq', '38': 'vpminsb', '39': 'vpminsd',
  '3A': 'vpminuw', '3B': 'vpminud', '3C': 'vpmaxsb', '3D': 'vpmaxsd', '3E': 'vpmaxuw', '3F': 'vpmaxud', '40': 'vpmulld',
}; // prettier-ignore
/** Shifts by the count in an XMM register or 128-bit memory. */
const SHIFTS: Record<string, string> = { D1: 'vpsrlw', D2: 'vpsrld', D3: 'vpsrlq', E1: 'vpsraw', E2: 'vpsrad', F1: 'vpsllw', F2: 'vpslld', F3: 'vpsllq' };
const SHIFTS_IMMEDIATE: Record<string, string> = {
  '71 /2': 'vpsrlw', '71 /4': 'vpsraw', '71 /6': 'vpsllw', '72 /2': 'vpsrld', '72 /4': 'vpsrad', '72 /6': 'vpslld',
  '73 /2': 'vpsrlq', '73 /3': 'vpsrldq', '73 /6': 'vpsllq', '73 /7': 'vpslldq',
}; // prettier-ignore
/** Arithmetic in four element types, and logic and unpacking in two. */
const FOUR_TYPES: Record<string, string> = { '58': 'vadd', '59': 'vmul', '5C': 'vsub', '5D': 'vmin', '5E': 'vdiv', '5F': 'vmax' };
const TWO_TYPES: Record<string, string> = { '14': 'vunpckl', '15': 'vunpckh', '54': 'vand', '55': 'vandn', '56': 'vor', '57': 'vxor' };

/** Fused multiply-add: the low digit of the opcode names the operation, the high one the operand order; odd ones from 9 on are scalar. */
const FMA: Record<string, string> = {
  '6': 'vfmaddsub', '7': 'vfmsubadd', '8': 'vfmadd', '9': 'vfmadd', A: 'vfmsub', B: 'vfmsub', C: 'vfnmadd', D: 'vfnmadd', E: 'vfnmsub', F: 'vfnmsub',
}; // prettier-ignore
const fma = Object.entries({ '9': '132', A: '213', B: '231' })
  .flatMap(([row, order]) =>
    Object.entries(FMA).map(([column, name]) =>
      '9BDF'.includes(column)
        ? `
  vex.66.0F38 ${row}${column} | ${name}${order}ss Vss,Hss,Wss | w0
  vex.66.0F38 ${row}${column} | ${name}${order}sd Vsd,Hsd,Wsd | w1`
        : `
  vex.66.0F38 ${row}${column} | ${name}${order}ps Vps,Hps,Wps | w0
  vex.66.0F38 ${row}${column} | ${name}${order}pd Vpd,Hpd,Wpd | w1`,
    ),
  )
  .join('\n');

export const VEX = `
${family(INTEGER_0F, (opcode, name) => `  vex.66.0F ${opcode} | ${name} Vx,Hx,Wx`)}
${family(INTEGER_0F38, (opcode, name) => `  vex.66.0F38 ${opcode} | ${name} Vx,Hx,Wx`)}
${family(SHIFTS, (opcode, name) => `  vex.66.0F ${opcode} | ${name} Vx,Hx,Wdq`)}
${family(SHIFTS_IMMEDIATE, (opcode, name) => `  vex.66.0F ${opcode} | ${name} Hx,Ux,Ib`)}
${family(
  FOUR_TYPES,
  (opcode, name) => `
  vex.np.0F ${opcode} | ${name}ps Vps,Hps,Wps
  vex.66.0F ${opcode} | ${name}pd Vpd,Hpd,Wpd
  vex.f3.0F ${opcode} | ${name}ss Vss,Hss,Wss
  vex.f2.0F ${opcode} | ${name}sd Vsd,Hsd,Wsd`,
)}
${family(
  TWO_TYPES,
  (opcode, name) => `
  vex.np.0F ${opcode} | ${name}ps Vps,Hps,Wps
  vex.66.0F ${opcode} | ${name}pd Vpd,Hpd,Wpd`,
)}
${fma}
  vex.np.0F 10     | vmovups Vps,Wps
  vex.66.0F 10     | vmovupd Vpd,Wpd
  vex.f3.0F 10 mem | vmovss Vss,Mss
  vex.f3.0F 10     | vmovss Vss,Hss,Uss
  vex.f2.0F 10 mem | vmovsd Vsd,Msd
  vex.f2.0F 10     | vmovsd Vsd,Hsd,Usd
  vex.np.0F 11     | vmovups Wps,Vps
  vex.66.0F 11     | vmovupd Wpd,Vpd
  vex.f3.0F 11 mem | vmovss Mss,Vss
  vex.f3.0F 11     | vmovss Uss,Hss,Vss
  vex.f2.0F 11 mem | vmovsd Msd,Vsd
  vex.f2.0F 11     | vmovsd Usd,Hsd,Vsd
  vex.np.0F 12     | vmovlps Vq,Hq,Mq          | l0
  vex.np.0F 12     | vmovhlps Vq,Hq,Uq         | l0
  vex.66.0F 12     | vmovlpd Vq,Hq,Mq          | l0
  vex.f3.0F 12     | vmovsldup Vps,Wps
  vex.f2.0F 12     | vmovddup Vpd,Wq           | l0
  vex.f2.0F 12     | vmovddup Vpd,Wpd          | l1
  vex.np.0F 13     | vmovlps Mq,Vq             | l0
  vex.66.0F 13     | vmovlpd Mq,Vq             | l0
  vex.np.0F 16     | vmovhps Vq,Hq,Mq          | l0
  vex.np.0F 16     | vmovlhps Vq,Hq,Uq         | l0
  vex.66.0F 16     | vmovhpd Vq,Hq,Mq          | l0
  vex.f3.0F 16     | vmovshdup Vps,Wps
  vex.np.0F 17     | vmovhps Mq,Vq             | l0
  vex.66.0F 17     | vmovhpd Mq,Vq             | l0
  vex.np.0F 28     | vmovaps Vps,Wps
  vex.66.0F 28     | vmovapd Vpd,Wpd
  vex.np.0F 29     | vmovaps Wps,Vps
  vex.66.0F 29     | vmovapd Wpd,Vpd
  vex.f3.0F 2A     | vcvtsi2ss Vss,Hss,Ey
  vex.f2.0F 2A     | vcvtsi2sd Vsd,Hsd,Ey
  vex.np.0F 2B     | vmovntps Mps,Vps
  vex.66.0F 2B     | vmovntpd Mpd,Vpd
  vex.f3.0F 2C     | vcvttss2si Gy,Wss
  vex.f2.0F 2C     | vcvttsd2si Gy,Wsd
  vex.f3.0F 2D     | vcvtss2si Gy,Wss
  vex.f2.0F 2D     | vcvtsd2si Gy,Wsd
  vex.np.0F 2E     | vucomiss Vss,Wss
  vex.66.0F 2E     | vucomisd Vsd,Wsd
  vex.np.0F 2F     | vcomiss Vss,Wss
  vex.66.0F 2F     | vcomisd Vsd,Wsd
  vex.np.0F 50     | vmovmskps Gy,Ups
  vex.66.0F 50     | vmovmskpd Gy,Upd
  vex.np.0F 51     | vsqrtps Vps,Wps
  vex.66.0F 51     | vsqrtpd Vpd,Wpd
  vex.f3.0F 51     | vsqrtss Vss,Hss,Wss
  vex.f2.0F 51     | vsqrtsd Vsd,Hsd,Wsd
  vex.np.0F 52     | vrsqrtps Vps,Wps
  vex.f3.0F 52     | vrsqrtss Vss,Hss,Wss
  vex.np.0F 53     | vrcpps Vps,Wps
  vex.f3.0F 53     | vrcpss Vss,Hss,Wss
  vex.np.0F 5A     | vcvtps2pd Vpd,Wxh
  vex.66.0F 5A     | vcvtpd2ps Vdq,Wpd
  vex.f3.0F 5A     | vcvtss2sd Vsd,Hsd,Wss
  vex.f2.0F 5A     | vcvtsd2ss Vss,Hss,Wsd
  vex.np.0F 5B     | vcvtdq2ps Vps,Wx
  vex.66.0F 5B     | vcvtps2dq Vx,Wps
  vex.f3.0F 5B     | vcvttps2dq Vx,Wps
  vex.66.0F 6E     | vmovd Vd,Ed               | l0 w0
  vex.66.0F 6E     | vmovd Vd,Ed               | l0 w1 i64
  vex.66.0F 6E     | vmovq Vq,Eq               | l0 w1 o64
  vex.66.0F 6F     | vmovdqa Vx,Wx
  vex.f3.0F 6F     | vmovdqu Vx,Wx
  vex.66.0F 70     | vpshufd Vx,Wx,Ib
  vex.f3.0F 70     | vpshufhw Vx,Wx,Ib
  vex.f2.0F 70     | vpshuflw Vx,Wx,Ib
  vex.np.0F 77     | vzeroupper                | l0
  vex.np.0F 77     | vzeroall                  | l1
  vex.66.0F 7C     | vhaddpd Vpd,Hpd,Wpd
  vex.f2.0F 7C     | vhaddps Vps,Hps,Wps
  vex.66.0F 7D     | vhsubpd Vpd,Hpd,Wpd
  vex.f2.0F 7D     | vhsubps Vps,Hps,Wps
  vex.66.0F 7E     | vmovd Ed,Vd               | l0 w0
  vex.66.0F 7E     | vmovd Ed,Vd               | l0 w1 i64
  vex.66.0F 7E     | vmovq Eq,Vq               | l0 w1 o64
  vex.f3.0F 7E     | vmovq Vq,Wq               | l0
  vex.66.0F 7F     | vmovdqa Wx,Vx
  vex.f3.0F 7F     | vmovdqu Wx,Vx
  vex.np.0F AE /2  | vldmxcsr Md               | l0
  vex.np.0F AE /3  | vstmxcsr Md               | l0
  vex.np.0F C2     | vcmpps Vps,Hps,Wps,Ib
  vex.66.0F C2     | vcmppd Vpd,Hpd,Wpd,Ib
  vex.f3.0F C2     | vcmpss Vss,Hss,Wss,Ib
  vex.f2.0F C2     | vcmpsd Vsd,Hsd,Wsd,Ib
  vex.66.0F C4 mem | vpinsrw Vdq,Hdq,Mw,Ib     | l0
  vex.66.0F C4     | vpinsrw Vdq,Hdq,Ry,Ib     | l0
  vex.66.0F C5     | vpextrw Gy,Udq,Ib         | l0
  vex.np.0F C6     | vshufps Vps,Hps,Wps,Ib
  vex.66.0F C6     | vshufpd Vpd,Hpd,Wpd,Ib
  vex.66.0F D0     | vaddsubpd Vpd,Hpd,Wpd
  vex.f2.0F D0     | vaddsubps Vps,Hps,Wps
  vex.66.0F D6     | vmovq Wq,Vq               | l0
  vex.66.0F D7     | vpmovmskb Gy,Ux
  vex.66.0F E6     | vcvttpd2dq Vdq,Wpd
  vex.f3.0F E6     | vcvtdq2pd Vpd,Wxh
  vex.f2.0F E6     | vcvtpd2dq Vdq,Wpd
  vex.66.0F E7     | vmovntdq Mx,Vx
  vex.f2.0F F0     | vlddqu Vx,Mx
  vex.66.0F F7     | vmaskmovdqu Vdq,Udq       | l0

  vex.66.0F38 0C   | vpermilps Vps,Hps,Wps     | w0
  vex.66.0F38 0D   | vpermilpd Vpd,Hpd,Wpd     | w0
  vex.66.0F38 0E   | vtestps Vps,Wps           | w0
  vex.66.0F38 0F   | vtestpd Vpd,Wpd           | w0
  vex.66.0F38 13   | vcvtph2ps Vps,Wxh         | w0
  vex.66.0F38 16   | vpermps Vqq,Hqq,Wqq       | l1 w0
  vex.66.0F38 17   | vptest Vx,Wx
  vex.66.0F38 18   | vbroadcastss Vps,Wss      | w0
  vex.66.0F38 19   | vbroadcastsd Vqq,Wsd      | l1 w0
  vex.66.0F38 1A   | vbroadcastf128 Vqq,Mdq    | l1 w0
  vex.66.0F38 1C   | vpabsb Vx,Wx
  vex.66.0F38 1D   | vpabsw Vx,Wx
  vex.66.0F38 1E   | vpabsd Vx,Wx
  vex.66.0F38 20   | vpmovsxbw Vx,Wxh
  vex.66.0F38 21   | vpmovsxbd Vx,Wxq
  vex.66.0F38 22   | vpmovsxbq Vx,Wxe
  vex.66.0F38 23   | vpmovsxwd Vx,Wxh
  vex.66.0F38 24   | vpmovsxwq Vx,Wxq
  vex.66.0F38 25   | vpmovsxdq Vx,Wxh
  vex.66.0F38 2A   | vmovntdqa Vx,Mx
  vex.66.0F38 2C   | vmaskmovps Vps,Hps,Mps    | w0
  vex.66.0F38 2D   | vmaskmovpd Vpd,Hpd,Mpd    | w0
  vex.66.0F38 2E   | vmaskmovps Mps,Hps,Vps    | w0
  vex.66.0F38 2F   | vmaskmovpd Mpd,Hpd,Vpd    | w0
  vex.66.0F38 30   | vpmovzxbw Vx,Wxh
  vex.66.0F38 31   | vpmovzxbd Vx,Wxq
  vex.66.0F38 32   | vpmovzxbq Vx,Wxe
  vex.66.0F38 33   | vpmovzxwd Vx,Wxh
  vex.66.0F38 34   | vpmovzxwq Vx,Wxq
  vex.66.0F38 35   | vpmovzxdq Vx,Wxh
  vex.66.0F38 36   | vpermd Vqq,Hqq,Wqq        | l1 w0
  vex.66.0F38 41   | vphminposuw Vdq,Wdq       | l0
  vex.66.0F38 45   | vpsrlvd Vx,Hx,Wx          | w0
  vex.66.0F38 45   | vpsrlvq Vx,Hx,Wx          | w1
  vex.66.0F38 46   | vpsravd Vx,Hx,Wx          | w0
  vex.66.0F38 47   | vpsllvd Vx,Hx,Wx          | w0
  vex.66.0F38 47   | vpsllvq Vx,Hx,Wx          | w1
  vex.66.0F38 58   | vpbroadcastd Vx,Wd        | w0
  vex.66.0F38 59   | vpbroadcastq Vx,Wq        | w0
  vex.66.0F38 5A   | vbroadcasti128 Vqq,Mdq    | l1 w0
  vex.66.0F38 78   | vpbroadcastb Vx,Wb        | w0
  vex.66.0F38 79   | vpbroadcastw Vx,Ww        | w0
  vex.66.0F38 8C   | vpmaskmovd Vx,Hx,Mx       | w0
  vex.66.0F38 8C   | vpmaskmovq Vx,Hx,Mx       | w1
  vex.66.0F38 8E   | vpmaskmovd Mx,Hx,Vx       | w0
  vex.66.0F38 8E   | vpmaskmovq Mx,Hx,Vx       | w1
  vex.66.0F38 90   | vpgatherdd Vx,VMd,Hx      | w0 distinct
  vex.66.0F38 90   | vpgatherdq Vx,VMq,Hx      | w1 distinct
  vex.66.0F38 91   | vpgatherqd Vq,VMd,Hq      | w0 l0 distinct
  vex.66.0F38 91   | vpgatherqd Vdq,VMd,Hdq    | w0 l1 distinct
  vex.66.0F38 91   | vpgatherqq Vx,VMq,Hx      | w1 distinct
  vex.66.0F38 92   | vgatherdps Vx,VMd,Hx      | w0 distinct
  vex.66.0F38 92   | vgatherdpd Vx,VMq,Hx      | w1 distinct
  vex.66.0F38 93   | vgatherqps Vq,VMd,Hq      | w0 l0 distinct
  vex.66.0F38 93   | vgatherqps Vdq,VMd,Hdq    | w0 l1 distinct
  vex.66.0F38 93   | vgatherqpd Vx,VMq,Hx      | w1 distinct
  vex.66.0F38 DB   | vaesimc Vdq,Wdq           | l0
  vex.66.0F38 DC   | vaesenc Vdq,Hdq,Wdq       | l0
  vex.66.0F38 DD   | vaesenclast Vdq,Hdq,Wdq   | l0
  vex.66.0F38 DE   | vaesdec Vdq,Hdq,Wdq       | l0
  vex.66.0F38 DF   | vaesdeclast Vdq,Hdq,Wdq   | l0
  vex.np.0F38 F2   | andn Gy,By,Ey             | l0
  vex.np.0F38 F3 /1 | blsr By,Ey               | l0
  vex.np.0F38 F3 /2 | blsmsk By,Ey             | l0
  vex.np.0F38 F3 /3 | blsi By,Ey               | l0
  vex.np.0F38 F5   | bzhi Gy,Ey,By             | l0
  vex.f3.0F38 F5   | pext Gy,By,Ey             | l0
  vex.f2.0F38 F5   | pdep Gy,By,Ey             | l0
  vex.f2.0F38 F6   | mulx Gy,By,Ey             | l0
  vex.np.0F38 F7   | bextr Gy,Ey,By            | l0
  vex.66.0F38 F7   | shlx Gy,Ey,By             | l0
  vex.f3.0F38 F7   | sarx Gy,Ey,By             | l0
  vex.f2.0F38 F7   | shrx Gy,Ey,By             | l0

  vex.66.0F3A 00   | vpermq Vqq,Wqq,Ib         | l1 w1
  vex.66.0F3A 01   | vpermpd Vqq,Wqq,Ib        | l1 w1
  vex.66.0F3A 02   | vpblendd Vx,Hx,Wx,Ib      | w0
  vex.66.0F3A 04   | vpermilps Vps,Wps,Ib      | w0
  vex.66.0F3A 05   | vpermilpd Vpd,Wpd,Ib      | w0
  vex.66.0F3A 06   | vperm2f128 Vqq,Hqq,Wqq,Ib | l1 w0
  vex.66.0F3A 08   | vroundps Vps,Wps,Ib
  vex.66.0F3A 09   | vroundpd Vpd,Wpd,Ib
  vex.66.0F3A 0A   | vroundss Vss,Hss,Wss,Ib
  vex.66.0F3A 0B   | vroundsd Vsd,Hsd,Wsd,Ib
  vex.66.0F3A 0C   | vblendps Vps,Hps,Wps,Ib
  vex.66.0F3A 0D   | vblendpd Vpd,Hpd,Wpd,Ib
  vex.66.0F3A 0E   | vpblendw Vx,Hx,Wx,Ib
  vex.66.0F3A 0F   | vpalignr Vx,Hx,Wx,Ib
  vex.66.0F3A 14 mem | vpextrb Mb,Vdq,Ib       | l0
  vex.66.0F3A 14   | vpextrb Ry,Vdq,Ib         | l0
  vex.66.0F3A 15 mem | vpextrw Mw,Vdq,Ib       | l0
  vex.66.0F3A 15   | vpextrw Ry,Vdq,Ib         | l0
  vex.66.0F3A 16   | vpextrd Ed,Vdq,Ib         | l0 w0
  vex.66.0F3A 16   | vpextrd Ed,Vdq,Ib         | l0 w1 i64
  vex.66.0F3A 16   | vpextrq Eq,Vdq,Ib         | l0 w1 o64
  vex.66.0F3A 17 mem | vextractps Md,Vdq,Ib    | l0
  vex.66.0F3A 17   | vextractps Ry,Vdq,Ib      | l0
  vex.66.0F3A 18   | vinsertf128 Vqq,Hqq,Wdq,Ib | l1 w0
  vex.66.0F3A 19   | vextractf128 Wdq,Vqq,Ib   | l1 w0
  vex.66.0F3A 1D   | vcvtps2ph Wxh,Vps,Ib      | w0
  vex.66.0F3A 20 mem | vpinsrb Vdq,Hdq,Mb,Ib   | l0
  vex.66.0F3A 20   | vpinsrb Vdq,Hdq,Ry,Ib     | l0
  vex.66.0F3A 21   | vinsertps Vdq,Hdq,Wss,Ib  | l0
  vex.66.0F3A 22   | vpinsrd Vdq,Hdq,Ed,Ib     | l0 w0
  vex.66.0F3A 22   | vpinsrd Vdq,Hdq,Ed,Ib     | l0 w1 i64
  vex.66.0F3A 22   | vpinsrq Vdq,Hdq,Eq,Ib     | l0 w1 o64
  vex.66.0F3A 38   | vinserti128 Vqq,Hqq,Wdq,Ib | l1 w0
  vex.66.0F3A 39   | vextracti128 Wdq,Vqq,Ib   | l1 w0
  vex.66.0F3A 40   | vdpps Vps,Hps,Wps,Ib
  vex.66.0F3A 41   | vdppd Vpd,Hpd,Wpd,Ib      | l0
  vex.66.0F3A 42   | vmpsadbw Vx,Hx,Wx,Ib
  vex.66.0F3A 44   | vpclmulqdq Vdq,Hdq,Wdq,Ib | l0
  vex.66.0F3A 46   | vperm2i128 Vqq,Hqq,Wqq,Ib | l1 w0
  vex.66.0F3A 4A   | vblendvps Vps,Hps,Wps,Lps | w0
  vex.66.0F3A 4B   | vblendvpd Vpd,Hpd,Wpd,Lpd | w0
  vex.66.0F3A 4C   | vpblendvb Vx,Hx,Wx,Lx     | w0
  vex.66.0F3A 60   | vpcmpestrm Vdq,Wdq,Ib     | l0
  vex.66.0F3A 61   | vpcmpestri Vdq,Wdq,Ib     | l0
  vex.66.0F3A 62   | vpcmpistrm Vdq,Wdq,Ib     | l0
  vex.66.0F3A 63   | vpcmpistri Vdq,Wdq,Ib     | l0
  vex.66.0F3A DF   | vaeskeygenassist Vdq,Wdq,Ib | l0
  vex.f2.0F3A F0   | rorx Gy,Ey,Ib             | l0
`;
