/** What EPT and the guest's VMX can do beyond translation: logging, modes, virtualization exceptions, VM functions, shadow VMCSs. */
import assert from 'node:assert/strict';
import { Gpr, Offset } from '../../src/cpu/state';
import { Encoding, Secondary, VMCS_REVISION } from '../../src/vmx';
import { At, GUEST_CODE, VmxRig } from './vmxRig';

const WRITE = '48 89 04 25 18 00 05 00 f4 ; mov [0x50018], rax; hlt';
const WRITE_TWO = '48 89 04 25 18 00 05 00 48 89 04 25 18 00 06 00 f4 ; mov [0x50018], rax; mov [0x60018], rax; hlt';
const PAGE = 0x5_0000;
const ACCESSED_DIRTY = 0x40;
/** Host pages that the rig leaves alone. */
const LOG = 0x1_8000;
const LIST = 0x1_9000;
const AREA = 0x1_a000;
const OTHER_EPT = 0x3_0000;

function guest(code: string, secondary: number, without: string[] = []): VmxRig {
  const rig = new VmxRig(without).longModeGuest(code);
  rig.control('secondary', Secondary.EPT | Secondary.UNRESTRICTED_GUEST | secondary);
  return rig;
}

describe('EPT features', () => {
  it('page-modification logging enters each page once, downwards, and exits when the log is full', () => {
    const rig = guest(WRITE_TWO, Secondary.PML);
    // Everything else is dirty already.
    for (let page = 0; page < 0x20_0000; page += 0x1000) rig.write64(rig.eptEntry(page), BigInt(At.GUEST + page + 0x337));
    for (const page of [PAGE, 0x6_0000]) rig.write64(rig.eptEntry(page), BigInt(At.GUEST + page + 0x37));
    rig.set({ EPT_POINTER: At.EPT | 0x18 | ACCESSED_DIRTY, PML_ADDRESS: LOG, PML_INDEX: 0 });
    const full = rig.launch();
    assert.equal(full.name, 'PAGE_MODIFICATION_LOG_FULL');
    assert.equal(full.guestRip, BigInt(GUEST_CODE + 8)); // the second write has not happened
    assert.equal(rig.read64(LOG), BigInt(PAGE));
    assert.equal(rig.get('PML_INDEX'), 0xffffn);
    rig.set({ PML_INDEX: 511 });
    assert.equal(rig.resume().name, 'HLT');
    assert.equal(rig.read64(LOG + 511 * 8), 0x6_0000n);
    assert.equal(rig.get('PML_INDEX'), 510n);
  });

  it('mode-based execute control asks bit 10 for user-mode addresses and bit 2 for supervisor-mode ones', () => {
    // The rig's guest has user pages throughout.
    for (const [rights, name] of [[0x3, 'EPT_VIOLATION'], [0x7, 'EPT_VIOLATION'], [0x403, 'HLT']] as const) {
      const rig = guest('ff e1 ; jmp rcx', Secondary.MODE_BASED_EXECUTE);
      for (let level = 0; level < 3; level++) rig.write64(At.EPT + level * 0x1000, BigInt(At.EPT + (level + 1) * 0x1000 + 0x407));
      for (let page = 0; page < 0x20_0000; page += 0x1000) rig.write64(rig.eptEntry(page), BigInt(At.GUEST + page + 0x437));
      rig.write64(rig.eptEntry(PAGE), BigInt(At.GUEST + PAGE + 0x30 + rights));
      rig.guest(PAGE, 'f4');
      const exit = rig.launch({ RCX: BigInt(PAGE) });
      assert.equal(exit.name, name, rights.toString(16));
      if (name === 'EPT_VIOLATION') assert.equal(exit.qualification & 0x7fn, BigInt(4 | ((rights & 7) << 3)));
    }
  });

  it('an EPT violation becomes a #VE of the guest, once, unless it is suppressed', () => {
    const set = (suppress: bigint): VmxRig => {
      const rig = guest(WRITE, Secondary.EPT_VIOLATION_VE);
      rig.write64(rig.eptEntry(PAGE), suppress << 63n);
      rig.set({ VIRTUALIZATION_EXCEPTION_INFORMATION_ADDRESS: AREA, EPTP_INDEX: 5, EXCEPTION_BITMAP: 1 << 20 });
      return rig;
    };
    assert.equal(set(1n).launch().name, 'EPT_VIOLATION');
    const rig = set(0n);
    const exit = rig.launch();
    assert.deepEqual([exit.name, exit.details.vector, exit.guestRip], ['EXCEPTION_OR_NMI', 20, BigInt(GUEST_CODE)]);
    assert.deepEqual([0, 8, 16, 24, 32].map((at) => rig.read64(AREA + at)), [0xffff_ffff_0000_0030n, 0x782n, 0x5_0018n, 0x5_0018n, 5n]);
    // The area is busy now: the next one is a violation again.
    assert.equal(rig.resume().name, 'EPT_VIOLATION');
  });

  it('VMFUNC 0 switches the EPTP by the list; everything else exits', () => {
    const code = '0f 01 d4 48 8b 04 25 18 00 05 00 f4 ; vmfunc; mov rax, [0x50018]; hlt';
    const set = (): VmxRig => {
      const rig = guest(code, Secondary.VM_FUNCTIONS | Secondary.EPT_VIOLATION_VE);
      // A second hierarchy that differs in one page.
      for (let at = 0; at < 0x4000; at += 8) rig.write64(OTHER_EPT + at, rig.read64(At.EPT + at));
      for (let level = 0; level < 3; level++) rig.write64(OTHER_EPT + level * 0x1000, BigInt(OTHER_EPT + (level + 1) * 0x1000 + 7));
      rig.write64(OTHER_EPT + 0x3000 + (PAGE >>> 12) * 8, BigInt(At.GUEST + 0x6_0000 + 0x37));
      rig.guest64(0x6_0018, 0x77n);
      rig.write64(LIST + 3 * 8, BigInt(OTHER_EPT | 0x18));
      rig.set({ VM_FUNCTION_CONTROLS: 1, EPTP_LIST_ADDRESS: LIST, VIRTUALIZATION_EXCEPTION_INFORMATION_ADDRESS: AREA });
      return rig;
    };
    const rig = set();
    assert.equal(rig.launch({ RAX: 0n, RCX: 3n }).name, 'HLT');
    assert.equal(rig.cpu.state.reg(Gpr.RAX), 0x77n);
    assert.deepEqual([rig.get('EPT_POINTER'), rig.get('EPTP_INDEX')], [BigInt(OTHER_EPT | 0x18), 3n]);
    for (const registers of [{ RAX: 0n, RCX: 512n }, { RAX: 0n, RCX: 2n }, { RAX: 1n, RCX: 3n }, { RAX: 63n, RCX: 3n }]) {
      const exit = set().launch(registers);
      assert.deepEqual([exit.name, exit.instructionLength], ['VMFUNC', 3]);
    }
    const beyond = set();
    beyond.set({ EXCEPTION_BITMAP: 1 << 6 });
    assert.equal(beyond.launch({ RAX: 64n }).details.vector, 6);
    const disabled = guest(code, 0);
    disabled.set({ EXCEPTION_BITMAP: 1 << 6 });
    assert.equal(disabled.launch({ RAX: 0n }).details.vector, 6);
  });

  it('VPID and CR3 decide whether translations survive a round trip', () => {
    for (const vpid of [0, Secondary.VPID]) {
      const rig = guest('48 8b 04 25 18 00 05 00 0f a2 eb f4 ; mov rax, [0x50018]; cpuid; again', vpid);
      rig.set({ VPID: vpid ? 1 : 0 });
      rig.guest64(PAGE + 0x18, 1n);
      rig.guest64(0x6_0018, 2n);
      rig.launch();
      rig.write64(rig.eptEntry(PAGE), BigInt(At.GUEST + 0x6_0000 + 0x37)); // without INVEPT
      rig.resumeBehind();
      assert.equal(rig.cpu.state.reg(Gpr.RAX), vpid ? 1n : 2n);
      rig.host('66 0f 38 80 08 ; invept rcx, [rax]', { RCX: 2n, RAX: BigInt(At.POINTER) });
      rig.resumeBehind();
      assert.equal(rig.cpu.state.reg(Gpr.RAX), 2n);
    }
  });
});

