/**
 * The two-byte map and the integer and system instructions of the three-byte maps. Notation: compile.ts and notation.ts.
 * SDM volume 2, appendix "Opcode Map", table "Two-byte Opcode Map"; volume 3, "VMX Instruction Reference".
 * Instructions of extensions that the processor never announces (SGX, TSX, MPX, CET, key locker ...) are left out: they raise #UD,
 * or are NOPs where the encoding is a hint.
 */
export const TWO_BYTE = `
  0F 00 /0      | sldt Rv
  0F 00 /0      | sldt Mw
  0F 00 /1      | str Rv
  0F 00 /1      | str Mw
  0F 00 /2      | lldt Ew
  0F 00 /3      | ltr Ew
  0F 00 /4      | verr Ew
  0F 00 /5      | verw Ew
  0F 01 /0      | sgdt Ms
  0F 01 /1      | sidt Ms
  0F 01 /2      | lgdt Ms
  0F 01 /3      | lidt Ms
  0F 01 /4      | smsw Rv
  0F 01 /4      | smsw Mw
  0F 01 /6      | lmsw Ew
  0F 01 /7 mem  | invlpg M
  np 0F 01 C1   | vmcall
  np 0F 01 C2   | vmlaunch
  np 0F 01 C3   | vmresume
  np 0F 01 C4   | vmxoff
  np 0F 01 C8   | monitor
  np 0F 01 C9   | mwait
  np 0F 01 CA   | clac
  np 0F 01 CB   | stac
  np 0F 01 D0   | xgetbv
  np 0F 01 D1   | xsetbv
  np 0F 01 D4   | vmfunc
  np 0F 01 EE   | rdpkru
  np 0F 01 EF   | wrpkru
  0F 01 F8      | swapgs            | o64
  0F 01 F9      | rdtscp
  0F 02         | lar Gv,Ew
  0F 03         | lsl Gv,Ew
  0F 05         | syscall
  0F 06         | clts
  0F 07         | sysret
  0F 08         | invd
  np/66/f2 0F 09 | wbinvd
  f3 0F 09      | wbnoinvd
  0F 0B         | ud2
# Prefetches and hints read nothing.
  0F 0D         | nop Ev
  0F 18         | nop Ev
  0F 19         | nop Ev
  0F 1A         | nop Ev
  0F 1B         | nop Ev
  0F 1C         | nop Ev
  0F 1D         | nop Ev
  0F 1E         | nop Ev
  0F 1F         | nop Ev
  0F 20         | mov_from_cr Rn,Cn | noMod
  0F 21         | mov_from_dr Rn,Dn | noMod
  0F 22         | mov_to_cr Cn,Rn   | noMod
  0F 23         | mov_to_dr Dn,Rn   | noMod
  0F 30         | wrmsr
  0F 31         | rdtsc
  0F 32         | rdmsr
  0F 33         | rdpmc
  0F 34         | sysenter
  0F 35         | sysexit
  np 0F 37      | getsec
  0F 40+c       | cmovcc Gv,Ev
  np 0F 78      | vmread En,Gn
  np 0F 79      | vmwrite Gn,En
  0F 80+c       | jcc Jz            | f64
  0F 90+c       | setcc Eb
  0F A0         | push_sreg FS      | d64
  0F A1         | pop_sreg FS       | d64
  0F A2         | cpuid
  0F A3         | bt Ev,Gv
  0F A4         | shld Ev,Gv,Ib
  0F A5         | shld Ev,Gv,CL
  0F A8         | push_sreg GS      | d64
  0F A9         | pop_sreg GS       | d64
  0F AA         | rsm
  0F AB         | bts Ev,Gv         | lock
  0F AC         | shrd Ev,Gv,Ib
  0F AD         | shrd Ev,Gv,CL
  np 0F AE /0   | fxsave M
  np 0F AE /1   | fxrstor M
  np 0F AE /2   | ldmxcsr Md
  np 0F AE /3   | stmxcsr Md
  np 0F AE /4   | xsave M
  np 0F AE /5   | xrstor M
  np 0F AE /6   | xsaveopt M
  np 0F AE /7   | clflush Mb
  66 0F AE /6   | clwb Mb
  66 0F AE /7   | clflushopt Mb
  f3 0F AE /0   | rdfsbase Ry       | o64
  f3 0F AE /1   | rdgsbase Ry       | o64
  f3 0F AE /2   | wrfsbase Ry       | o64
  f3 0F AE /3   | wrgsbase Ry       | o64
  np 0F AE /5 reg | lfence
  np 0F AE /6 reg | mfence
  np 0F AE /7 reg | sfence
  0F AF         | imul Gv,Ev
  0F B0         | cmpxchg Eb,Gb     | lock
  0F B1         | cmpxchg Ev,Gv     | lock
  0F B2         | lss Gv,Mp
  0F B3         | btr Ev,Gv         | lock
  0F B4         | lfs Gv,Mp
  0F B5         | lgs Gv,Mp
  0F B6         | movzx Gv,Eb
  0F B7         | movzx Gv,Ew
  f3 0F B8      | popcnt Gv,Ev
  0F B9         | ud1 Gv,Ev
  0F BA /4      | bt Ev,Ib
  0F BA /5      | bts Ev,Ib         | lock
  0F BA /6      | btr Ev,Ib         | lock
  0F BA /7      | btc Ev,Ib         | lock
  0F BB         | btc Ev,Gv         | lock
  np/66/f2 0F BC | bsf Gv,Ev
  f3 0F BC      | tzcnt Gv,Ev
  np/66/f2 0F BD | bsr Gv,Ev
  f3 0F BD      | lzcnt Gv,Ev
  0F BE         | movsx Gv,Eb
  0F BF         | movsx Gv,Ew
  0F C0         | xadd Eb,Gb        | lock
  0F C1         | xadd Ev,Gv        | lock
  np 0F C3      | movnti My,Gy
  0F C7 /1      | cmpxchg8b Mq      | lock w0
  0F C7 /1      | cmpxchg16b Mdq    | lock w1
  np 0F C7 /3   | xrstors M
  np 0F C7 /4   | xsavec M
  np 0F C7 /5   | xsaves M
  np 0F C7 /6   | vmptrld Mq
  66 0F C7 /6   | vmclear Mq
  f3 0F C7 /6   | vmxon Mq
  np 0F C7 /7   | vmptrst Mq
  np/66 0F C7 /6 | rdrand Rv
  np/66 0F C7 /7 | rdseed Rv
  f3 0F C7 /7   | rdpid Rn
  0F C8+r       | bswap Zv
  0F FF         | ud0 Gv,Ev

  66 0F 38 80   | invept Gn,Mdq
  66 0F 38 81   | invvpid Gn,Mdq
  66 0F 38 82   | invpcid Gn,Mdq
  np/66 0F 38 F0 | movbe Gv,Mv
  np/66 0F 38 F1 | movbe Mv,Gv
  f2 0F 38 F0   | crc32 Gy,Eb
  f2 0F 38 F1   | crc32 Gy,Ev
  66 0F 38 F6   | adcx Gy,Ey
  f3 0F 38 F6   | adox Gy,Ey
`;
