/** VM exits to a VMM with PAE paging (SDM volume 3, "Checking and Loading Host Page-Directory-Pointer-Table Entries"). */
import assert from 'node:assert/strict';
import { Offset, Seg } from '../../src/cpu/state';
import { At, VmxRig } from './vmxRig';

const POINTERS = 0x8000;
const DIRECTORY = 0x9000;
/** Of guest-physical memory: a page directory of the guest's own. */
const GUEST_DIRECTORY = 0x4000;
const GUEST_PAGING = { GUEST_CR0: 0x8000_0021n, GUEST_CR3: 0x3000, GUEST_CR4: 0x2020, GUEST_PDPTE0: GUEST_DIRECTORY | 1, GUEST_CS_ACCESS_RIGHTS: 0xc09b, GUEST_CS_LIMIT: 0xffff_ffff };
const HOST_PDPTES_INDICATOR = 2;
const ABORT_INDICATOR = At.VMCS + 4;

/** A VMM in 32-bit code with PAE paging, its first GiB one to one, and a guest that has PAE paging of its own. */
function ready(): VmxRig {
  const rig = new VmxRig();
  for (let i = 0; i < 512; i++) rig.write64(DIRECTORY + i * 8, BigInt(i * 0x20_0000 + 0x83));
  rig.write64(POINTERS, BigInt(DIRECTORY | 1));
  const s = rig.cpu.state;
  s.set64(Offset.EFER, 0n);
  s.set64(Offset.CR4, 0x2020n);
  s.set64(Offset.CR3, BigInt(POINTERS));
  s.set64(Offset.PDPTE, BigInt(DIRECTORY | 1));
  s.setAccess(Seg.CS, 0xc09b);
  rig.cpu.flushTlb();
  rig.cpu.stateChanged();
  rig.realModeGuest('f4 ; hlt');
  rig.control('exit', 0);
  rig.set({ HOST_CR3: POINTERS, ...GUEST_PAGING });
  rig.guest64(GUEST_DIRECTORY, 0x83n);
  return rig;
}

describe('VMX: a VMM with PAE paging', () => {
  it('host.pdptes.load: the exit loads the PDPTE registers from memory at HOST_CR3, whatever the guest had in them', () => {
    const rig = ready();
    assert.equal(rig.launch().name, 'HLT');
    assert.equal(rig.cpu.state.get64(Offset.PDPTE), BigInt(DIRECTORY | 1));
    assert.equal(rig.get('GUEST_PDPTE0'), BigInt(GUEST_DIRECTORY | 1), 'the guest keeps its own');
    assert.equal(rig.resumeBehind().guestRip, 0x7001n);
  });
  it('host.pdptes.reserved: a reserved bit in one that is present is a VMX abort with indicator 2', () => {
    const rig = ready();
    rig.write64(POINTERS + 8, 0x1e7n);
    assert.throws(() => rig.launch(), /shutdown/);
    assert.equal(Number(rig.read64(ABORT_INDICATOR) & 0xffff_ffffn), HOST_PDPTES_INDICATOR);
    assert.match(rig.failures.at(-1)!.message, /reserved bit set in a PDPTE at HOST_CR3/);
  });
  it('host.pdptes.absent: one that is not present may hold anything', () => {
    const rig = ready();
    rig.write64(POINTERS + 8, 0x1e6n);
    assert.equal(rig.launch().name, 'HLT');
  });
});
