import assert from 'node:assert/strict';
import { Cr0, Cr4, Efer } from '../../src/cpu/controlBits';
import { AC } from '../../src/cpu/flags';
import { ACCESS_FETCH } from '../../src/cpu/intercepts';
import { fetchTranslate, peekTranslate, readLinear, translate, writeLinear } from '../../src/cpu/mmu/linear';
import { AccessFlag } from '../../src/cpu/accessFlags';
import { access, commit } from '../../src/cpu/mmu/slowPath';
import { Offset } from '../../src/cpu/state';
import { CPU_BASE, describeFault, DEVICE_PAGE, FakeProcessor } from './systemFake';

const P = 1n;
const RW = 2n;
const US = 4n;
const A = 0x20n;
const D = 0x40n;
const PS = 0x80n;
const NX = 1n << 63n;

const PML4 = 0x1000;
const PDPT = 0x2000;
const PD = 0x3000;
const PT = 0x4000;
const SCRATCH = CPU_BASE + Offset.SCRATCH;

/** Long mode with one chain of tables for linear 0 to 2 MiB, each table entry with all rights. */
function longMode(): FakeProcessor {
  const cpu = new FakeProcessor();
  const s = cpu.state;
  s.set32(Offset.CR0, Cr0.PG | Cr0.PE | Cr0.WP);
  s.set32(Offset.CR4, Cr4.PAE | Cr4.PGE);
  s.set32(Offset.EFER, Efer.LME | Efer.LMA | Efer.NXE);
  s.set64(Offset.CR3, BigInt(PML4));
  cpu.writePhysical(PML4, 8, BigInt(PDPT) | P | RW | US);
  cpu.writePhysical(PDPT, 8, BigInt(PD) | P | RW | US);
  cpu.writePhysical(PD, 8, BigInt(PT) | P | RW | US);
  return cpu;
}
const map = (cpu: FakeProcessor, page: number, physicalPage: number, bits: bigint): void => cpu.writePhysical(PT + page * 8, 8, (BigInt(physicalPage) << 12n) | bits);
const user = (cpu: FakeProcessor): void => cpu.state.set32(Offset.CPL, 3);

