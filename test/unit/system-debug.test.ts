/** The guest's own debugging in whole programs on the real engine: DR0 to DR7, RF, TF, MOV SS, ICEBP. */
import assert from 'node:assert/strict';
import { RF, TF } from '../../src/cpu/flags';
import { Gpr, Offset } from '../../src/cpu/state';
import { BODY_AT, LOG, LOG_POINTER, longMode, type Pc } from './systemPc';

const DEBUG_HANDLER = 0xb000;
const UNDEFINED = 0xb100;

/** Logs DR6, RIP, RFLAGS and DR7, clears DR6, and sets RF in the image for breakpoint 1. */
const HANDLER = `
      50                      ; push rax
      53                      ; push rbx
      48 8b 1c 25 00 06 00 00 ; mov rbx, [0x600]
      0f 21 f0                ; mov rax, dr6
      48 89 03                ; mov [rbx], rax
      48 8b 44 24 10          ; mov rax, [rsp+16]
      48 89 43 08             ; mov [rbx+8], rax
      48 8b 44 24 20          ; mov rax, [rsp+32]
      48 89 43 10             ; mov [rbx+16], rax
      0f 21 f8                ; mov rax, dr7
      48 89 43 18             ; mov [rbx+24], rax
      48 83 c3 20             ; add rbx, 32
      48 89 1c 25 00 06 00 00 ; mov [0x600], rbx
      b8 f0 0f ff ff          ; mov eax, 0xffff0ff0
      0f 23 f0                ; mov dr6, rax
      f6 43 e0 02             ; test byte ptr [rbx-32], 2
      74 08                   ; jz plain
      81 4c 24 20 00 00 01 00 ; or dword ptr [rsp+32], 0x10000
                              ; plain:
      5b                      ; pop rbx
      58                      ; pop rax
      48 cf                   ; iretq
`;

const CODE_AND_DATA = `
      bc 00 70 00 00       ; mov esp, 0x7000
      45 31 ff             ; xor r15d, r15d
      45 31 f6             ; xor r14d, r14d
      48 8d 05 16 00 00 00 ; lea rax, [rip+here]
      0f 23 c8             ; mov dr1, rax
      b8 00 01 20 00       ; mov eax, 0x200100
      0f 23 c0             ; mov dr0, rax
      b8 02 04 0d 00       ; mov eax, 0x0d0402
      83 c8 08             ; or eax, 8
      0f 23 f8             ; mov dr7, rax
                           ; here:
      90                   ; nop
      89 04 25 00 01 20 00 ; mov [0x200100], eax
      8b 0c 25 00 01 20 00 ; mov ecx, [0x200100]
      f4                   ; hlt
`;

const MOV_SS = `
      bc 00 70 00 00                   ; mov esp, 0x7000
      b8 00 01 20 00                   ; mov eax, 0x200100
      0f 23 c0                         ; mov dr0, rax
      48 8d 05 39 00 00 00             ; lea rax, [rip+after]
      0f 23 c8                         ; mov dr1, rax
      c7 04 25 00 01 20 00 10 00 00 00 ; mov dword ptr [0x200100], 0x10
      b8 05 04 0f 00                   ; mov eax, 0x000f0405
      0f 23 f8                         ; mov dr7, rax
      8e 14 25 00 01 20 00             ; mov ss, [0x200100]
      90                               ; nop
      90                               ; nop
      9c                               ; pushf
      81 0c 24 00 01 00 00             ; or dword ptr [rsp], 0x100
      9d                               ; popf
      83 24 25 00 01 20 00 ff          ; and dword ptr [0x200100], -1
      9c                               ; pushf
      81 24 24 ff fe ff ff             ; and dword ptr [rsp], ~0x100
      9d                               ; popf
      f4                               ; after: hlt
`;

const PORTS = `
      bc 00 70 00 00 ; mov esp, 0x7000
      b8 10 00 00 00 ; mov eax, 0x10
      0f 23 d0       ; mov dr2, rax
      0f 20 e0       ; mov rax, cr4
      83 c8 08       ; or eax, 8
      0f 22 e0       ; mov cr4, rax
      b8 20 04 00 02 ; mov eax, 0x02000420
      0f 23 f8       ; mov dr7, rax
      e4 0f          ; in al, 0x0f
      66 e5 0f       ; in ax, 0x0f
      e6 10          ; out 0x10, al
      bf 00 00 20 00 ; mov edi, 0x200000
      b9 02 00 00 00 ; mov ecx, 2
      ba 10 00 00 00 ; mov edx, 0x10
      f3 6c          ; rep insb
      b8 00 24 00 00 ; mov eax, 0x2400
      0f 23 f8       ; mov dr7, rax
      0f 21 d8       ; mov rax, dr3
      0f 21 e0       ; mov rax, dr4
      f4             ; hlt
`;

