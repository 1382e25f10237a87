/** The page walk of generated code beside the one of TypeScript: what it does is the same, and it does what is usual. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AccessFlag } from '../../src/cpu/accessFlags';
import { Cr0, Cr4, Efer } from '../../src/cpu/controlBits';
import { createEngine } from '../../src/cpu/engine/engine';
import { resetProcessor } from '../../src/cpu/engine/reset';
import { AC } from '../../src/cpu/flags';
import { Frame } from '../../src/cpu/mmu/frameTable';
import { access } from '../../src/cpu/mmu/slowPath';
import { walkFunction } from '../../src/cpu/mmu/walkCode';
import { CPU_STATE_SIZE, CTLB_OFFSET, LOCAL_ENTRIES, LOCAL_ENTRIES_SIZE, Offset, TLB_ENTRIES, TLB_ENTRY_SIZE } from '../../src/cpu/state';
import { CpuFeatures } from '../../src/cpu/system/features';
import { MAXIMUM_PAGES, ModuleBuilder } from '../../src/wasm/module';
import { noVmx } from '../silicon/flatMachine';

const PAGES = 1024;
/** Four tables, one under another, where nothing else is; what they map lies above. */
const TABLES = [0x10, 0x11, 0x12, 0x13];
const PLAIN_PAGE = 0x205;
const CLEAN_PAGE = 0x206;
const TOLD_PAGE = 0x207;
const DEVICE_PAGE = 0x208;
const ABSENT_PAGE = 0x500;

const P = 1n, RW = 2n, US = 4n, A = 0x20n, D = 0x40n, PS = 0x80n, G = 0x100n, XD = 1n << 63n;

function rig() {
  const engine = createEngine({ ramBytes: PAGES * 0x1000, cpus: 1 });
  const frame = (page: number): number => (page < PAGES && page !== DEVICE_PAGE ? engine.frameBase + page * 0x1000 : 0);
  for (let page = 0; page < PAGES; page++) engine.frameTable[page] = (engine.frameBase + page * 0x1000) | (page === CLEAN_PAGE ? 0 : Frame.WRITTEN) | (page === DEVICE_PAGE ? Frame.DEVICE : 0);
  const cpu = engine.createProcessor(0, {
    bus: { frameForRead: frame, frameForWrite: frame, frameWritten: (page) => (page === CLEAN_PAGE ? 0 : frame(page)), read: () => 0xffff_ffff, write: () => undefined, in: () => 0xff, out: () => undefined },
    interrupts: { pending: () => false, acknowledge: () => 0, getTaskPriority: () => 0, setTaskPriority: () => undefined, setBase: () => undefined },
    deviceMsrs: { read: () => undefined, write: () => false },
    features: new CpuFeatures([]),
  });
  cpu.intercepts = cpu.secondLevel = noVmx();
  resetProcessor(cpu);
  engine.monitored.set(0, TOLD_PAGE * 0x1000);
  const module = new ModuleBuilder();
  module.importMemory(1, MAXIMUM_PAGES);
  module.add(walkFunction(), 'walk');
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), { env: { memory: engine.views.memory } });
  const walk = instance.exports.walk as (cpu: number, linear: bigint, flags: number) => number;
  const entry = (page: number, index: number): number => (engine.frameBase + page * 0x1000 + index * 8) >>> 3;
  const at = (offset: number, size: number): Uint8Array => engine.views.u8.subarray(cpu.state.base + offset, cpu.state.base + offset + size);
  /** What a walk may change: the last entries that were read, the TLB, and what is remembered of local entries. */
  const changeable = (): Uint8Array[] => [
    ...TABLES.map((page) => engine.views.u8.subarray(engine.frameBase + page * 0x1000, engine.frameBase + (page + 1) * 0x1000)),
    at(CTLB_OFFSET - 4 * TLB_ENTRIES * TLB_ENTRY_SIZE, 2 * TLB_ENTRIES * TLB_ENTRY_SIZE),
    at(LOCAL_ENTRIES, LOCAL_ENTRIES_SIZE),
  ];
  return { engine, cpu, walk, entry, changeable };
}

type Rig = ReturnType<typeof rig>;

interface Case {
  paging: boolean;
  user: boolean;
  write: boolean;
  size: number;
  offset: number;
  cr4: number;
  ac: boolean;
  nxe: boolean;
  keys: number;
  /** Bits of the four entries, which else lead on. */
  bits: bigint[];
  /** Level at which the entry maps: 1 or 2. */
  level: number;
  page: number;
  linear: bigint;
}

