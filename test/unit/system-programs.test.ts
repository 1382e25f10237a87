/** Whole programs on the real engine: mode switches, faults and their return, rings, interrupts, single stepping. */
import assert from 'node:assert/strict';
import { Gpr, Offset, Seg } from '../../src/cpu/state';
import { PT, IDTR_IMAGE, LOG_POINTER, BODY_AT, STUBS, HANDLER, LOG, USER_STACK_PAGE, IST1, Pc, longMode } from './systemPc';

const FAULTS = `
      bc 00 70 00 00                ; mov esp, 0x7000
      45 31 f6                      ; xor r14d, r14d
      31 c9                         ; xor ecx, ecx
      4c 8d 3d 02 00 00 00          ; lea r15, [rip+l1]
      f7 f1                         ; div ecx
                                    ; l1:
      4c 8d 3d 02 00 00 00          ; lea r15, [rip+l2]
      0f 0b                         ; ud2
                                    ; l2:
      4c 8d 3d 0c 00 00 00          ; lea r15, [rip+l3]
      48 b8 00 00 00 00 00 80 00 00 ; mov rax, 0x800000000000
      8a 00                         ; mov al, [rax]
                                    ; l3:
      4c 8d 3d 08 00 00 00          ; lea r15, [rip+l4]
      c6 04 25 00 10 20 00 01       ; mov byte ptr [0x201000], 1
                                    ; l4:
      4c 8d 3d 07 00 00 00          ; lea r15, [rip+l5]
      8a 04 25 00 20 20 00          ; mov al, [0x202000]
                                    ; l5:
      4c 8d 3d 07 00 00 00          ; lea r15, [rip+l6]
      b9 34 12 00 00                ; mov ecx, 0x1234
      0f 32                         ; rdmsr
                                    ; l6:
      4c 8d 3d 07 00 00 00          ; lea r15, [rip+l7]
      b8 99 00 00 00                ; mov eax, 0x99
      8e d8                         ; mov ds, eax
                                    ; l7:
      4c 8d 3d 07 00 00 00          ; lea r15, [rip+l8]
      b8 00 30 20 00                ; mov eax, 0x203000
      ff e0                         ; jmp rax
                                    ; l8:
      45 31 ff                      ; xor r15d, r15d
      cc                            ; int3
      cd 80                         ; int 0x80
      f4                            ; hlt
`;

const USER = `
      bc 00 70 00 00       ; mov esp, 0x7000
      45 31 f6             ; xor r14d, r14d
      45 31 ff             ; xor r15d, r15d
      b8 30 00 00 00       ; mov eax, 0x30
      0f 00 d8             ; ltr ax
      b9 81 00 00 c0       ; mov ecx, 0xc0000081
      31 c0                ; xor eax, eax
      ba 08 00 18 00       ; mov edx, 0x00180008
      0f 30                ; wrmsr
      ff c1                ; inc ecx
      48 8d 05 57 00 00 00 ; lea rax, [rip+kernel]
      31 d2                ; xor edx, edx
      0f 30                ; wrmsr
      6a 23                ; push 0x23
      68 00 68 00 00       ; push 0x6800
      68 02 02 00 00       ; push 0x202
      6a 2b                ; push 0x2b
      48 8d 05 03 00 00 00 ; lea rax, [rip+user]
      50                   ; push rax
      48 cf                ; iretq
                           ; user:
      4c 8d 3d 01 00 00 00 ; lea r15, [rip+u1]
      fa                   ; cli
                           ; u1:
      4c 8d 3d 07 00 00 00 ; lea r15, [rip+u2]
      8a 04 25 00 40 20 00 ; mov al, [0x204000]
                           ; u2:
      4c 8d 3d 01 00 00 00 ; lea r15, [rip+u3]
      f4                   ; hlt
                           ; u3:
      cd 80                ; int 0x80
      4c 8d 3d 02 00 00 00 ; lea r15, [rip+u4]
      cd 20                ; int 0x20
                           ; u4:
      bf 01 00 00 00       ; mov edi, 1
      0f 05                ; syscall
      bf 02 00 00 00       ; mov edi, 2
      0f 05                ; syscall
      31 ff                ; xor edi, edi
      0f 05                ; syscall
                           ; kernel:
      49 01 fd             ; add r13, rdi
      85 ff                ; test edi, edi
      74 03                ; jz off
      48 0f 07             ; sysretq
                           ; off:
      f4                   ; hlt
`;

