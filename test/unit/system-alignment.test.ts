/** #AC: alignment checking at CPL 3 in a whole program on the real engine. */
import assert from 'node:assert/strict';
import { Gpr, Offset } from '../../src/cpu/state';
import { BODY_AT, longMode } from './systemPc';

const USER = `
      bc 00 70 00 00          ; mov esp, 0x7000
      45 31 f6                ; xor r14d, r14d
      45 31 ff                ; xor r15d, r15d
      b8 30 00 00 00          ; mov eax, 0x30
      0f 00 d8                ; ltr ax
      0f 20 c0                ; mov rax, cr0
      0d 00 00 04 00          ; or eax, 0x40000
      0f 22 c0                ; mov cr0, rax
      8b 04 25 01 01 20 00    ; mov eax, [0x200101]
      6a 23                   ; push 0x23
      68 00 68 00 00          ; push 0x6800
      68 02 02 04 00          ; push 0x40202
      6a 2b                   ; push 0x2b
      48 8d 05 03 00 00 00    ; lea rax, [rip+user]
      50                      ; push rax
      48 cf                   ; iretq
                              ; user:
      8b 04 25 00 01 20 00    ; mov eax, [0x200100]
      8a 04 25 01 01 20 00    ; mov al, [0x200101]
      4c 8d 3d 07 00 00 00    ; lea r15, [rip+u1]
      8b 04 25 02 01 20 00    ; mov eax, [0x200102]
      4c 8d 3d 08 00 00 00    ; u1: lea r15, [rip+u2]
      66 89 04 25 07 01 20 00 ; mov [0x200107], ax
      4c 8d 3d 08 00 00 00    ; u2: lea r15, [rip+u3]
      48 ff 04 25 04 01 20 00 ; inc qword ptr [0x200104]
      4c 8d 3d 07 00 00 00    ; u3: lea r15, [rip+u4]
      8b 04 25 01 20 20 00    ; mov eax, [0x202001]
      4c 8d 3d 06 00 00 00    ; u4: lea r15, [rip+u5]
      be 01 01 20 00          ; mov esi, 0x200101
      ad                      ; lodsd
      4c 8d 3d 08 00 00 00    ; u5: lea r15, [rip+u6]
      48 c7 c4 04 04 20 00    ; mov rsp, 0x200404
      50                      ; push rax
      48 c7 c4 00 68 00 00    ; u6: mov rsp, 0x6800
      48 c7 c6 00 01 20 00    ; mov rsi, 0x200100
      48 c7 c7 00 02 20 00    ; mov rdi, 0x200200
      b9 08 00 00 00          ; mov ecx, 8
      f3 48 a5                ; rep movsq
      0f 01 0c 25 01 01 20 00 ; sidt [0x200101]
      9c                      ; pushf
      81 24 24 ff ff fb ff    ; and dword ptr [rsp], ~0x40000
      9d                      ; popf
      8b 04 25 01 01 20 00    ; mov eax, [0x200101]
      4c 8d 3d 01 00 00 00    ; lea r15, [rip+u7]
      f4                      ; u8: hlt
      9c                      ; u7: pushf
      81 0c 24 00 00 04 00    ; or dword ptr [rsp], 0x40000
      9d                      ; popf
      4c 8d 3d 07 00 00 00    ; lea r15, [rip+u9]
      8b 04 25 01 01 20 00    ; mov eax, [0x200101]
      cd 80                   ; u9: int 0x80
      eb fc                   ; jmp u9
`;

describe('alignment checking', () => {
  it('raises #AC(0) at CPL 3 alone, before the page fault, for each kind of access, and ends with RFLAGS.AC', () => {
    const pc = longMode(USER);
    pc.cpu.run(2000);
    const seen = pc.log().map((entry) => entry.replace(/@(\w+)/, (_, at: string) => `@${(parseInt(at, 16) - BODY_AT).toString(16)}`));
    const expected = [
      '11(0) @52 user', // mov eax, [0x200102]
      '11(0) @60 user', // mov [0x200107], ax
      '11(0) @6f user', // inc qword ptr [0x200104]
      '11(0) @7e user', // mov eax, [0x202001], which is not present
      '11(0) @91 user', // lodsd
      '11(0) @a0 user', // push rax
      'd(0) @dd user', // the hlt behind the unaligned access without AC
      '11(0) @ee user',
      '80(0) @f7 user',
    ];
    assert.deepEqual(seen.slice(0, expected.length), expected);
    assert.equal(pc.cpu.state.reg(Gpr.RCX), 0n, 'the aligned REP MOVSQ went through');
  });

  it('nothing is checked without CR0.AM', () => {
    const pc = longMode(USER.replace('0d 00 00 04 00', '0d 00 00 00 00'));
    pc.cpu.run(2000);
    assert.deepEqual(pc.log().slice(0, 2), ['e(4) @807e cr2 202001 user', 'd(0) @80dd user']);
    assert.notEqual(pc.cpu.state.get32(Offset.CR2), 0);
  });
});
