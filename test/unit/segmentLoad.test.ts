/** MOV to a data segment register gives the same in generated code (isa/segmentLoad.ts) as in TypeScript (system/segments.ts). */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Cpu } from '../../src/cpu/engine/cpu';
import { Gpr, Offset, Seg, Segment, SEGMENT_STRIDE } from '../../src/cpu/state';
import { loadSegment } from '../../src/cpu/system/segments';
import { createFlatMachine } from '../silicon/flatMachine';
import { bytes } from './machineCode';

const CODE = 0x20_0000;
const GDT = 0x40_0ff0; // its entries lie in two pages
const ENTRIES = 4;
/** MOV to each, with a selector in AX. */
const LOADS: readonly (readonly [number, string])[] = [[Seg.ES, '8e c0'], [Seg.SS, '8e d0'], [Seg.DS, '8e d8'], [Seg.FS, '8e e0'], [Seg.GS, '8e e8']];

const cacheOf = ({ state }: Cpu, seg: number): string => {
  const at = Offset.SEGMENTS + seg * SEGMENT_STRIDE;
  return [state.selector(seg), ...[Segment.ACCESS, Segment.LIMIT, Segment.FLAT].map((part) => state.get32(at + part)), state.segBase(seg)].map((n) => n.toString(16)).join(' ');
};

describe('MOV to segment registers', () => {
  const [generated, plain] = [createFlatMachine(16), createFlatMachine(16)];
  let [performed, byTypeScript] = [0, 0];
  generated.cpu.onOperation = () => byTypeScript++;

  function prepare({ cpu, ram }: typeof generated, table: readonly bigint[], cpl: number, real: boolean): void {
    const s = cpu.state;
    s.set64(Offset.GDTR_BASE, BigInt(GDT));
    s.set32(Offset.GDTR_LIMIT, ENTRIES * 8 - 1);
    table.forEach((descriptor, i) => cpu.views.data.setBigUint64(ram + GDT + i * 8, descriptor, true));
    s.set32(Offset.CR0, real ? s.cr0 & ~0x8000_0001 : s.cr0 | 0x8000_0001);
    s.set32(Offset.EFER, real ? 0 : 0xd01);
    s.set32(Offset.CPL, cpl);
    for (const [seg] of LOADS) {
      const at = Offset.SEGMENTS + seg * SEGMENT_STRIDE;
      s.setSelector(seg, 0x10);
      s.set32(at + Segment.ACCESS, 0xc093 | (cpl << 5));
      s.set32(at + Segment.LIMIT, 0xffff_ffff);
      s.setSegBase(seg, 0n);
    }
    s.setAccess(Seg.CS, real ? 0x9b : 0xa09b | (cpl << 5));
    s.setSegBase(Seg.CS, real ? BigInt(CODE) : 0n);
    s.setLimit(Seg.CS, real ? 0xffff : 0xffff_ffff);
    s.set32(Offset.ACTIVITY, 0);
    s.set32(Offset.INTERRUPTIBILITY, 0);
    cpu.flushTlb();
    cpu.stateChanged();
  }

  /** Whether a load faults, and what the register holds then. */
  function compare(descriptor: bigint, selector: number, cpl: number, real: boolean): void {
    const table = Array.from({ length: ENTRIES }, () => descriptor);
    for (const [seg, load] of LOADS) {
      for (const machine of [generated, plain]) prepare(machine, table, cpl, real);
      const { cpu, ram } = generated;
      cpu.views.u8.set(bytes(`8a 07 ${load} 90 ; mov al, [rdi], so that the TLB has the table; the load; nop`), ram + CODE);
      cpu.memoryChanged(CODE / 0x1000);
      cpu.state.setReg(Gpr.RDI, BigInt(GDT + (selector & 0x18)));
      cpu.state.rip = real ? 0n : BigInt(CODE);
      cpu.run(1);
      cpu.state.setReg(Gpr.RAX, BigInt(selector));
      const before = cpu.state.icount;
      const stopped = cpu.run(1);
      const faulted = stopped === 'shutdown' || cpu.state.icount === before;
      let expected = false;
      try {
        loadSegment(plain.cpu, seg, selector);
        plain.cpu.stateChanged();
      } catch (thrown) {
        if (thrown !== plain.cpu.fault) throw thrown;
        expected = true;
      }
      const what = `segment ${seg}, selector ${selector.toString(16)}, descriptor ${descriptor.toString(16)}, CPL ${cpl}${real ? ', real mode' : ''}`;
      assert.equal(faulted, expected, what);
      if (faulted) continue;
      performed++;
      assert.equal(cacheOf(cpu, seg), cacheOf(plain.cpu, seg), what);
      const entry = (m: typeof generated): bigint => m.cpu.views.data.getBigUint64(m.ram + GDT + (selector & 0x18), true);
      assert.equal(entry(generated), entry(plain), what);
    }
  }

  const descriptors = fc.record({ base: fc.integer({ min: 0, max: 0xffff_ffff }), limit: fc.constantFrom(0, 0xffff, 0xf_ffff), type: fc.oneof(fc.constantFrom(0x11, 0x13, 0x17), fc.integer({ min: 0, max: 0x1f })), dpl: fc.constantFrom(0, 0, 0, 3), present: fc.constantFrom(1, 1, 1, 0), flags: fc.integer({ min: 0, max: 15 }) });

  it('in protected mode: type, privilege, presence, granularity', () => {
    fc.assert(
      fc.property(descriptors, fc.oneof(fc.constantFrom(0x08, 0x10, 0x18), fc.integer({ min: 0, max: ENTRIES * 8 + 7 })), fc.constantFrom(0, 0, 3), ({ base, limit, type, dpl, present, flags }, selector, cpl) => {
        const low = BigInt((limit & 0xffff) | ((base & 0xffff) << 16)) & 0xffff_ffffn;
        const high = BigInt((((base >>> 16) & 0xff) | (type << 8) | (dpl << 13) | (present << 15) | (limit & 0xf_0000) | (flags << 20) | (base & 0xff00_0000)) >>> 0);
        compare(low | (high << 32n), selector, cpl, false);
      }),
      { numRuns: 300, seed: 5 },
    );
    assert.ok(performed > 100 && byTypeScript < performed * 0.7, `${performed} loads did not fault, ${byTypeScript} of them in TypeScript`);
  });

  it('in real mode: selector and base alone', () => {
    performed = byTypeScript = 0;
    for (const selector of [0, 1, 7, 0x10, 0xf000, 0xffff]) compare(0n, selector, 0, true);
    assert.deepEqual([performed, byTypeScript], [30, 6]); // SS holds interrupts back, which is TypeScript's
  });
});