describe('mmu: page walk', () => {
  it('4-level: translates, sets accessed on every level and dirty on the leaf at a write only', () => {
    const cpu = longMode();
    map(cpu, 5, 0x80, P | RW);
    cpu.writePhysical(0x80010, 4, 0xcafen);
    assert.equal(readLinear(cpu, 0x5010n, 4), 0xcafen);
    assert.equal(cpu.readPhysical(PT + 40, 8), 0x80000n | P | RW | A);
    assert.equal(cpu.readPhysical(PML4, 8) & A, A);
    writeLinear(cpu, 0x5010n, 4, 0xbeefn);
    assert.equal(cpu.readPhysical(PT + 40, 8) & D, D);
    assert.equal(cpu.readPhysical(PD, 8) & D, 0n);
    assert.equal(cpu.readPhysical(0x80010, 4), 0xbeefn);
  });

  it('reports each cause with its error code', () => {
    const cpu = longMode();
    map(cpu, 1, 0x80, P);
    map(cpu, 2, 0x80, P | RW | US | (1n << 47n));
    map(cpu, 3, 0x80, P | RW | US | NX);
    assert.equal(cpu.faultOf(() => readLinear(cpu, 0x9123n, 4)), '#PF(0) at 9123');
    assert.equal(cpu.faultOf(() => writeLinear(cpu, 0x9123n, 4, 0n)), '#PF(2) at 9123');
    assert.equal(cpu.faultOf(() => writeLinear(cpu, 0x1000n, 4, 0n)), '#PF(3) at 1000');
    assert.equal(cpu.faultOf(() => readLinear(cpu, 0x2000n, 1)), '#PF(9) at 2000');
    assert.equal(cpu.faultOf(() => translate(cpu, 0x3000n, ACCESS_FETCH, true)), '#PF(15) at 3000');
    user(cpu);
    assert.equal(cpu.faultOf(() => readLinear(cpu, 0x1000n, 1)), '#PF(5) at 1000');
    assert.equal(fetchTranslate(cpu, 0x3000, 0), -1);
    assert.equal(describeFault(cpu.fault), '#PF(15) at 3000');
  });

  it('CR0.WP off lets the supervisor write read-only pages', () => {
    const cpu = longMode();
    map(cpu, 1, 0x80, P);
    cpu.state.set32(Offset.CR0, Cr0.PG | Cr0.PE);
    writeLinear(cpu, 0x1000n, 4, 1n);
    assert.equal(cpu.readPhysical(0x80000, 4), 1n);
  });

  it('SMEP and SMAP keep the supervisor off user pages; AC lifts SMAP, but not for the processor itself', () => {
    const cpu = longMode();
    map(cpu, 1, 0x80, P | RW | US);
    cpu.state.set32(Offset.CR4, Cr4.PAE | Cr4.SMEP | Cr4.SMAP);
    assert.equal(fetchTranslate(cpu, 0x1000, 0), -1);
    assert.equal(describeFault(cpu.fault), '#PF(11) at 1000');
    assert.equal(cpu.faultOf(() => readLinear(cpu, 0x1000n, 4)), '#PF(1) at 1000');
    cpu.state.set32(Offset.FLAGS, AC | 2);
    assert.equal(cpu.faultOf(() => readLinear(cpu, 0x1000n, 4)), 'no fault');
    assert.equal(cpu.faultOf(() => readLinear(cpu, 0x1000n, 4, true)), '#PF(1) at 1000');
    cpu.state.set32(Offset.FLAGS, 2);
    assert.equal(cpu.faultOf(() => readLinear(cpu, 0x1000n, 4)), '#PF(1) at 1000', 'nothing was cached while AC was set');
  });

  it('large pages of 2 MiB and 1 GiB, with their reserved bits', () => {
    const cpu = longMode();
    cpu.writePhysical(PD + 8, 8, 0x20_0000n | PS | P | RW);
    assert.equal(translate(cpu, 0x2f_1234n, 1, false), 0x2f_1234);
    cpu.writePhysical(PD + 8, 8, 0x20_2000n | PS | P | RW);
    assert.equal(cpu.faultOf(() => translate(cpu, 0x2f_1234n, 1, false)), '#PF(9) at 2f1234');
    cpu.writePhysical(PDPT + 8, 8, (3n << 30n) | PS | P | RW);
    assert.equal(translate(cpu, 0x7fff_f123n, 1, false), 0xffff_f123);
    cpu.withheld.add('1g-pages');
    assert.equal(cpu.faultOf(() => translate(cpu, 0x7fff_f123n, 1, false)), '#PF(9) at 7ffff123');
  });

  it('32-bit paging with 4-MiB pages beyond 4 GiB (PSE-36)', () => {
    const cpu = new FakeProcessor();
    cpu.state.set32(Offset.CR0, Cr0.PG | Cr0.PE);
    cpu.state.set32(Offset.CR4, Cr4.PSE);
    cpu.state.set64(Offset.CR3, 0x1000n);
    cpu.writePhysical(0x1000 + 4 * 0x300, 4, 0x0040_0000n | (5n << 13n) | PS | P | RW);
    assert.equal(translate(cpu, 0xc012_3456n, 1, false), 5 * 2 ** 32 + 0x52_3456);
    cpu.writePhysical(0x1000, 4, 0x2000n | P | RW);
    cpu.writePhysical(0x2000 + 4, 4, 0x5000n | P | RW);
    assert.equal(translate(cpu, 0x1fffn, 2, false), 0x5fff);
    assert.equal(cpu.readPhysical(0x2004, 4), 0x5000n | P | RW | A | D);
  });

  it('PAE paging starts at the PDPTE registers and reserves bits 62:52', () => {
    const cpu = new FakeProcessor();
    cpu.state.set32(Offset.CR0, Cr0.PG | Cr0.PE);
    cpu.state.set32(Offset.CR4, Cr4.PAE);
    cpu.state.set64(Offset.PDPTE + 24, 0x1000n | P);
    cpu.writePhysical(0x1000, 8, 0x60_0000n | PS | P | RW);
    assert.equal(translate(cpu, 0xc000_0010n, 1, false), 0x60_0010);
    assert.equal(cpu.faultOf(() => translate(cpu, 0x10n, 1, false)), '#PF(0) at 10');
    cpu.writePhysical(0x1000, 8, 0x60_0000n | PS | P | RW | (1n << 52n));
    assert.equal(cpu.faultOf(() => translate(cpu, 0xc000_0010n, 1, false)), '#PF(9) at c0000010');
  });

  it('peeking sets no bits and raises nothing', () => {
    const cpu = longMode();
    map(cpu, 1, 0x80, P);
    user(cpu);
    assert.equal(peekTranslate(cpu, 0x1234n), 0x80234);
    assert.equal(cpu.readPhysical(PT + 8, 8), 0x80000n | P);
    assert.equal(peekTranslate(cpu, 0x2000n), -1);
    assert.equal(peekTranslate(cpu, 0x8000_0000_0000n), -1);
  });

  it('non-canonical addresses raise #GP, or #SS for the stack', () => {
    const cpu = longMode();
    assert.equal(cpu.faultOf(() => readLinear(cpu, 0x8000_0000_0000n, 1)), '#GP(0)');
    assert.equal(cpu.faultOf(() => readLinear(cpu, 0x7fff_ffff_ffffn, 2)), '#GP(0)');
    assert.equal(access(cpu, 0, 0x8000, 8 | AccessFlag.STACK, 5), 0);
    assert.equal(describeFault(cpu.fault), '#SS(0)');
  });

  it('second-level translation sees every table and the page itself', () => {
    const cpu = longMode();
    map(cpu, 1, 0x80, P | RW | D | A);
    const seen: string[] = [];
    cpu.secondLevel = {
      active: true,
      rights: 1,
      peek: (page) => page,
      translate(page, rights, _linear, _valid, isWalk) {
        seen.push(`${page.toString(16)}${isWalk ? 'w' : ''}${rights}`);
        return page;
      },
    };
    const host = access(cpu, 0x1008, 0, 8, 9);
    assert.notEqual(host, 0);
    assert.deepEqual(seen, ['1w1', '2w1', '3w1', '4w1', '1w3', '2w3', '3w3', '801']);
    assert.equal(cpu.state.get32(Offset.BUDGET), 9);
  });
});