/** Bits that are usual most of the time. */
const bits = (usual: bigint, odd: readonly bigint[]): fc.Arbitrary<bigint> => fc.oneof({ weight: 5, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.subarray([...odd]).map((set) => set.reduce((all, bit) => all ^ bit, usual)) });
const ODD = [P, RW, US, A, XD, PS, 1n << 46n, 1n << 51n];
/** Bits 14 and 60:59 are the page's address, or reserved in one of 2 MiB, and its protection key. */
const LEAF = [...ODD, D, G, 1n << 14n, 1n << 59n, 1n << 60n];
const cases: fc.Arbitrary<Case> = fc.record({
  paging: fc.boolean().chain((p) => (p ? fc.constant(true) : fc.boolean())),
  user: fc.boolean(),
  write: fc.boolean(),
  size: fc.constantFrom(1, 2, 4, 8, 16),
  offset: fc.oneof(fc.integer({ min: 0, max: 0xff0 }), fc.integer({ min: 0xff0, max: 0xfff })),
  cr4: fc.subarray([Cr4.PGE, Cr4.SMAP, Cr4.SMEP, Cr4.PKE]).map((set) => set.reduce<number>((all, bit) => all | bit, Cr4.PAE)),
  ac: fc.boolean(),
  nxe: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  keys: fc.constantFrom(0, 0x5555_5554, 1, 2, 0x10),
  bits: fc.tuple(bits(P | RW | US | A, ODD), bits(P | RW | US | A, ODD), bits(P | RW | US | A, ODD), fc.oneof(bits(P | RW | US | A | D, LEAF), bits(P | RW | A | D, LEAF))).map((b) => [...b]),
  level: fc.constantFrom(1, 1, 2),
  page: fc.constantFrom(PLAIN_PAGE, PLAIN_PAGE, CLEAN_PAGE, TOLD_PAGE, DEVICE_PAGE, ABSENT_PAGE),
  linear: fc.oneof(fc.bigInt({ min: 0n, max: (1n << 47n) - 1n }), fc.bigInt({ min: -(1n << 47n), max: -1n }).map((n) => BigInt.asUintN(64, n)), fc.constantFrom(1n << 47n, 0xffff_7fff_ffff_f000n)),
});

/** Makes a case the processor's state and its paging structures. */
function arrange({ engine, cpu, entry }: Rig, c: Case): { linear: bigint; flags: number; leaf: number } {
  const s = cpu.state;
  s.set32(Offset.CR0, c.paging ? Cr0.PG | Cr0.PE | Cr0.WP : Cr0.PE);
  s.set32(Offset.CR4, c.cr4);
  s.set32(Offset.EFER, c.paging ? Efer.LME | Efer.LMA | (c.nxe ? Efer.NXE : 0) : 0);
  s.set64(Offset.CR3, BigInt(TABLES[0]!) << 12n);
  s.set32(Offset.PKRU, c.keys);
  s.set32(Offset.CPL, c.user ? 3 : 0);
  s.set32(Offset.FLAGS, 2 | (c.ac ? AC : 0));
  cpu.stateChanged();
  cpu.flushTlb();
  const linear = c.paging ? (c.linear & ~0xfffn) | BigInt(c.offset) : BigInt(c.page * 0x1000 + c.offset);
  const views = engine.views.u64;
  let leaf = 0;
  for (const page of TABLES) views.fill(0n, entry(page, 0), entry(page, 512));
  for (let level = 4; level >= c.level; level--) {
    const index = Number((linear >> BigInt(12 + 9 * (level - 1))) & 0x1ffn);
    const leads = level > c.level ? TABLES[5 - level]! : c.level === 2 ? c.page & ~0x1ff : c.page;
    leaf = entry(TABLES[4 - level]!, index);
    views[leaf] = (BigInt(leads) << 12n) | (level === c.level ? c.bits[3]! | (level === 2 ? PS : 0n) : c.bits[4 - level]!);
  }
  return { linear, flags: c.size | (c.write ? AccessFlag.WRITE : 0) | AccessFlag.ANY_ALIGNMENT, leaf };
}

const typescript = ({ cpu }: Rig, linear: bigint, flags: number): number => access(cpu, Number(linear & 0xffff_ffffn), Number(linear >> 32n), flags | AccessFlag.PLAIN, 0);