const TRAP = `
      bc 00 70 00 00 ; mov esp, 0x7000
      45 31 f6       ; xor r14d, r14d
      45 31 ff       ; xor r15d, r15d
      68 02 01 00 00 ; push 0x102
      9d             ; popf
      90             ; nop
      b8 01 00 00 00 ; mov eax, 1
      6a 02          ; push 2
      9d             ; popf
      90             ; nop
      f4             ; hlt
`;

const REP = `
      bc 00 70 00 00          ; mov esp, 0x7000
      45 31 ff                ; xor r15d, r15d
      41 be 10 60 00 00       ; mov r14d, 0x6010
      be 00 00 01 00          ; mov esi, 0x10000
      bf f0 0f 20 00          ; mov edi, 0x200ff0
      b9 00 11 00 00          ; mov ecx, 0x1100
      c6 04 25 00 10 20 00 00 ; mov byte ptr [0x201000], 0
      f3 a4                   ; rep movsb
      f4                      ; hlt
`;

const IRQ = `
      bc 00 70 00 00 ; mov esp, 0x7000
      45 31 f6       ; xor r14d, r14d
      45 31 ff       ; xor r15d, r15d
      fb             ; sti
      f4             ; hlt
      fa             ; cli
      e6 10          ; out 0x10, al
      90             ; nop
      fb             ; sti
      fa             ; cli
      90             ; nop
      fb             ; sti
      f4             ; hlt
      fa             ; cli
      f4             ; hlt
`;

const COMPAT = `
      bc 00 70 00 00       ; mov esp, 0x7000
      45 31 f6             ; xor r14d, r14d
      45 31 ff             ; xor r15d, r15d
      b8 10 00 00 00       ; mov eax, 0x10
      8e d0                ; mov ss, eax
      8e d8                ; mov ds, eax
      48 c7 c3 ff ff ff ff ; mov rbx, -1
      6a 40                ; push 0x40
      68 24 80 00 00       ; push offset c32
      48 cb                ; rex.w retf
                           ; c32:
      b8 78 56 34 12       ; mov eax, 0x12345678
      43                   ; inc ebx
      50                   ; push eax
      59                   ; pop ecx
      cd 80                ; int 0x80
      bf 00 00 00 10       ; mov edi, 0x10000000
      8b 97 00 80 00 f0    ; mov edx, [edi+0xf0008000]
      ea 40 80 00 00 08 00 ; ljmp 0x08, offset c64
                           ; c64:
      f4                   ; hlt
`;

const REAL = `
      31 c0             ; xor ax, ax
      8e d0             ; mov ss, ax
      bc 00 70          ; mov sp, 0x7000
      8e d8             ; mov ds, ax
      c7 06 00 01 48 01 ; mov word ptr [0x100], offset handler - 0x1000
      c7 06 02 01 00 01 ; mov word ptr [0x102], 0x100
      c7 06 00 00 4e 01 ; mov word ptr [0x00], offset zero - 0x1000
      c7 06 02 00 00 01 ; mov word ptr [0x02], 0x100
      b8 34 12          ; mov ax, 0x1234
      f9                ; stc
      cd 40             ; int 0x40
      73 1d             ; jnc wrong
      9a 4c 01 00 01    ; lcall 0x100, offset farproc - 0x1000
      30 c9             ; xor cl, cl
      f6 f1             ; div cl
      60                ; pusha
      61                ; popa
      b8 00 20          ; mov ax, 0x2000
      8e c0             ; mov es, ax
      bf fe ff          ; mov di, 0xfffe
      b9 03 00          ; mov cx, 3
      b8 ef be          ; mov ax, 0xbeef
      fc                ; cld
      f3 ab             ; rep stosw
      f4                ; hlt
                        ; wrong:
      0f 0b             ; ud2
                        ; handler:
      83 c0 01          ; add ax, 1
      cf                ; iret
                        ; farproc:
      43                ; inc bx
      cb                ; retf
                        ; zero:
      89 e5             ; mov bp, sp
      83 46 00 02       ; add word ptr [bp], 2
      42                ; inc dx
      cf                ; iret
`;

/** The way to user mode, with a stack at 0x6800. */
const TO_USER_MODE = `
      6a 23                   ; push 0x23
      68 00 68 00 00          ; push 0x6800
      6a 02                   ; push 2
      6a 2b                   ; push 0x2b
      48 8d 05 03 00 00 00    ; lea rax, [rip+user]
      50                      ; push rax
      48 cf                   ; iretq
                              ; user:`;

