/** The debugger's walks beside the processor's own: they must agree on every table, well formed or not. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Offset } from '../../src/cpu/state';
import { eptRanges } from '../../src/debug/memory/eptRanges';
import { mapFindings, type MapAccounts } from '../../src/debug/memory/mapFindings';
import { walkEpt, type EptFeatures } from '../../src/debug/memory/eptWalk';
import { walkPaging, type PagingRegisters } from '../../src/debug/memory/pageWalk';
import { mappings } from '../../src/debug/memory/reverse';
import { At, VmxRig } from './vmxRig';

/** Four tables of the test's own, at 8 MiB. */
const TABLES = 0x80_0000;
const table = (level: number): number => TABLES + (4 - level) * 0x1000;
const FEATURES: EptFeatures = { executeOnly: true, pages2M: true, pages1G: true, modeBasedExecute: false };
const SEED = 42;

/** Entries that mostly make sense: a table or page below 16 MiB, with a few bits of all kinds. */
const entry = (level: number, bits: number[]): fc.Arbitrary<bigint> =>
  fc.tuple(fc.integer({ min: 0, max: 0xfff }), fc.subarray(bits), fc.boolean()).map(([page, set, usual]) => {
    const flags = set.reduce((all, bit) => all | (1n << BigInt(bit)), 0n);
    const address = usual && level > 1 ? BigInt(table(level - 1)) : BigInt(page) << 12n;
    return address | flags;
  });

