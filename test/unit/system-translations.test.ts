/** What translations outlive: global pages, process-context identifiers, pieces of large pages; on the real engine. */
import assert from 'node:assert/strict';
import { LocalEntries } from '../../src/cpu/engine/localEntries';
import { TlbBanks } from '../../src/cpu/engine/tlbBanks';
import { CPU_BLOCK_SIZE, CpuState, Gpr, MemoryViews, Offset } from '../../src/cpu/state';
import { bytes } from './machineCode';
import { longMode, type Pc, PT } from './systemPc';

const GLOBAL = `
      0f 20 e0                         ; mov rax, cr4
      0d 80 00 00 00                   ; or eax, 0x80
      0f 22 e0                         ; mov cr4, rax
      8b 04 25 00 00 20 00             ; mov eax, [0x200000]
      8b 1c 25 00 10 20 00             ; mov ebx, [0x201000]
      c7 04 25 00 60 00 00 07 31 20 00 ; mov dword ptr [0x6000], 0x203107
      c7 04 25 08 60 00 00 07 30 20 00 ; mov dword ptr [0x6008], 0x203007
      0f 20 d9                         ; mov rcx, cr3
      0f 22 d9                         ; mov cr3, rcx
      8b 34 25 00 00 20 00             ; mov esi, [0x200000]
      8b 3c 25 00 10 20 00             ; mov edi, [0x201000]
      0f 20 e1                         ; mov rcx, cr4
      81 e1 7f ff ff ff                ; and ecx, ~0x80
      0f 22 e1                         ; mov cr4, rcx
      8b 2c 25 00 00 20 00             ; mov ebp, [0x200000]
      f4                               ; hlt
`;

const IDENTIFIERS = `
      0f 20 e0                         ; mov rax, cr4
      0d 00 00 02 00                   ; or eax, 0x20000
      0f 22 e0                         ; mov cr4, rax
      b9 01 10 00 00                   ; mov ecx, 0x1001
      0f 22 d9                         ; mov cr3, rcx
      8b 1c 25 00 10 20 00             ; mov ebx, [0x201000]
      b9 02 10 00 00                   ; mov ecx, 0x1002
      0f 22 d9                         ; mov cr3, rcx
      c7 04 25 08 60 00 00 07 30 20 00 ; mov dword ptr [0x6008], 0x203007
      8b 34 25 00 10 20 00             ; mov esi, [0x201000]
      48 b9 01 10 00 00 00 00 00 80    ; mov rcx, 0x8000000000001001
      0f 22 d9                         ; mov cr3, rcx
      8b 3c 25 00 10 20 00             ; mov edi, [0x201000]
      b9 01 10 00 00                   ; mov ecx, 0x1001
      0f 22 d9                         ; mov cr3, rcx
      8b 2c 25 00 10 20 00             ; mov ebp, [0x201000]
      0f 20 da                         ; mov rdx, cr3
      f4                               ; hlt
`;

const LARGE = `
      48 c7 04 25 10 50 00 00 e7 00 20 00 ; mov qword ptr [0x5010], 0x2000E7
      8b 04 25 00 00 40 00                ; mov eax, [0x400000]
      8b 1c 25 00 50 40 00                ; mov ebx, [0x405000]
      48 c7 04 25 10 50 00 00 e7 00 00 00 ; mov qword ptr [0x5010], 0xE7
      8b 34 25 00 50 40 00                ; mov esi, [0x405000]
      0f 01 3c 25 00 00 40 00             ; invlpg [0x400000]
      8b 3c 25 00 50 40 00                ; mov edi, [0x405000]
      f4                                  ; hlt
`;

/** 0x6008 maps the page that the program jumps to, whose code overwrites its own mapping: behind INVLPG the other page's code follows. */
const OWN_PAGE = `
      c7 04 25 08 60 00 00 03 20 20 00 ; mov dword ptr [0x6008], 0x202003
      b8 00 10 20 00                   ; mov eax, 0x201000
      ff e0                            ; jmp rax
`;
const REMAP = `
      c7 04 25 08 60 00 00 03 30 20 00 ; mov dword ptr [0x6008], 0x203003
      0f 01 3c 25 00 20 20 00          ; invlpg [0x202000]
      ff c3                            ; inc ebx
      0f 01 3c 25 00 10 20 00          ; invlpg [0x201000]
      b9 01 00 00 00                   ; mov ecx, 1
      f4                               ; hlt
`;