const REP = `
      bc 00 70 00 00       ; mov esp, 0x7000
      bf 00 00 20 00       ; mov edi, 0x200000
      b9 03 00 00 00       ; mov ecx, 3
      9c                   ; pushf
      81 0c 24 00 01 00 00 ; or dword ptr [rsp], 0x100
      9d                   ; popf
      f3 aa                ; rep stosb
      90                   ; nop
      9c                   ; pushf
      81 24 24 ff fe ff ff ; and dword ptr [rsp], ~0x100
      9d                   ; popf
      f4                   ; hlt
`;

interface Trap {
  dr6: string;
  at: string;
  rf: boolean;
  tf: boolean;
}

function debugged(program: string): Pc {
  const pc = longMode(program);
  pc.gate(1, DEBUG_HANDLER);
  pc.put(DEBUG_HANDLER, HANDLER);
  return pc;
}

/** What each #DB showed: the bits of DR6 that are not fixed, the offset in the program, RF and TF of the image. */
function traps(pc: Pc): Trap[] {
  const found: Trap[] = [];
  for (let at = LOG; at < Number(pc.get64(LOG_POINTER)); at += 32) {
    const flags = Number(pc.get64(at + 16));
    found.push({ dr6: (pc.get64(at) ^ 0xffff_0ff0n).toString(16), at: (Number(pc.get64(at + 8)) - BODY_AT).toString(16), rf: (flags & RF) !== 0, tf: (flags & TF) !== 0 });
  }
  return found;
}

/** `B2@1c`: DR6 and offset alone. */
const brief = (pc: Pc): string[] => traps(pc).map((t) => `${t.dr6}@${t.at}`);

function ran(program: string): Pc {
  const pc = debugged(program);
  assert.equal(pc.cpu.run(10_000), 'halt');
  return pc;
}