describe('translation: walks', () => {
  const rig = new VmxRig();
  const reader = (address: number, size: 4 | 8): bigint => (size === 8 ? rig.read64(address) : rig.read64(address) & 0xffff_ffffn);
  const s = rig.cpu.state;

  const agree = (registers: PagingRegisters, linear: bigint): void => {
    for (const [offset, value] of [[Offset.CR0, registers.cr0], [Offset.CR3, registers.cr3], [Offset.CR4, registers.cr4], [Offset.EFER, registers.efer]] as const) s.set64(offset, value);
    registers.pdptes?.forEach((value, n) => s.set64(Offset.PDPTE + n * 8, value));
    rig.cpu.stateChanged();
    rig.cpu.flushTlb();
    const walk = walkPaging(registers, linear, reader);
    assert.equal(walk.address ?? -1, rig.cpu.peekTranslate(linear), `${walk.stop} ${walk.steps.map((x) => `${x.structure} 0x${x.value?.toString(16)}`).join(', ')}`);
    assert.equal(walk.stop === undefined, walk.address !== undefined);
  };

  it('agree with the processor in 4-level paging', () => {
    const bits = [0, 0, 0, 1, 2, 5, 7, 12, 13, 47, 63];
    fc.assert(
      fc.property(entry(4, bits), entry(3, bits), entry(2, bits), entry(1, bits), fc.bigInt({ min: 0n, max: 0x7fff_ffff_ffffn }), fc.boolean(), (e4, e3, e2, e1, linear, nxe) => {
        [e4, e3, e2, e1].forEach((value, i) => rig.write64(table(4 - i) + Number((linear >> BigInt(39 - 9 * i)) & 511n) * 8, value | (i < 3 ? 1n : 0n)));
        agree({ cr0: 0x8000_0031n, cr3: BigInt(TABLES), cr4: 0x2020n, efer: nxe ? 0xd00n : 0x500n }, linear);
      }),
      { seed: SEED, numRuns: 400 },
    );
  });

  it('agree with the processor in PAE and 32-bit paging', () => {
    const bits = [0, 0, 0, 1, 2, 5, 7, 13, 21, 52, 63];
    fc.assert(
      fc.property(entry(3, [0, 0, 0]), entry(2, bits), entry(1, bits), fc.bigInt({ min: 0n, max: 0xffff_ffffn }), (e3, e2, e1, linear) => {
        const pdptes = [0n, 0n, 0n, 0n];
        pdptes[Number(linear >> 30n)] = e3 & ~0x1e6n;
        rig.write64(Number(e3 & 0xfff_f000n) + Number((linear >> 21n) & 511n) * 8, e2);
        rig.write64(table(1) + Number((linear >> 12n) & 511n) * 8, e1);
        agree({ cr0: 0x8000_0031n, cr3: BigInt(TABLES), cr4: 0x20n, efer: 0n, pdptes }, linear);
        rig.write64(TABLES + Number((linear >> 25n) << 3n), e2 & 0xffff_ffffn ? (e2 & 0xffff_ffffn) | ((e2 & 0xffff_ffffn) << 32n) : 0n);
        agree({ cr0: 0x8000_0031n, cr3: BigInt(TABLES), cr4: 0x10n, efer: 0n }, linear & ~0x8_0000n & ~0x40_0000n);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('agree with EPT, and name the rule that ends them', () => {
    const guest = new VmxRig().longModeGuest('f4 ; hlt');
    guest.launch();
    guest.set({ EPT_POINTER: BigInt(TABLES) | 0x1en });
    const bits = [0, 0, 1, 2, 3, 4, 7, 12, 47];
    const rules = new Set<string>();
    fc.assert(
      fc.property(entry(4, bits), entry(3, bits), entry(2, bits), entry(1, bits), fc.bigInt({ min: 0n, max: 0x3fff_ffff_ffffn }), (e4, e3, e2, e1, gpa) => {
        [e4, e3, e2, e1].forEach((value, i) => guest.write64(table(4 - i) + Number((gpa >> BigInt(39 - 9 * i)) & 511n) * 8, value | (i < 3 ? 1n : 0n)));
        const walk = walkEpt(BigInt(TABLES) | 0x1en, gpa, FEATURES, (address) => guest.read64(address));
        assert.equal(walk.address, guest.unit.peekGpa(Number(gpa)), walk.stop);
        if (walk.stop !== undefined) rules.add(walk.stop.replace(/\d+/g, 'n'));
      }),
      { seed: SEED, numRuns: 600 },
    );
    assert(rules.size >= 5, [...rules].join('\n'));
  });

  it('say which entry takes a right away', () => {
    for (const [level, value] of [[4, 0x7n], [3, 0x5n], [2, 0x7n], [1, 0x8000_0000_0000_0003n]] as const) rig.write64(table(level), value | BigInt(level > 1 ? table(level - 1) : 0x5000));
    const walk = walkPaging({ cr0: 0x8001_0031n, cr3: BigInt(TABLES), cr4: 0x20n, efer: 0xd00n }, 0n, reader);
    assert.equal(walk.address, 0x5000);
    assert.deepEqual(walk.permissions().map((p) => `${p.name}: ${p.reason ?? 'yes'}`), [
      'supervisor reads: yes',
      'supervisor writes: R/W is 0 in the PDPTE',
      'supervisor executes: XD is 1 in the PTE',
      'user reads: U/S is 0 in the PTE',
      'user writes: U/S is 0 in the PTE',
      'user executes: U/S is 0 in the PTE',
    ]);
  });
});

describe('translation: the reverse', () => {
  const pages = (rig: VmxRig) => (address: number): Uint8Array => new Uint8Array(BigUint64Array.from({ length: 512 }, (_, i) => rig.read64(address + i * 8)).buffer);

  it('finds every linear and guest-physical address of a frame', () => {
    const rig = new VmxRig().longModeGuest('f4 ; hlt');
    // A second linear and a second guest-physical page for the frame behind Gpa 0x50000.
    rig.guest64(0x4000 + 0x77 * 8, 0x5_0007n);
    rig.write64(rig.eptEntry(0x9_0000), BigInt(At.GUEST + 0x5_0000) | 0x37n);
    rig.launch();
    const page = pages(rig);
    const frame = At.GUEST + 0x5_0000;
    const gpas = mappings({ root: At.EPT, levels: 4, kind: 'ept', features: FEATURES }, page, frame);
    assert.deepEqual(gpas.addresses, [0x5_0000n, 0x9_0000n]);
    assert.equal(gpas.complete, true);
    const vmm = mappings({ root: At.PAGE_TABLES, levels: 4, kind: 'paging', pse: false }, page, frame);
    assert.deepEqual(vmm.addresses, [BigInt(frame)]);
    const guest = mappings({ root: 0x1000, levels: 4, kind: 'paging', pse: false }, (gpa) => page(At.GUEST + gpa), 0x5_0000);
    assert.deepEqual(guest.addresses, [0x5_0000n, 0x7_7000n]);
  });

  it('tells what EPT maps as ranges', () => {
    const rig = new VmxRig().longModeGuest('f4 ; hlt');
    rig.launch();
    rig.write64(rig.eptEntry(0x3000), 0n);
    rig.write64(rig.eptEntry(0x5000), BigInt(At.GUEST + 0x5000) | 0x33n);
    const { ranges } = eptRanges(BigInt(At.EPT) | 0x1en, FEATURES, pages(rig));
    assert.deepEqual(ranges.map((r) => [r.base, r.length, r.rights, r.hpa - At.GUEST]), [
      [0n, 0x3000n, 'RWX', 0],
      [0x4000n, 0x1000n, 'RWX', 0x4000],
      [0x5000n, 0x1000n, 'RW', 0x5000],
      [0x6000n, 0x1f_a000n, 'RWX', 0x6000],
    ]);
  });
});

describe('memory maps that disagree', () => {
  const K = 0x400n;
  const ram = (base: bigint, length: bigint, type = 1) => ({ base, length, type });
  const ept = (base: bigint, length: bigint, hpa: number, rights = 'RWX') => ({ base, length, hpa, rights, memoryType: 'write-back', pageSize: 0x1000 });
  const machine = [ram(0n, 640n * K), ram(0x10_0000n, 0x1000_0000n)];
  const rules = (accounts: Partial<MapAccounts>): string[] => mapFindings({ guest: undefined, ept: undefined, machine, secrets: [], ...accounts }).map((f) => `${f.rule} 0x${f.base.toString(16)} ${f.length}`);

  const CASES: [string, Partial<MapAccounts>, string[]][] = [
    ['all agree', { guest: [ram(0n, 0x2000n)], ept: [ept(0n, 0x2000n, 0x20_0000)] }, []],
    ['nothing is known', {}, []],
    ['told twice', { guest: [ram(0n, 0x3000n), ram(0x2000n, 0x2000n, 2)] }, ['told-twice 0x2000 4096']],
    ['usable, but behind it is no RAM', { guest: [ram(0n, 0x2000n)], ept: [ept(0n, 0x2000n, 0x9_f000)] }, ['not-ram 0x1000 4096']],
    ['one frame twice', { ept: [ept(0n, 0x2000n, 0x20_0000), ept(0x8000n, 0x1000n, 0x20_1000)] }, ['shared-frame 0x8000 4096']],
    ['a secret', { ept: [ept(0n, 0x2000n, 0x20_0000)], secrets: [{ name: 'x', hpa: 0x20_1000, length: 0x1000 }] }, ['secret-reachable 0x1000 4096']],
    ['usable but read-only', { guest: [ram(0n, 0x2000n)], ept: [ept(0n, 0x1000n, 0x20_0000), ept(0x1000n, 0x1000n, 0x20_1000, 'RX')] }, ['usable-but-read-only 0x1000 4096']],
    ['mapped but not told', { guest: [ram(0n, 0x1000n)], ept: [ept(0n, 0x1000n, 0x20_0000), ept(0xb_8000n, 0x1000n, 0xb_8000), ept(0x40_0000n, 0x1000n, 0x20_2000)] }, ['mapped-but-not-told 0x400000 4096']],
    ['told but not mapped', { guest: [ram(0n, 0x3000n)], ept: [ept(0n, 0x1000n, 0x20_0000)] }, ['told-but-not-mapped 0x0 12288']],
  ];
  for (const [name, accounts, expected] of CASES) it(name, () => assert.deepEqual(rules(accounts), expected));
});