describe('translations without VPID', () => {
  /** A guest that reads a byte of a page and exits; how often EPT was walked while it ran. */
  const reader = (): { rig: VmxRig; walks: () => number } => {
    const rig = guest('48 8b 04 25 18 00 05 00 0f a2 eb f4 ; mov rax, [0x50018]; cpuid; again', 0);
    rig.guest64(PAGE + 0x18, 1n);
    rig.guest64(0x6_0018, 2n);
    let count = 0;
    rig.unit.observer = { ...rig.unit.observer!, eptWalked: () => count++ };
    const walks = (): number => {
      count = 0;
      rig.resumeBehind();
      return count;
    };
    rig.launch();
    walks();
    return { rig, walks };
  };

  it('are found again without a walk when no paging structure was written', () => {
    const { rig, walks } = reader();
    assert.equal(walks(), 0);
    assert.equal(rig.cpu.state.reg(Gpr.RAX), 1n);
  });

  it('are walked for again after the VMM has stored into an EPT entry', () => {
    const { rig, walks } = reader();
    rig.host('48 89 08 ; mov [rax], rcx', { RAX: BigInt(rig.eptEntry(PAGE)), RCX: BigInt(At.GUEST + 0x6_0000 + 0x37) });
    assert.notEqual(walks(), 0);
    assert.equal(rig.cpu.state.reg(Gpr.RAX), 2n);
  });

  it('are walked for again when the EPT pointer is another', () => {
    const { rig, walks } = reader();
    rig.set({ EPT_POINTER: Number(rig.get('EPT_POINTER')) ^ 0x40 }); // accessed and dirty flags
    assert.notEqual(walks(), 0);
  });

  it('of the VMM are walked for again after it has changed its page tables, a page at a time or over and over', () => {
    const { rig } = reader();
    const read = '48 8b 18 ; mov rbx, [rax]';
    const large = 0x60_0000n;
    rig.write64(0x40_0000, 4n);
    rig.write64(Number(large), 6n);
    for (let i = 0; i < 200; i++) {
      const to = i % 2 ? large : 0x40_0000n;
      rig.host('48 89 08 ; mov [rax], rcx', { RAX: 0x3000n + 5n * 8n, RCX: to + 0x87n });
      rig.resumeBehind();
      rig.host(read, { RAX: 0xa0_0000n });
      assert.equal(rig.cpu.state.reg(Gpr.RBX), to / 0x10_0000n);
    }
  });
});