const INVPCID = `
      0f 20 e0                         ; mov rax, cr4
      0d 80 00 02 00                   ; or eax, 0x20080
      0f 22 e0                         ; mov cr4, rax
      b9 01 10 00 00                   ; mov ecx, 0x1001
      0f 22 d9                         ; mov cr3, rcx
      8b 1c 25 00 10 20 00             ; mov ebx, [0x201000]
      8b 04 25 00 00 20 00             ; mov eax, [0x200000]
      b9 02 10 00 00                   ; mov ecx, 0x1002
      0f 22 d9                         ; mov cr3, rcx
      c7 04 25 08 60 00 00 07 30 20 00 ; mov dword ptr [0x6008], 0x203007
      c7 04 25 00 60 00 00 07 31 20 00 ; mov dword ptr [0x6000], 0x203107
      ba 09 00 00 00                   ; mov edx, 9
      66 0f 38 82 14 25 00 7f 00 00    ; invpcid rdx, [0x7f00]
      48 b9 01 10 00 00 00 00 00 80    ; mov rcx, 0x8000000000001001
      0f 22 d9                         ; mov cr3, rcx
      8b 3c 25 00 10 20 00             ; mov edi, [0x201000]
      8b 34 25 00 00 20 00             ; mov esi, [0x200000]
      f4                               ; hlt
`;

/** The pages at 2 MiB, 2 MiB + 4 KiB and 2 MiB + 12 KiB hold 0xa, 0xb and 0xd; the first is global. */
function ran(program: string, setUp: (pc: Pc) => void = () => undefined): (register: number) => bigint {
  const pc = longMode(program);
  pc.put64(PT, 0x20_0107n);
  pc.put64(PT + 8, 0x20_1007n);
  pc.put64(0x20_0000, 0xan);
  pc.put64(0x20_1000, 0xbn);
  pc.put64(0x20_3000, 0xdn);
  setUp(pc);
  assert.equal(pc.cpu.run(10_000), 'halt');
  return (register) => pc.cpu.state.reg(register);
}