/** Runs a case in both; yields the host addresses that TypeScript and generated code have found, and checks what both have done. */
function compare(made: Rig, c: Case): [number, number] {
  const { engine, cpu, walk, changeable } = made;
  const s = cpu.state;
  const before = s.u32.slice(s.base >>> 2, (s.base + CPU_STATE_SIZE) >>> 2);
  const { linear, flags } = arrange(made, c);
  const clean = changeable().map((part) => part.slice());
  // The table is asked before TypeScript may change what it says.
  const restore = (): void => changeable().forEach((part, i) => part.set(clean[i]!));
  const table = engine.frameTable.slice(0, PAGES);

  const expected = typescript(made, linear, flags);
  const done = changeable().map((part) => part.slice());
  restore();
  engine.frameTable.set(table);
  const host = walk(s.base, linear, flags);
  if (host !== 0) assert.equal(host, expected);
  // Where a write has to be told the translation is there before it is.
  const isMade = host !== 0 || (c.write && expected === 0 && changeable().some((part, i) => Buffer.compare(part, clean[i]!) !== 0));
  changeable().forEach((part, i) => assert(Buffer.compare(part, (isMade ? done : clean)[i]!) === 0, `part ${i} differs`));
  restore();
  s.u32.set(before, s.base >>> 2);
  return [expected, host];
}

describe('mmu: the page walk of generated code', () => {
  it('does what the walk of TypeScript does, or nothing', () => {
    const made = rig();
    let [both, one] = [0, 0];
    fc.assert(
      fc.property(cases, (c) => {
        const [expected, host] = compare(made, c);
        if (host !== 0) both++;
        else if (expected !== 0) one++;
      }),
      { numRuns: 4000, seed: 1 },
    );
    assert(both > 700, `only ${both} walks were made by generated code`);
    assert(one < both, `${one} walks were left to TypeScript, ${both} were not`);
  });

  const usual: Case = { paging: true, user: false, write: true, size: 8, offset: 0x10, cr4: Cr4.PAE | Cr4.PGE, ac: false, nxe: true, keys: 0, bits: [P | RW | A, P | RW | A, P | RW | A, P | RW], level: 1, page: PLAIN_PAGE, linear: 0xffff_8000_1234_5000n };
  const walks = (title: string, change: Partial<Case>): void => {
    it(`makes the walk of ${title}`, () => {
      const [expected, host] = compare(rig(), { ...usual, ...change });
      assert.notEqual(host, 0);
      assert.equal(host, expected);
    });
  };
  walks('a write that makes its page accessed and dirty', {});
  walks('a read', { write: false });
  walks('a page of 2 MiB that is known', { level: 2 });
  walks('a user page from CPL 3', { user: true, bits: [P | RW | US | A, P | RW | US | A, P | RW | US | A, P | RW | US] });
  walks('no paging', { paging: false, linear: 0n });

  it('leaves pages that may have watched bytes to TypeScript', () => {
    const made = rig();
    const walks = (c: Case): boolean => {
      const { linear, flags } = arrange(made, c);
      return made.walk(made.cpu.state.base, linear, flags) !== 0;
    };
    const next = { ...usual, linear: usual.linear + 0x1000n, page: PLAIN_PAGE + 4 };
    for (const [space, page] of [['linear', usual.linear >> 12n], ['physical', BigInt(PLAIN_PAGE)]] as const) {
      made.cpu.setWatches([{ id: 1, space, start: (page << 12n) + 0x800n, length: 4, read: false, write: true }]);
      assert.deepEqual([walks(usual), walks(next)], [false, true], space);
    }
    made.cpu.setWatches([]);
    assert(walks(usual));
  });

  it('leaves a page of 2 MiB to TypeScript that is not known, or whose address has bits that are reserved', () => {
    const made = rig();
    const { linear, flags, leaf } = arrange(made, { ...usual, level: 2 });
    assert.equal(made.walk(made.cpu.state.base, linear, flags), 0);
    const host = typescript(made, linear, flags);
    assert.notEqual(host, 0);
    assert.equal(made.walk(made.cpu.state.base, linear, flags), host);
    made.engine.views.u64[leaf]! |= 1n << 14n;
    assert.equal(made.walk(made.cpu.state.base, linear, flags), 0);
  });
});