describe('VMCS shadowing', () => {
  const SHADOW = 0x1_b000;
  const BITMAPS = 0x1_c000;
  function nested(code: string): VmxRig {
    const rig = guest(code, Secondary.VMCS_SHADOWING);
    rig.write32(SHADOW, (VMCS_REVISION | 0x8000_0000) >>> 0);
    rig.set({ VMCS_LINK_POINTER: SHADOW, VMREAD_BITMAP: BITMAPS, VMWRITE_BITMAP: BITMAPS + 0x1000 });
    return rig;
  }
  it('reads and writes the shadow VMCS, which the VMM loads as a VMCS', () => {
    const rig = nested('0f 79 c1 0f 78 c3 f4 ; vmwrite rax, rcx; vmread rbx, rax; hlt');
    assert.equal(rig.launch({ RAX: BigInt(Encoding.GUEST_RIP), RCX: 0x1234_5678_9abcn }).name, 'HLT');
    assert.equal(rig.cpu.state.reg(Gpr.RBX), 0x1234_5678_9abcn);
    rig.pointer('0f c7 30 ; vmptrld [rax]', SHADOW);
    assert.equal(rig.status, 'succeed');
    assert.equal(rig.get('GUEST_RIP'), 0x1234_5678_9abcn);
  });
  it('exits where the bitmap says so, and fails without a link pointer', () => {
    const rig = nested('0f 78 c3 f4 ; vmread rbx, rax; hlt');
    rig.writeBytes(BITMAPS + (Encoding.GUEST_RIP >>> 3), [1 << (Encoding.GUEST_RIP & 7)]);
    assert.equal(rig.launch({ RAX: BigInt(Encoding.GUEST_RIP) }).name, 'VMREAD');
    // An encoding that does not exist: the error number is in the current VMCS.
    const unsupported = nested('0f 78 c3 9c f4 ; vmread rbx, rax; pushf; hlt');
    assert.equal(unsupported.launch({ RAX: 0x7ffen }).name, 'HLT');
    assert.equal(unsupported.read64(At.GUEST + Number(unsupported.get('GUEST_RSP'))) & 0x41n, 0x40n);
    assert.equal(unsupported.get('VM_INSTRUCTION_ERROR'), 12n);
    const none = nested('0f 78 c3 9c f4 ; vmread rbx, rax; pushf; hlt');
    none.set({ VMCS_LINK_POINTER: 0xffff_ffff_ffff_ffffn });
    assert.equal(none.launch({ RAX: BigInt(Encoding.GUEST_RIP) }).name, 'HLT');
    assert.equal(none.read64(At.GUEST + Number(none.get('GUEST_RSP'))) & 1n, 1n);
  });
});