const FAR_BRANCHES = `
      bc 00 70 00 00                ; mov esp, 0x7000
      45 31 f6                      ; xor r14d, r14d
      48 b8 00 00 00 00 00 80 00 00 ; mov rax, 0x800000000000
      4c 8d 3d 02 00 00 00          ; lea r15, [rip+l1]
      ff e0                         ; jmp rax
      4c 8d 3d 02 00 00 00          ; l1: lea r15, [rip+l2]
      ff d0                         ; call rax
      48 89 e3                      ; l2: mov rbx, rsp
      4c 8d 3d 04 00 00 00          ; lea r15, [rip+l3]
      50                            ; push rax
      c2 08 00                      ; ret 8
      48 89 e1                      ; l3: mov rcx, rsp
      5a                            ; pop rdx
      f4                            ; hlt
`;

const KEPT_BASE = `
      bc 00 70 00 00          ; mov esp, 0x7000
      b8 10 00 00 00          ; mov eax, 0x10
      8e e8                   ; mov gs, eax
      8e d8                   ; mov ds, eax
      b8 23 00 00 00          ; mov eax, 0x23
      8e e0                   ; mov fs, eax
      b9 01 01 00 c0          ; mov ecx, 0xc0000101
      b8 00 00 20 00          ; mov eax, 0x200000
      31 d2                   ; xor edx, edx
      0f 30                   ; wrmsr
      c7 04 25 40 01 20 00 45 23 01 00 ; mov dword ptr [0x200140], 0x12345
${TO_USER_MODE}
      65 8b 1c 25 40 01 00 00 ; mov ebx, gs:[0x140]
      eb fe                   ; jmp $
`;

/** To user mode with null selectors alone, of which ES has an RPL. */
const NULL_SELECTORS = `
      31 c0                   ; xor eax, eax
      8e d8                   ; mov ds, eax
      8e e0                   ; mov fs, eax
      8e e8                   ; mov gs, eax
      b0 03                   ; mov al, 3
      8e c0                   ; mov es, eax
      8c c2                   ; mov edx, es
${TO_USER_MODE}
      8c c3                   ; mov ebx, es
      eb fe                   ; jmp $
`;

