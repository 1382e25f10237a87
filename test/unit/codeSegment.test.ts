/** Code segments that begin or end within a page: decoded code of such a page is kept, and none of it is reached from outside the segment. */
import assert from 'node:assert/strict';
import { Gpr, Offset, Seg } from '../../src/cpu/state';
import { Pc } from './systemPc';

const GP_VECTOR = 13;
const HANDLER_AT = 0x600;

/** A PC in real mode with #GP's handler: AX = 0xd, HLT. */
function realMode(): Pc {
  const pc = new Pc();
  pc.put(GP_VECTOR * 4, '00 06 00 00');
  pc.put(HANDLER_AT, 'b8 0d 00 f4');
  pc.cpu.state.setReg(Gpr.RSP, 0x7000n);
  return pc;
}

/** Runs from CS:IP to HLT and yields AX. */
function runFrom(pc: Pc, selector: number, ip: number, limit = 0xffff): bigint {
  const s = pc.cpu.state;
  s.setSelector(Seg.CS, selector);
  s.setSegBase(Seg.CS, BigInt(selector * 16));
  s.setLimit(Seg.CS, limit);
  s.rip = BigInt(ip);
  s.set32(Offset.ACTIVITY, 0);
  pc.cpu.stateChanged();
  assert.equal(pc.cpu.run(1000), 'halt');
  return s.reg(Gpr.RAX) & 0xffffn;
}

describe('code segments that share a page', () => {
  it('a jump from their start wraps to their end and not to what is before them in the page', () => {
    const pc = realMode();
    pc.put(0x7df2, 'b8 02 00 f4'); // mov ax, 2; hlt
    pc.put(0x1_7df2, 'b8 01 00 f4'); // mov ax, 1; hlt
    pc.put(0x7e10, 'eb e0'); // jmp -0x20
    assert.equal(runFrom(pc, 0, 0x7e10), 2n);
    for (let i = 0; i < 3; i++) assert.equal(runFrom(pc, 0x7e1, 0), 1n, 'from a segment at 0x7e10');
    assert.equal(runFrom(pc, 0, 0x7e10), 2n, 'from a segment at 0 again');
  });

  it('a 32-bit jump to before them raises #GP', () => {
    const pc = realMode();
    pc.put(0x7df2, 'b8 02 00 f4');
    pc.put(0x7e10, '66 e9 dc ff ff ff'); // jmp dword -0x24
    assert.equal(runFrom(pc, 0, 0x7e10), 2n);
    assert.equal(runFrom(pc, 0x7e1, 0), 0xdn);
  });

  it('code that is kept is not reached behind a limit that came later', () => {
    const pc = realMode();
    pc.put(0x7e10, 'eb 6e'); // jmp +0x6e
    pc.put(0x7e80, 'b8 03 00 f4');
    assert.equal(runFrom(pc, 0x700, 0xe10), 3n);
    assert.equal(runFrom(pc, 0x700, 0xe10, 0xe7f), 0xdn);
    assert.equal(runFrom(pc, 0x700, 0xe10), 3n);
  });

  it('a loop in a segment that begins within a page is decoded once', () => {
    const pc = realMode();
    pc.put(0x7e10, 'b9 00 03 49 75 fd b8 04 00 f4'); // mov cx, 0x300; dec cx; jnz; mov ax, 4; hlt
    let fetched = 0;
    const { bus } = pc.cpu;
    const frameForRead = bus.frameForRead.bind(bus);
    bus.frameForRead = (page) => {
      fetched++;
      return frameForRead(page);
    };
    const s = pc.cpu.state;
    s.setReg(Gpr.RCX, 0n);
    s.set32(Offset.ACTIVITY, 0);
    s.setSelector(Seg.CS, 0x7e1);
    s.setSegBase(Seg.CS, 0x7e10n);
    s.rip = 0n;
    pc.cpu.stateChanged();
    assert.equal(pc.cpu.run(5000), 'halt');
    assert.equal(s.reg(Gpr.RAX) & 0xffffn, 4n);
    assert.ok(fetched < 50, `RAM was looked up ${fetched} times`);
  });
});