describe('mmu: slow path', () => {
  const tags = (cpu: FakeProcessor, linear: number): { read: number; write: number; addend: number } => {
    const i = (CPU_BASE + 0x4000 + ((linear >>> 12) & 1023) * 32) >>> 2;
    return { read: cpu.views.u32[i]!, write: cpu.views.u32[i + 2]!, addend: cpu.views.i32[i + 4]! };
  };

  it('a read enters a read tag only, a write both', () => {
    const cpu = longMode();
    map(cpu, 5, 0x80, P | RW);
    const host = access(cpu, 0x5010, 0, 4, 1);
    assert.deepEqual([tags(cpu, 0x5000).read, tags(cpu, 0x5000).write], [0x5001, 0xffff_ffff]);
    assert.equal((0x5010 + tags(cpu, 0x5000).addend) | 0, host);
    assert.equal(cpu.bus.framesForWrite, 4, 'the accessed bits alone were written: a read copies no page for a snapshot');
    assert.equal(access(cpu, 0x5010, 0, 4 | AccessFlag.WRITE, 1), host);
    assert.deepEqual([tags(cpu, 0x5000).read, tags(cpu, 0x5000).write], [0x5001, 0x5001]);
  });

  it('a page with decoded code gets no write tag and its owner hears of each write', () => {
    const cpu = longMode();
    map(cpu, 5, 0x80, P | RW);
    cpu.codePages.pages.add(0x80);
    assert.equal(access(cpu, 0x5010, 0, 4 | AccessFlag.WRITE, 1), SCRATCH);
    cpu.views.data.setUint32(SCRATCH, 0x1234_5678, true);
    commit(cpu);
    assert.equal(cpu.readPhysical(0x80010, 4), 0x1234_5678n);
    assert.deepEqual(cpu.codePages.writes, [{ page: 0x80, offset: 0x10, length: 4 }]);
  });

  it('a write that crosses into an unmapped page changes nothing', () => {
    const cpu = longMode();
    map(cpu, 5, 0x80, P | RW);
    cpu.writePhysical(0x80ffc, 4, 0x11223344n);
    assert.equal(access(cpu, 0x5ffc, 0, 8 | AccessFlag.WRITE, 1), 0);
    assert.equal(describeFault(cpu.fault), '#PF(2) at 6000');
    commit(cpu);
    assert.equal(cpu.readPhysical(0x80ffc, 4), 0x11223344n);
  });

  it('a crossing read-modify-write sees the present bytes and writes both pages', () => {
    const cpu = longMode();
    map(cpu, 5, 0x80, P | RW);
    map(cpu, 6, 0x90, P | RW);
    cpu.writePhysical(0x80ffd, 3, 0x332211n);
    cpu.writePhysical(0x90000, 5, 0x8877665544n);
    assert.equal(access(cpu, 0x5ffd, 0, 8 | AccessFlag.WRITE | AccessFlag.RMW, 1), SCRATCH);
    assert.equal(cpu.views.data.getBigUint64(SCRATCH, true), 0x8877665544332211n);
    cpu.views.data.setBigUint64(SCRATCH, 0x0102030405060708n, true);
    commit(cpu);
    assert.equal(cpu.readPhysical(0x80ffd, 3), 0x060708n);
    assert.equal(cpu.readPhysical(0x90000, 5), 0x0102030405n);
  });

  it('devices are read and written in pieces of at most four bytes, and never cached', () => {
    const cpu = longMode();
    map(cpu, 7, DEVICE_PAGE, P | RW);
    cpu.bus.deviceValues.set(DEVICE_PAGE * 0x1000 + 0x20, 0xdead_beef);
    cpu.bus.deviceValues.set(DEVICE_PAGE * 0x1000 + 0x24, 0x1234);
    assert.equal(access(cpu, 0x7020, 0, 8, 1), SCRATCH);
    assert.equal(cpu.views.data.getBigUint64(SCRATCH, true), 0x1234_dead_beefn);
    writeLinear(cpu, 0x7020n, 8, 0x1_8000_0000n);
    assert.deepEqual(cpu.bus.deviceWrites, [
      { address: 0xfee00020, size: 4, value: 0x8000_0000 },
      { address: 0xfee00024, size: 4, value: 1 },
    ]);
    assert.equal(tags(cpu, 0x7000).read, 0);
  });

  it('without paging, addresses wrap at 4 GiB', () => {
    const cpu = new FakeProcessor();
    cpu.writePhysical(0, 2, 0xbbaan);
    assert.equal(readLinear(cpu, 0xffff_fffen, 4), 0xbbaa_ffffn);
  });
});