describe('cached translations', () => {
  it('MOV to CR3 keeps global pages and drops the others; clearing CR4.PGE drops them all', () => {
    const register = ran(GLOBAL);
    assert.deepEqual([register(Gpr.RAX), register(Gpr.RBX)], [0xan, 0xbn]);
    assert.deepEqual([register(Gpr.RSI), register(Gpr.RDI), register(Gpr.RBP)], [0xan, 0xdn, 0xdn]);
  });

  it('without CR4.PGE nothing is global', () => {
    assert.equal(ran(GLOBAL.replace('0d 80 00 00 00', '0d 00 00 00 00'))(Gpr.RSI), 0xdn);
  });

  it('MOV to CR3 with identifiers: the low bits stay in CR3, bit 63 does not, no stale translation after a flush', () => {
    const register = ran(IDENTIFIERS);
    assert.deepEqual([register(Gpr.RBX), register(Gpr.RSI), register(Gpr.RBP), register(Gpr.RDX)], [0xbn, 0xdn, 0xdn, 0x1001n]);
  });

  it('INVLPG drops every piece of a 2-MiB page', () => {
    const register = ran(LARGE, (pc) => pc.put64(0x20_5000, 0x55n));
    assert.deepEqual([register(Gpr.RAX), register(Gpr.RBX) & 0xffn], [0xan, 0x55n]);
    assert.equal(register(Gpr.RDI), 0xe7n, 'the page directory, which is there now');
  });

  it('INVLPG of its own page goes on with the code that is mapped now; of another page, with its own', () => {
    const register = ran(OWN_PAGE, (pc) => {
      pc.put(0x20_2000, REMAP);
      pc.put(0x20_3000 + bytes(REMAP).length - 6, 'b9 02 00 00 00 f4 ; mov ecx, 2; hlt');
    });
    assert.deepEqual([register(Gpr.RBX), register(Gpr.RCX)], [1n, 2n]);
  });

  it('INVPCID: of all but global pages, of everything, of what is no type', () => {
    const of = (type: string, setUp?: (pc: Pc) => void): ((register: number) => bigint) => ran(INVPCID.replace('ba 09', `ba ${type}`), setUp);
    const one = of('01', (pc) => pc.put64(0x7f00, 1n));
    assert.deepEqual([one(Gpr.RDI), one(Gpr.RSI)], [0xdn, 0xan]);
    const all = of('03');
    assert.deepEqual([all(Gpr.RDI), all(Gpr.RSI)], [0xdn, 0xan]);
    const everything = of('02');
    assert.deepEqual([everything(Gpr.RDI), everything(Gpr.RSI)], [0xdn, 0xdn]);
    const page = of('00', (pc) => pc.put64(0x7f08, 0x20_0000n));
    assert.equal(page(Gpr.RSI), 0xdn);
    for (const [type, identifier] of [['04', 0n], ['01', 0x1000n]] as const) {
      const pc = longMode('bc 00 70 00 00' + INVPCID.replace('ba 09', `ba ${type}`));
      pc.put64(0x7f00, identifier);
      pc.gate(13, 0xb000);
      pc.put(0xb000, 'bd 34 12 00 00 f4');
      assert.equal(pc.cpu.run(10_000), 'halt');
      assert.equal(pc.cpu.state.reg(Gpr.RBP), 0x1234n);
    }
  });

  it('CR4.PCIDE asks for IA-32e mode and identifier 0, and paging cannot end with it', () => {
    const pc = longMode(`bc 00 70 00 00 b9 05 10 00 00 0f 22 d9 ; cr3 = 0x1005
      0f 20 e0 0d 00 00 02 00 0f 22 e0 ; cr4.PCIDE
      f4`);
    pc.gate(13, 0xb000);
    pc.put(0xb000, 'bd 34 12 00 00 f4');
    assert.equal(pc.cpu.run(10_000), 'halt');
    assert.equal(pc.cpu.state.reg(Gpr.RBP), 0x1234n);
  });

  describe('banks', () => {
    const banks = (): { banks: TlbBanks; generation: () => number } => {
      const views = new MemoryViews(new WebAssembly.Memory({ initial: Math.ceil((CPU_BLOCK_SIZE + 0x1_0000) / 0x1_0000), maximum: 16 }));
      const state = new CpuState(views, 0x1_0000);
      const made = new TlbBanks(views, state);
      made.select(1, 64, false);
      return { banks: made, generation: () => state.get32(Offset.GENERATION) };
    };

    it('an address space finds its user translations again unless it asked for a flush or INVPCID dropped them', () => {
      const { banks: b, generation } = banks();
      const first = generation();
      b.switchContext(1, 2, true);
      const second = generation();
      assert.notEqual(second, first);
      b.switchContext(2, 1, true);
      assert.equal(generation(), first);
      b.switchContext(1, 2, true);
      assert.equal(generation(), second);
      b.dropContext(1);
      b.switchContext(2, 1, true);
      assert(![first, second].includes(generation()));
      b.switchContext(1, 2, false);
      assert.notEqual(generation(), second);
    });

    it('code of another size finds its own translations again, and none after a flush', () => {
      const { banks: b, generation } = banks();
      const select = (codeSize: number): number => {
        b.select(0, codeSize, false);
        return generation();
      };
      const [small, large] = [select(16), select(32)];
      assert.notEqual(small, large);
      assert.deepEqual([select(16), select(32)], [small, large]);
      b.flush();
      const after = [generation(), select(16)];
      assert(!after.includes(small) && !after.includes(large) && after[0] !== after[1]);
    });

    it('a flush forgets every address space', () => {
      const { banks: b, generation } = banks();
      const first = generation();
      b.switchContext(1, 2, true);
      b.flush();
      b.switchContext(2, 1, true);
      assert.notEqual(generation(), first);
    });

    it('no generation comes back while entries with it may be there', () => {
      const { banks: b, generation } = banks();
      const seen = new Set<number>();
      for (let i = 0; i < 2000; i++) {
        b.switchContext(i % 7, (i + 1) % 7, false);
        assert(!seen.has(generation()), `generation ${generation()} again`);
        seen.add(generation());
      }
    });

    it('more local entries than can be remembered are told', () => {
      const entries = new LocalEntries(new Uint32Array(8192), 0x4000);
      for (let i = 0; i < 513; i++) entries.add(i * 4);
      assert.equal(entries.drop(), false);
      entries.add(4);
      assert.equal(entries.drop(), true);
    });
  });
});
