/**
 * MMX and SSE to SSE4.2, AES, PCLMULQDQ, SHA: legacy encodings. Notation: compile.ts and notation.ts.
 * SDM volume 2, appendix "Opcode Map", "Two-byte Opcode Map" and the two three-byte maps. `q` with `P` or `Q` is MMX.
 */

/** MMX operations that SSE2 widens: the same opcode without prefix on MMX registers, with 66 on XMM registers. */
const WIDENED: Record<string, string> = {
  '60': 'punpcklbw', '61': 'punpcklwd', '62': 'punpckldq', '63': 'packsswb', '64': 'pcmpgtb', '65': 'pcmpgtw', '66': 'pcmpgtd', '67': 'packuswb',
  '68': 'punpckhbw', '69': 'punpckhwd', '6A': 'punpckhdq', '6B': 'packssdw', '74': 'pcmpeqb', '75': 'pcmpeqw', '76': 'pcmpeqd',
  D1: 'psrlw', D2: 'psrld', D3: 'psrlq', D4: 'paddq', D5: 'pmullw', D8: 'psubusb', D9: 'psubusw', DA: 'pminub', DB: 'pand',
  DC: 'paddusb', DD: 'paddusw', DE: 'pmaxub', DF: 'pandn', E0: 'pavgb', E1: 'psraw', E2: 'psrad', E3: 'pavgw', E4: 'pmulhuw', E5: 'pmulhw',
  E8: 'psubsb', E9: 'psubsw', EA: 'pminsw', EB: 'por', EC: 'paddsb', ED: 'paddsw', EE: 'pmaxsw', EF: 'pxor', F1: 'psllw', F2: 'pslld', F3: 'psllq',
  F4: 'pmuludq', F5: 'pmaddwd', F6: 'psadbw', F8: 'psubb', F9: 'psubw', FA: 'psubd', FB: 'psubq', FC: 'paddb', FD: 'paddw', FE: 'paddd',
  '38 00': 'pshufb', '38 01': 'phaddw', '38 02': 'phaddd', '38 03': 'phaddsw', '38 04': 'pmaddubsw', '38 05': 'phsubw', '38 06': 'phsubd', '38 07': 'phsubsw',
  '38 08': 'psignb', '38 09': 'psignw', '38 0A': 'psignd', '38 0B': 'pmulhrsw', '38 1C': 'pabsb', '38 1D': 'pabsw', '38 1E': 'pabsd',
}; // prettier-ignore
/** The low unpacks read only half of an MMX memory operand. */
const mmxSource = (name: string): string => (name.startsWith('punpckl') ? 'Qd' : 'Qq');
const widened = Object.entries(WIDENED)
  .map(
    ([opcode, name]) => `
  np 0F ${opcode} | ${name} Pq,${mmxSource(name)}
  66 0F ${opcode} | ${name} Vdq,Wdq`,
  )
  .join('\n');

/** Arithmetic in all four element types: none packed single, 66 packed double, F3 scalar single, F2 scalar double. */
const FOUR_TYPES: Record<string, string> = { '51': 'sqrt', '58': 'add', '59': 'mul', '5C': 'sub', '5D': 'min', '5E': 'div', '5F': 'max' };
const fourTypes = Object.entries(FOUR_TYPES)
  .map(
    ([opcode, name]) => `
  np 0F ${opcode} | ${name}ps Vps,Wps
  66 0F ${opcode} | ${name}pd Vpd,Wpd
  f3 0F ${opcode} | ${name}ss Vss,Wss
  f2 0F ${opcode} | ${name}sd Vsd,Wsd`,
  )
  .join('\n');

/** SSE4.1 and later with the plain shape 66 0F 38 xx Vdq,Wdq. */
const SSE4: Record<string, string> = {
  '17': 'ptest', '28': 'pmuldq', '29': 'pcmpeqq', '2B': 'packusdw', '37': 'pcmpgtq', '38': 'pminsb', '39': 'pminsd', '3A': 'pminuw', '3B': 'pminud',
  '3C': 'pmaxsb', '3D': 'pmaxsd', '3E': 'pmaxuw', '3F': 'pmaxud', '40': 'pmulld', '41': 'phminposuw', '10': 'pblendvb', '14': 'blendvps', '15': 'blendvpd',
  DB: 'aesimc', DC: 'aesenc', DD: 'aesenclast', DE: 'aesdec', DF: 'aesdeclast',
}; // prettier-ignore
const sse4 = Object.entries(SSE4)
  .map(([opcode, name]) => `  66 0F 38 ${opcode} | ${name} Vdq,Wdq`)
  .join('\n');