describe('PAUSE-loop exiting', () => {
  it('exits when a loop of PAUSE lasts longer than the window, and not for single ones', () => {
    const rig = guest('f3 90 eb fc ; pause; again', Secondary.PAUSE_LOOP_EXITING);
    rig.set({ PLE_GAP: 10, PLE_WINDOW: 100 });
    const exit = rig.launch();
    assert.equal(exit.name, 'PAUSE');
    assert.ok(rig.cpu.state.icount > 100);
    const rare = guest('f3 90 ff c1 ff c1 ff c1 ff c1 ff c8 75 f2 f4 ; pause; inc ecx x4; dec eax; jnz; hlt', Secondary.PAUSE_LOOP_EXITING);
    rare.set({ PLE_GAP: 3, PLE_WINDOW: 50 });
    assert.equal(rare.launch({ RAX: 100n }).name, 'HLT');
  });
});

describe('task switches of the guest', () => {
  it('leave RIP at the instruction and tell its length', () => {
    const rig = new VmxRig().realModeGuest('ea 00 00 28 00 f4 ; jmp 0x28:0');
    // Protected mode with an available 32-bit TSS at selector 0x28.
    rig.set({ GUEST_CR0: 0x31, GUEST_CS_ACCESS_RIGHTS: 0x9b, GUEST_GDTR_BASE: 0x8000, GUEST_CS_SELECTOR: 8 });
    for (const s of ['ES', 'SS', 'DS', 'FS', 'GS'] as const) rig.set({ [`GUEST_${s}_SELECTOR`]: 0x10 });
    rig.guest64(0x8028, 0x0000_8900_0000_0067n);
    const exit = rig.launch();
    assert.deepEqual([exit.name, exit.qualification, exit.instructionLength, exit.guestRip], ['TASK_SWITCH', (2n << 30n) | 0x28n, 5, BigInt(GUEST_CODE)]);
    assert.equal(Number(rig.cpu.state.get32(Offset.VMX_MODE)), 1);
  });
});
