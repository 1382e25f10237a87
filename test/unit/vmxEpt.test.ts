import assert from 'node:assert/strict';
import { Gpr } from '../../src/cpu/state';
import { At, GUEST_CODE, VmxRig } from './vmxRig';

const READ = '48 8b 04 25 18 00 05 00 f4 ; mov rax, [0x50018]; hlt';
const WRITE = '48 89 04 25 18 00 05 00 f4 ; mov [0x50018], rax; hlt';
const PAGE = 0x5_0000;

/** A long-mode guest whose page at 0x50000 has this EPT entry. */
function guest(code: string, entry: bigint, without: string[] = []): VmxRig {
  const rig = new VmxRig(without).longModeGuest(code);
  rig.write64(rig.eptEntry(PAGE), entry);
  return rig;
}
const target = BigInt(At.GUEST + PAGE);

describe('EPT', () => {
  it('violations say access, permissions and addresses', () => {
    for (const [code, entry, qualification] of [
      [READ, 0n, 0x781n],
      [WRITE, 0n, 0x782n],
      [WRITE, target | 0x35n, 0x782n | (5n << 3n)],
      [READ, target | 0x34n, 0x781n | (4n << 3n)],
    ] as const) {
      const exit = guest(code, entry).launch();
      assert.deepEqual([exit.name, exit.qualification, exit.linear, exit.gpa, exit.guestRip], ['EPT_VIOLATION', qualification, 0x5_0018n, 0x5_0018, BigInt(GUEST_CODE)]);
    }
    const fetch = guest('ff e1 ; jmp rcx', target | 0x33n).launch({ RCX: BigInt(PAGE) });
    assert.deepEqual([fetch.qualification, fetch.gpa, fetch.guestRip], [0x784n | (3n << 3n), PAGE, BigInt(PAGE)]);
    assert.deepEqual(fetch.details, { access: 'fetch', permitted: 'RW', present: true });
  });

  it('a violation is repaired by the VMM and the guest goes on, without INVEPT', () => {
    const rig = guest(READ, 0n);
    rig.write64(At.GUEST + PAGE + 0x18, 0x1122_3344_5566_7788n);
    assert.equal(rig.launch().name, 'EPT_VIOLATION');
    assert.equal(rig.get('GUEST_RFLAGS') & 0x10000n, 0x10000n); // RF: the instruction is restarted
    rig.write64(rig.eptEntry(PAGE), target | 0x37n);
    assert.equal(rig.resume().name, 'HLT');
    assert.equal(rig.cpu.state.reg(Gpr.RAX), 0x1122_3344_5566_7788n);
  });

  it('a violation of the guest\'s page walk is told apart, with the entry\'s address', () => {
    const rig = new VmxRig().longModeGuest(READ);
    rig.guest64(0x2000, 0x6_0007n); // the page-directory-pointer entry now points to 0x60000
    rig.write64(rig.eptEntry(0x6_0000), 0n);
    const exit = rig.launch();
    assert.deepEqual([exit.qualification, exit.gpa, exit.linear], [0x81n, 0x6_0000, BigInt(GUEST_CODE)]);
    assert.equal(exit.details.pageWalk, true);
  });

  it('setting an accessed flag in a page table that EPT protects is a write of the walk', () => {
    const rig = new VmxRig().longModeGuest(READ);
    rig.write64(rig.eptEntry(0x4000), BigInt(At.GUEST + 0x4000) | 0x35n);
    const exit = rig.launch();
    assert.equal(exit.qualification, 0x83n | (5n << 3n));
    assert.equal(exit.gpa, 0x4000 + 7 * 8); // the entry for the code at 0x7000
  });

  it('misconfigurations', () => {
    for (const [what, entry] of [
      ['writable but not readable', target | 0x32n],
      ['memory type 3', target | 0x1fn],
      ['address bits beyond the width', target | 0x37n | (1n << 50n)],
    ] as const) {
      const exit = guest(READ, entry).launch();
      assert.deepEqual([exit.name, exit.gpa, exit.qualification], ['EPT_MISCONFIGURATION', 0x5_0018, 0n], what);
    }
    const upper = guest(READ, target | 0x37n);
    upper.write64(At.EPT, BigInt(At.EPT + 0x1007) | 0x80n);
    assert.equal(upper.launch().name, 'EPT_MISCONFIGURATION');
  });

  it('execute-only pages, and the misconfiguration without the feature', () => {
    const code = 'ff e1 ; jmp rcx';
    const rig = guest(code, target | 0x34n);
    rig.guest(PAGE, 'f4 ; hlt');
    assert.equal(rig.launch({ RCX: BigInt(PAGE) }).name, 'HLT');
    const old = guest(code, target | 0x34n, ['ept-execute-only']);
    assert.equal(old.launch({ RCX: BigInt(PAGE) }).name, 'EPT_MISCONFIGURATION');
  });

  it('pages of 2 MiB and 1 GiB', () => {
    const rig = new VmxRig().longModeGuest(READ);
    rig.write64(At.GUEST + PAGE + 0x18, 42n);
    rig.write64(At.EPT + 0x2000, BigInt(At.GUEST) | 0xb7n);
    assert.equal(rig.launch().name, 'HLT');
    assert.equal(rig.cpu.state.reg(Gpr.RAX), 42n);
    assert.equal(rig.unit.peekGpa(0x12_3456), At.GUEST + 0x12_3456);
    const odd = new VmxRig().longModeGuest(READ);
    odd.write64(At.EPT + 0x2000, BigInt(At.GUEST + 0x10_0000) | 0xb7n);
    assert.equal(odd.launch().name, 'EPT_MISCONFIGURATION');
    const giant = new VmxRig().longModeGuest(READ);
    giant.write64(At.EPT + 0x1000, 0x4000_0000n | 0xb7n);
    assert.equal(giant.unit.peekGpa(0x1234_5678), 0x4000_0000 + 0x1234_5678);
    const none = new VmxRig(['ept-1g-pages']).longModeGuest(READ);
    none.write64(At.EPT + 0x1000, 0x4000_0000n | 0xb7n);
    assert.equal(none.unit.peekGpa(0x1234_5678), undefined);
  });

  it('accessed and dirty flags', () => {
    const flags = (rig: VmxRig, gpa: number): number => Number(rig.read64(rig.eptEntry(gpa))) & 0x300;
    const off = new VmxRig().longModeGuest(WRITE);
    off.launch();
    assert.equal(flags(off, PAGE), 0);
    const rig = new VmxRig().longModeGuest('48 8b 04 25 18 00 05 00 0f a2 48 89 04 25 18 00 05 00 f4 ; mov rax, [0x50018]; cpuid; mov [0x50018], rax; hlt');
    rig.set({ EPT_POINTER: At.EPT | 0x5e });
    assert.equal(rig.launch().name, 'CPUID');
    assert.equal(flags(rig, PAGE), 0x100);
    assert.equal(Number(rig.read64(At.EPT)) & 0x300, 0x100);
    // Guest paging structures count as written, because their accessed flags may be.
    assert.equal(flags(rig, 0x4000), 0x300);
    assert.equal(rig.resumeBehind().name, 'HLT');
    assert.equal(flags(rig, PAGE), 0x300);
  });

  it('a page that was read first becomes dirty when it is written in the same run', () => {
    const rig = new VmxRig().longModeGuest('48 8b 04 25 18 00 05 00 48 89 04 25 18 00 05 00 f4');
    rig.set({ EPT_POINTER: At.EPT | 0x5e });
    assert.equal(rig.launch().name, 'HLT');
    assert.equal(Number(rig.read64(rig.eptEntry(PAGE))) & 0x300, 0x300);
  });

  it('inspection walks EPT from the VMM too and changes nothing', () => {
    const rig = new VmxRig().longModeGuest(READ);
    rig.set({ EPT_POINTER: At.EPT | 0x5e });
    assert.equal(rig.unit.nonRoot, false);
    assert.equal(rig.unit.peekGpa(0x7123), At.GUEST + 0x7123);
    assert.equal(rig.unit.peekGpa(0x40_0000), undefined);
    assert.equal(Number(rig.read64(At.EPT)) & 0x300, 0);
  });
});