describe('system programs', () => {
  it('faults push what the manual says and return where the handler wants', () => {
    const pc = longMode(FAULTS);
    assert.equal(pc.cpu.run(10_000), 'halt');
    assert.deepEqual(pc.log(), [
      '0(0) @8011',
      '6(0) @801a',
      'd(0) @802d',
      'e(3) @8036 cr2 201000',
      'e(0) @8045 cr2 202000',
      'd(0) @8058',
      'd(98) @8066',
      'e(11) @203000 cr2 203000',
      '3(0) @807a',
      '80(0) @807c',
    ]);
  });

  it('user mode: privileged instructions, supervisor pages, gates, SYSCALL and SYSRET', () => {
    const pc = longMode(USER);
    assert.equal(pc.cpu.run(10_000), 'halt');
    assert.deepEqual(pc.log(), ['d(0) @804d user', 'e(5) @8055 cr2 204000 user', 'd(0) @8063 user', '80(0) @8066 user', 'd(102) @806d user']);
    assert.equal(pc.cpu.state.reg(Gpr.R13), 3n);
    assert.equal(pc.cpu.state.reg(Gpr.RSP), USER_STACK_PAGE, 'SYSCALL leaves the stack alone');
  });

  it('a return to user mode takes away the kernel\'s data segments and leaves their bases', () => {
    const pc = longMode(KEPT_BASE);
    pc.cpu.run(1000);
    const s = pc.cpu.state;
    assert.deepEqual([Seg.DS, Seg.FS, Seg.GS].map((seg) => s.selector(seg)), [0, 0x23, 0]);
    assert.deepEqual(pc.log(), []);
    assert.equal(s.reg(Gpr.RBX), 0x12345n);
    assert.equal(s.segBase(Seg.GS), 0x20_0000n);
  });

  it('a return to user mode clears the RPL of null selectors', () => {
    const pc = longMode(NULL_SELECTORS);
    pc.cpu.run(1000);
    assert.deepEqual(pc.log(), []);
    assert.equal(pc.cpu.state.reg(Gpr.RDX), 3n);
    assert.equal(pc.cpu.state.reg(Gpr.RBX), 0n);
  });

  it('RFLAGS.TF traps after every instruction, the one that clears it included', () => {
    const pc = longMode(TRAP);
    assert.equal(pc.cpu.run(10_000), 'halt');
    assert.deepEqual(pc.log(), ['1(0) @8012', '1(0) @8017', '1(0) @8019', '1(0) @801a']);
    assert.equal(pc.cpu.state.get64(Offset.DR6) & 0x4000n, 0x4000n);
  });

  it('REP MOVSB goes on after a page fault in the middle', () => {
    const pc = longMode(REP);
    for (let i = 0; i < 0x1100; i += 8) pc.put64(LOG + i, BigInt(i) * 0x0101_0101n);
    pc.put64(LOG_POINTER, BigInt(LOG + 0x8000));
    pc.put64(PT + 8, 0x20_1007n);
    assert.equal(pc.cpu.run(10_000), 'halt');
    assert.equal(pc.get64(LOG + 0x8000 + 32), 0x20_2000n, 'CR2');
    assert.equal(pc.get64(LOG + 0x8000 + 16), 0x8025n, 'RIP');
    for (let i = 0; i < 0x1100; i += 8) assert.equal(pc.get64(0x20_0ff0 + i), BigInt(i) * 0x0101_0101n);
  });

  it('interrupts wake HLT, wait for IF, and skip the instruction after STI', () => {
    const pc = longMode(IRQ);
    assert.equal(pc.cpu.run(10_000), 'halt');
    assert.deepEqual(pc.log(), []);
    pc.waiting.push(0x30);
    assert.equal(pc.cpu.run(10_000), 'halt');
    assert.deepEqual(pc.log(), ['30(0) @800d', '31(0) @8016']);
    assert.deepEqual(pc.ports, ['10=11']);
    pc.waiting.push(0x30);
    assert.equal(pc.cpu.run(10_000), 'halt');
    assert.equal(pc.log().length, 2, 'IF is clear');
  });

  it('compatibility mode: 32-bit code, a 64-bit handler, addresses wrap at 4 GiB', () => {
    const pc = longMode(COMPAT);
    assert.equal(pc.cpu.run(10_000), 'halt');
    const s = pc.cpu.state;
    assert.deepEqual(pc.log(), ['80(0) @802e']);
    assert.deepEqual([s.reg(Gpr.RBX), s.reg(Gpr.RCX), s.reg(Gpr.RDX)], [0n, 0x1234_5678n, BigInt(0x7000bc)]);
    assert.equal(s.selector(Seg.CS), 8);
  });

  it('near branches to a non-canonical address fault themselves, with the stack as it was', () => {
    const pc = longMode(FAR_BRANCHES);
    assert.equal(pc.cpu.run(1000), 'halt');
    assert.deepEqual(pc.log(), ['d(0) @8019', 'd(0) @8022', 'd(0) @802f']);
    const s = pc.cpu.state;
    assert.deepEqual([s.reg(Gpr.RBX), s.reg(Gpr.RCX), s.reg(Gpr.RDX)], [0x7000n, 0x6ff8n, 0x8000_0000_0000n]);
  });

  it('a double fault takes its IST stack, a triple fault shuts down', () => {
    const pc = longMode('0f 0b ; ud2');
    pc.gate(6, HANDLER, 0x0e); // not present: #NP, which is contributory but #UD is not; #NP is not there either
    pc.gate(11, HANDLER, 0x0e);
    pc.gate(8, STUBS + 8 * 16, 0x8e, 1);
    pc.put(HANDLER, 'f4 ; hlt');
    pc.put(BODY_AT, `b8 30 00 00 00 0f 00 d8 ; ltr
      0f 0b ; ud2`);
    assert.equal(pc.cpu.run(1000), 'halt');
    assert.equal(pc.cpu.state.reg(Gpr.RSP), IST1 - 6n * 8n - 8n);

    const dead = longMode('0f 0b ; ud2');
    dead.put64(IDTR_IMAGE, 0n);
    assert.equal(dead.cpu.run(1000), 'shutdown');
    assert.equal(dead.cpu.run(1000), 'shutdown');
  });

  it('real mode: vectors, far calls, a string that wraps at 64 KiB', () => {
    const pc = new Pc();
    pc.put(0x1100, REAL);
    const s = pc.cpu.state;
    s.setSelector(Seg.CS, 0x100);
    s.setSegBase(Seg.CS, 0x1000n);
    s.rip = 0x100n;
    s.setReg(Gpr.RDX, 0n);
    pc.cpu.stateChanged();
    assert.equal(pc.cpu.run(1000), 'halt');
    assert.deepEqual([s.reg(Gpr.RBX), s.reg(Gpr.RDX), s.reg(Gpr.RSP) & 0xffffn], [1n, 1n, 0x7000n]);
    assert.deepEqual([pc.get16(0x2_fffe), pc.get16(0x2_0000), pc.get16(0x2_0002), pc.get16(0x3_0000)], [0xbeef, 0xbeef, 0xbeef, 0]);
  });
});