describe('debug registers', () => {
  it('an instruction breakpoint is a fault before, a write breakpoint a trap behind, a read does not meet the latter', () => {
    const pc = ran(CODE_AND_DATA);
    assert.deepEqual(traps(pc), [
      { dr6: '2', at: '28', rf: false, tf: false },
      { dr6: '1', at: '30', rf: false, tf: false },
    ]);
  });

  it('the RF that lets an instruction pass ends with it', () => {
    // The loop comes to the breakpoint twice; RF set by IRET passes it once each time.
    const pc = ran(`bc 00 70 00 00
      48 8d 05 13 00 00 00 ; lea rax, [rip+there]
      0f 23 c8 ; mov dr1, rax
      b8 08 04 00 00 0f 23 f8 ; G1
      b9 02 00 00 00 ; mov ecx, 2
      90 90 90
      ff c9 ; there: dec ecx
      75 fc ; jnz there
      9c 58 f4 ; pushf; pop rax; hlt`);
    assert.deepEqual(brief(pc), ['2@1f', '2@1f']);
    assert.equal(pc.cpu.state.get32(Offset.FLAGS) & RF, 0);
  });

  it('the faults of other exceptions push RF, interrupts and traps do not', () => {
    const pc = longMode(`bc 00 70 00 00 45 31 f6
      4c 8d 3d 02 00 00 00 ; lea r15, [rip+next]
      0f 0b ; ud2
      cc ; int3
      f4`);
    pc.gate(6, DEBUG_HANDLER);
    pc.gate(3, DEBUG_HANDLER);
    pc.put(DEBUG_HANDLER, HANDLER);
    pc.cpu.run(40);
    const flags = [0, 32].map((at) => Number(pc.get64(LOG + at + 16)) & RF);
    assert.equal(flags[0], RF);
  });

  it('MOV SS holds its data breakpoint back by one instruction; data, step and TF come as one #DB', () => {
    const pc = ran(MOV_SS);
    assert.deepEqual(brief(pc), ['1@32', '4001@44', '4000@45', '4000@4c', '4000@4d', '2@4d']);
  });

  /** A MOV SS that meets a data breakpoint, held back by one instruction; `next` at NEXT. */
  const behindMovSs = (next: string): string => `
      bc 00 70 00 00                   ; mov esp, 0x7000
      b8 00 01 20 00                   ; mov eax, 0x200100
      0f 23 c0                         ; mov dr0, rax
      c7 04 25 00 01 20 00 10 00 00 00 ; mov dword ptr [0x200100], 0x10
      b8 01 04 0f 00                   ; mov eax, 0x000f0401
      0f 23 f8                         ; mov dr7, rax
      8e 14 25 00 01 20 00             ; mov ss, [0x200100]
      ${next}
      90 f4                            ; nop; hlt`;
  const NEXT = 0x27;
  const handlerAt = (offset: number): string => (DEBUG_HANDLER - BODY_AT + offset).toString(16);

  it('what MOV SS held back is lost behind INT1 and behind a fault', () => {
    assert.deepEqual(brief(ran(behindMovSs('2e 2e f1 ; int1'))), [`0@${(NEXT + 3).toString(16)}`]);
    const faulting = debugged(behindMovSs('0f 0b ; ud2'));
    faulting.gate(6, UNDEFINED);
    faulting.put(UNDEFINED, 'f4');
    assert.equal(faulting.cpu.run(10_000), 'halt');
    assert.deepEqual(brief(faulting), []);
  });

  it('what MOV SS held back comes at the handler of INT n', () => {
    // The inner of the two #DBs is logged first.
    assert.deepEqual(brief(ran(behindMovSs('cd 01 ; int 1'))), [`1@${handlerAt(0)}`, `0@${(NEXT + 2).toString(16)}`]);
  });

  it('general detect behind MOV SS does not tell of what that held back', () => {
    const pc = ran(behindMovSs('').replace('b8 01 04', 'b8 01 24').replace('90 f4', '0f 21 f9 f4 ; mov rcx, dr7'));
    assert.deepEqual(brief(pc), [`2000@${NEXT.toString(16)}`]);
  });

  it('I/O breakpoints trap behind IN, OUT and each INS; general detect faults and its handler may use MOV DR', () => {
    const pc = debugged(PORTS);
    pc.gate(6, UNDEFINED);
    pc.put(UNDEFINED, 'f4');
    assert.equal(pc.cpu.run(10_000), 'halt');
    assert.deepEqual(brief(pc), ['4@23', '4@25', '4@34', '4@36', '2000@3e']);
    assert.equal(pc.get64(Number(pc.cpu.state.reg(Gpr.RSP))), BigInt(BODY_AT + 0x41), 'DR4 raises #UD with CR4.DE');
    const detect = traps(pc)[4]!;
    assert.equal(detect.rf, true, 'general detect is a fault');
    assert.equal(pc.get64(LOG + 4 * 32 + 24), 0x400n, 'GD is clear in the handler');
  });

  it('TF traps after each iteration of a repeated instruction, with RF on all but the last', () => {
    const pc = ran(REP);
    assert.deepEqual(traps(pc).map((t) => `${t.at}${t.rf ? ' rf' : ''}`), ['18 rf', '18 rf', '1a', '1b', '1c', '23', '24']);
  });

  it('a data breakpoint stops a repeated instruction behind the iteration', () => {
    const pc = ran(`bc 00 70 00 00
      b8 04 00 20 00 0f 23 c0 ; DR0 = 0x200004
      b8 01 04 0d 00 0f 23 f8 ; write, 4 bytes
      bf 00 00 20 00 b9 04 00 00 00 ; edi, ecx
      f3 ab ; rep stosd
      f4`);
    assert.deepEqual(traps(pc), [{ dr6: '1', at: '1f', rf: true, tf: false }]);
    assert.equal(pc.cpu.state.reg(Gpr.RCX), 0n);
  });

  it('lengths mask the low bits of the address, and every byte of an access counts', () => {
    const program = (address: number, length: number): string => {
      const dr7 = 0x10401 | (length << 18);
      return `bc 00 70 00 00
      b8 ${[0, 8, 16, 24].map((s) => ((address >>> s) & 255).toString(16)).join(' ')} 0f 23 c0
      b8 ${[0, 8, 16, 24].map((s) => ((dr7 >>> s) & 255).toString(16)).join(' ')} 0f 23 f8
      88 04 25 07 00 20 00 ; mov [0x200007], al
      66 89 04 25 07 00 20 00 ; mov [0x200007], ax
      f4`;
    };
    assert.deepEqual(brief(ran(program(0x20_0003, 3))), [], '0x200000 to 3');
    assert.deepEqual(brief(ran(program(0x20_0003, 2))), ['1@1c', '1@24'], '0x200000 to 7');
    assert.deepEqual(brief(ran(program(0x20_0008, 0))), ['1@24'], '0x200008 alone');
    assert.deepEqual(brief(ran(program(0x20_0009, 1))), ['1@24'], '0x200008 and 9');
  });

  it('DR6 tells of breakpoints that match without being enabled, beside one that is', () => {
    const pc = ran(`bc 00 70 00 00
      b8 00 00 20 00 0f 23 c0 0f 23 d8 ; DR0 = DR3 = 0x200000
      b8 01 04 0d d0 0f 23 f8 ; both write 4, L0 alone
      a3 00 00 20 00 00 00 00 00 ; mov [0x200000], eax
      f4`);
    assert.deepEqual(brief(pc), ['9@21']);
  });

  it('a disabled breakpoint does nothing', () => {
    assert.deepEqual(brief(ran(CODE_AND_DATA.replace('0f 23 f8', '90 90 90'))), []);
  });

  it('ICEBP is a #DB that leaves DR6 alone', () => {
    const pc = ran('bc 00 70 00 00 f1 f4');
    assert.deepEqual(brief(pc), ['0@6']);
  });

  it('INT3 under TF is not followed by a trap, the instruction that IRET returns to is', () => {
    const pc = debugged(`bc 00 70 00 00 45 31 ff 45 31 f6
      9c 81 0c 24 00 01 00 00 9d ; TF
      cc ; int3
      90
      9c 81 24 24 ff fe ff ff 9d f4`);
    pc.put(0x9000 + 3 * 16, '48 cf ; iretq');
    assert.equal(pc.cpu.run(10_000), 'halt');
    assert.deepEqual(brief(pc), ['4000@16', '4000@17', '4000@1e', '4000@1f']);
  });

  it('the debugger and DR0 to DR3 share an address: the debugger stops first, then the #DB comes', () => {
    const pc = debugged(CODE_AND_DATA);
    pc.cpu.setBreakpoints(new Set([BigInt(BODY_AT + 0x28)]));
    assert.equal(pc.cpu.run(10_000), 'breakpoint');
    assert.equal(brief(pc).length, 0);
    pc.cpu.skipBreakpointOnce();
    assert.equal(pc.cpu.run(10_000), 'breakpoint', 'after the handler has returned');
    assert.deepEqual(brief(pc), ['2@28']);
    pc.cpu.skipBreakpointOnce();
    assert.equal(pc.cpu.run(10_000), 'halt');
    assert.equal(brief(pc).length, 2);
  });

  it('an instruction breakpoint comes before the page fault of its fetch', () => {
    const pc = debugged(`bc 00 70 00 00 45 31 ff 45 31 f6
      b8 00 20 20 00 0f 23 c8 ; DR1 = 0x202000, which is not there
      b9 08 04 00 00 0f 23 f9 ; G1
      ff e0 ; jmp rax`);
    pc.gate(14, UNDEFINED);
    pc.put(UNDEFINED, 'f4');
    assert.equal(pc.cpu.run(200), 'halt');
    assert.equal(pc.get64(LOG), 0xffff_0ff2n);
    assert.equal(pc.cpu.state.get64(Offset.CR2), 0x20_2000n);
  });

  it('DR7 loses its reserved bits, DR6 keeps its fixed ones, the upper half of either is refused', () => {
    const pc = ran(`bc 00 70 00 00
      b8 00 d8 ff ff 0f 23 f8 0f 21 f9 ; dr7, back to rcx
      31 c0 0f 23 f0 0f 21 f2 ; dr6, back to rdx
      f4`);
    assert.equal(pc.cpu.state.reg(Gpr.RCX), 0xffff_0400n);
    assert.equal(pc.cpu.state.reg(Gpr.RDX), 0xffff_0ff0n);
  });

  it('single steps by count give the same state as running', () => {
    const whole = ran(MOV_SS);
    const pc = debugged(MOV_SS);
    while (pc.cpu.run(1) !== 'halt');
    assert.equal(pc.cpu.state.icount, whole.cpu.state.icount);
    assert.deepEqual(traps(pc), traps(whole));
  });

  it('BTF traps behind taken branches alone, and #DB clears it', () => {
    const pc = ran(`bc 00 70 00 00
      b9 d9 01 00 00 31 d2 b8 02 00 00 00 0f 30 ; DEBUGCTL.BTF
      9c 81 0c 24 00 01 00 00 9d ; TF
      90
      31 c0
      75 00 ; not taken
      74 02 ; taken
      0f 0b
      90
      9c 81 24 24 ff fe ff ff 9d f4`);
    assert.deepEqual(brief(pc), ['4000@25', '4000@26', '4000@27', '4000@2e', '4000@2f']);
  });
});