export const SIMD = `
${widened}
${fourTypes}
${sse4}
  np 0F 10     | movups Vps,Wps
  66 0F 10     | movupd Vpd,Wpd
  f3 0F 10     | movss Vss,Wss
  f2 0F 10     | movsd Vsd,Wsd
  np 0F 11     | movups Wps,Vps
  66 0F 11     | movupd Wpd,Vpd
  f3 0F 11     | movss Wss,Vss
  f2 0F 11     | movsd Wsd,Vsd
  np 0F 12 mem | movlps Vq,Mq
  np 0F 12     | movhlps Vq,Uq
  66 0F 12     | movlpd Vq,Mq
  f3 0F 12     | movsldup Vps,Wps
  f2 0F 12     | movddup Vpd,Wq
  np 0F 13     | movlps Mq,Vq
  66 0F 13     | movlpd Mq,Vq
  np 0F 14     | unpcklps Vps,Wps
  66 0F 14     | unpcklpd Vpd,Wpd
  np 0F 15     | unpckhps Vps,Wps
  66 0F 15     | unpckhpd Vpd,Wpd
  np 0F 16     | movhps Vq,Mq
  np 0F 16     | movlhps Vq,Uq
  66 0F 16     | movhpd Vq,Mq
  f3 0F 16     | movshdup Vps,Wps
  np 0F 17     | movhps Mq,Vq
  66 0F 17     | movhpd Mq,Vq
  np 0F 28     | movaps Vps,Wps
  66 0F 28     | movapd Vpd,Wpd
  np 0F 29     | movaps Wps,Vps
  66 0F 29     | movapd Wpd,Vpd
  np 0F 2A     | cvtpi2ps Vps,Qq
  66 0F 2A     | cvtpi2pd Vpd,Qq
  f3 0F 2A     | cvtsi2ss Vss,Ey
  f2 0F 2A     | cvtsi2sd Vsd,Ey
  np 0F 2B     | movntps Mps,Vps
  66 0F 2B     | movntpd Mpd,Vpd
  np 0F 2C     | cvttps2pi Pq,Wq
  66 0F 2C     | cvttpd2pi Pq,Wpd
  f3 0F 2C     | cvttss2si Gy,Wss
  f2 0F 2C     | cvttsd2si Gy,Wsd
  np 0F 2D     | cvtps2pi Pq,Wq
  66 0F 2D     | cvtpd2pi Pq,Wpd
  f3 0F 2D     | cvtss2si Gy,Wss
  f2 0F 2D     | cvtsd2si Gy,Wsd
  np 0F 2E     | ucomiss Vss,Wss
  66 0F 2E     | ucomisd Vsd,Wsd
  np 0F 2F     | comiss Vss,Wss
  66 0F 2F     | comisd Vsd,Wsd
  np 0F 50     | movmskps Gy,Ups
  66 0F 50     | movmskpd Gy,Upd
  np 0F 52     | rsqrtps Vps,Wps
  f3 0F 52     | rsqrtss Vss,Wss
  np 0F 53     | rcpps Vps,Wps
  f3 0F 53     | rcpss Vss,Wss
  np 0F 54     | andps Vps,Wps
  66 0F 54     | andpd Vpd,Wpd
  np 0F 55     | andnps Vps,Wps
  66 0F 55     | andnpd Vpd,Wpd
  np 0F 56     | orps Vps,Wps
  66 0F 56     | orpd Vpd,Wpd
  np 0F 57     | xorps Vps,Wps
  66 0F 57     | xorpd Vpd,Wpd
  np 0F 5A     | cvtps2pd Vpd,Wq
  66 0F 5A     | cvtpd2ps Vps,Wpd
  f3 0F 5A     | cvtss2sd Vsd,Wss
  f2 0F 5A     | cvtsd2ss Vss,Wsd
  np 0F 5B     | cvtdq2ps Vps,Wdq
  66 0F 5B     | cvtps2dq Vdq,Wps
  f3 0F 5B     | cvttps2dq Vdq,Wps
  66 0F 6C     | punpcklqdq Vdq,Wdq
  66 0F 6D     | punpckhqdq Vdq,Wdq
  np 0F 6E     | movd Pd,Ed          | w0
  np 0F 6E     | movq Pq,Eq          | w1
  66 0F 6E     | movd Vd,Ed          | w0
  66 0F 6E     | movq Vq,Eq          | w1
  np 0F 6F     | movq Pq,Qq
  66 0F 6F     | movdqa Vdq,Wdq
  f3 0F 6F     | movdqu Vdq,Wdq
  np 0F 70     | pshufw Pq,Qq,Ib
  66 0F 70     | pshufd Vdq,Wdq,Ib
  f3 0F 70     | pshufhw Vdq,Wdq,Ib
  f2 0F 70     | pshuflw Vdq,Wdq,Ib
  np 0F 71 /2  | psrlw Nq,Ib
  66 0F 71 /2  | psrlw Udq,Ib
  np 0F 71 /4  | psraw Nq,Ib
  66 0F 71 /4  | psraw Udq,Ib
  np 0F 71 /6  | psllw Nq,Ib
  66 0F 71 /6  | psllw Udq,Ib
  np 0F 72 /2  | psrld Nq,Ib
  66 0F 72 /2  | psrld Udq,Ib
  np 0F 72 /4  | psrad Nq,Ib
  66 0F 72 /4  | psrad Udq,Ib
  np 0F 72 /6  | pslld Nq,Ib
  66 0F 72 /6  | pslld Udq,Ib
  np 0F 73 /2  | psrlq Nq,Ib
  66 0F 73 /2  | psrlq Udq,Ib
  66 0F 73 /3  | psrldq Udq,Ib
  np 0F 73 /6  | psllq Nq,Ib
  66 0F 73 /6  | psllq Udq,Ib
  66 0F 73 /7  | pslldq Udq,Ib
  np 0F 77     | emms
  66 0F 7C     | haddpd Vpd,Wpd
  f2 0F 7C     | haddps Vps,Wps
  66 0F 7D     | hsubpd Vpd,Wpd
  f2 0F 7D     | hsubps Vps,Wps
  np 0F 7E     | movd Ed,Pd          | w0
  np 0F 7E     | movq Eq,Pq          | w1
  66 0F 7E     | movd Ed,Vd          | w0
  66 0F 7E     | movq Eq,Vq          | w1
  f3 0F 7E     | movq Vq,Wq
  np 0F 7F     | movq Qq,Pq
  66 0F 7F     | movdqa Wdq,Vdq
  f3 0F 7F     | movdqu Wdq,Vdq
  np 0F C2     | cmpps Vps,Wps,Ib
  66 0F C2     | cmppd Vpd,Wpd,Ib
  f3 0F C2     | cmpss Vss,Wss,Ib
  f2 0F C2     | cmpsd Vsd,Wsd,Ib
  np 0F C4 mem | pinsrw Pq,Mw,Ib
  np 0F C4     | pinsrw Pq,Ry,Ib
  66 0F C4 mem | pinsrw Vdq,Mw,Ib
  66 0F C4     | pinsrw Vdq,Ry,Ib
  np 0F C5     | pextrw Gy,Nq,Ib
  66 0F C5     | pextrw Gy,Udq,Ib
  np 0F C6     | shufps Vps,Wps,Ib
  66 0F C6     | shufpd Vpd,Wpd,Ib
  66 0F D0     | addsubpd Vpd,Wpd
  f2 0F D0     | addsubps Vps,Wps
  66 0F D6     | movq Wq,Vq
  f3 0F D6     | movq2dq Vdq,Nq
  f2 0F D6     | movdq2q Pq,Uq
  np 0F D7     | pmovmskb Gy,Nq
  66 0F D7     | pmovmskb Gy,Udq
  66 0F E6     | cvttpd2dq Vdq,Wpd
  f3 0F E6     | cvtdq2pd Vpd,Wq
  f2 0F E6     | cvtpd2dq Vdq,Wpd
  np 0F E7     | movntq Mq,Pq
  66 0F E7     | movntdq Mdq,Vdq
  f2 0F F0     | lddqu Vdq,Mdq
  np 0F F7     | maskmovq Pq,Nq
  66 0F F7     | maskmovdqu Vdq,Udq

  66 0F 38 20  | pmovsxbw Vdq,Wq
  66 0F 38 21  | pmovsxbd Vdq,Wd
  66 0F 38 22  | pmovsxbq Vdq,Ww
  66 0F 38 23  | pmovsxwd Vdq,Wq
  66 0F 38 24  | pmovsxwq Vdq,Wd
  66 0F 38 25  | pmovsxdq Vdq,Wq
  66 0F 38 2A  | movntdqa Vdq,Mdq
  66 0F 38 30  | pmovzxbw Vdq,Wq
  66 0F 38 31  | pmovzxbd Vdq,Wd
  66 0F 38 32  | pmovzxbq Vdq,Ww
  66 0F 38 33  | pmovzxwd Vdq,Wq
  66 0F 38 34  | pmovzxwq Vdq,Wd
  66 0F 38 35  | pmovzxdq Vdq,Wq
  np 0F 38 C8  | sha1nexte Vdq,Wdq
  np 0F 38 C9  | sha1msg1 Vdq,Wdq
  np 0F 38 CA  | sha1msg2 Vdq,Wdq
  np 0F 38 CB  | sha256rnds2 Vdq,Wdq
  np 0F 38 CC  | sha256msg1 Vdq,Wdq
  np 0F 38 CD  | sha256msg2 Vdq,Wdq

  66 0F 3A 08  | roundps Vps,Wps,Ib
  66 0F 3A 09  | roundpd Vpd,Wpd,Ib
  66 0F 3A 0A  | roundss Vss,Wss,Ib
  66 0F 3A 0B  | roundsd Vsd,Wsd,Ib
  66 0F 3A 0C  | blendps Vps,Wps,Ib
  66 0F 3A 0D  | blendpd Vpd,Wpd,Ib
  66 0F 3A 0E  | pblendw Vdq,Wdq,Ib
  np 0F 3A 0F  | palignr Pq,Qq,Ib
  66 0F 3A 0F  | palignr Vdq,Wdq,Ib
  66 0F 3A 14 mem | pextrb Mb,Vdq,Ib
  66 0F 3A 14  | pextrb Ry,Vdq,Ib
  66 0F 3A 15 mem | pextrw Mw,Vdq,Ib
  66 0F 3A 15  | pextrw Ry,Vdq,Ib
  66 0F 3A 16  | pextrd Ed,Vdq,Ib    | w0
  66 0F 3A 16  | pextrq Eq,Vdq,Ib    | w1
  66 0F 3A 17 mem | extractps Md,Vdq,Ib
  66 0F 3A 17  | extractps Ry,Vdq,Ib
  66 0F 3A 20 mem | pinsrb Vdq,Mb,Ib
  66 0F 3A 20  | pinsrb Vdq,Ry,Ib
  66 0F 3A 21  | insertps Vdq,Wss,Ib
  66 0F 3A 22  | pinsrd Vdq,Ed,Ib    | w0
  66 0F 3A 22  | pinsrq Vdq,Eq,Ib    | w1
  66 0F 3A 40  | dpps Vps,Wps,Ib
  66 0F 3A 41  | dppd Vpd,Wpd,Ib
  66 0F 3A 42  | mpsadbw Vdq,Wdq,Ib
  66 0F 3A 44  | pclmulqdq Vdq,Wdq,Ib
  66 0F 3A 60  | pcmpestrm Vdq,Wdq,Ib
  66 0F 3A 61  | pcmpestri Vdq,Wdq,Ib
  66 0F 3A 62  | pcmpistrm Vdq,Wdq,Ib
  66 0F 3A 63  | pcmpistri Vdq,Wdq,Ib
  np 0F 3A CC  | sha1rnds4 Vdq,Wdq,Ib
  66 0F 3A DF  | aeskeygenassist Vdq,Wdq,Ib
`;
