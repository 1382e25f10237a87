/**
 * What students of the lab get wrong, planted one mistake at a time (test/fixtures/mistakes), and what the user is told.
 * The golden texts hold every sentence; the table says which VMX check, or which failure, has to notice.
 */
import assert from 'node:assert';
import path from 'node:path';
import type { Host } from '../../src/adapter/host';
import { nodeHost } from '../../src/adapter/hosts/nodeHost';
import { CHECKS } from '../../src/debug/checks/table';
import { planted } from '../fixtures/mistakes/images';
import { Story } from './story';

interface Expected {
  /** The check that notices; undefined where another stop names the cause: the VM-entry checks. */
  check?: string;
  /** What the first stop's text must say, whatever else it says. */
  says: RegExp;
  /** Stops before it that are not the one. */
  after?: number;
}

const MISTAKES: Record<string, Expected> = {
  'rip-not-advanced': { check: 'exit-storm', says: /handler did not advance GUEST_RIP.*instruction length was 3/ },
  'rip-not-advanced-cpuid': { check: 'rip-not-advanced', says: /executes CPUID again/ },
  'rip-is-length': { check: 'rip-is-length', says: /GUEST_RIP is 0x3 .* must be added/ },
  'resume-first': { check: 'launch-or-resume', says: /the first VM entry is made by VMLAUNCH/ },
  'launch-always': { check: 'launch-or-resume', says: /every VM entry after the first is made by VMRESUME/ },
  'host-rsp-missing': { check: 'host-state', says: /HOST_RSP is 0.*triple fault/ },
  'registers-wrong-direction': { check: 'memory-map', says: /does the code behind HOST_RIP save the guest's registers\?/ },
  'register-lost': { check: 'guest-registers', says: /The guest's RSI changed.*\n.*\n.*does not save/ },
  'cpuid-clobbered-eax': { check: 'cpuid-vmx', says: /by then EAX holds the result/ },
  'cpuid-wrong-bit': { check: 'cpuid-vmx', says: /Either it clears another bit/ },
  'map-points-at-information': { check: 'memory-map', says: /that is the multiboot_info itself.*\n.*begins at Gpa 0x6034/ },
  'map-pointer-is-offset': { check: 'memory-map', says: /mmap_addr .* is 0x34: that is an offset/ },
  'map-pointer-is-linear': { check: 'memory-map', says: /low half of the VMM's linear address/ },
  'map-page-not-mapped': { check: 'memory-map', says: /is 0x6000, and EPT maps nothing there/ },
  'map-rbx-not-set': { check: 'memory-map', says: /RBX.*is 0x0, as when the guest asked: the handler has not set it/ },
  'map-rbx-host-physical': { check: 'memory-map', says: /that is a host-physical address.*\n.*at Gpa 0x6000/ },
  'map-rbx-linear': { check: 'memory-map', says: /that is a linear address of the VMM.*\n.*at Gpa 0x6000/ },
  'ept-no-execute': { check: 'ept-execute', says: /does not permit execution/ },
  'ept-linear-address': { check: 'ept-address', says: /is a linear address of the VMM, and EPT entries hold host-physical addresses/ },
  'cr4-vmxe-missing': { says: /^VM entry with invalid guest state .* GUEST_CR4 is 0x0\. .*VMXE is 1.*Bit 13 must be 1[^]*GUEST_CR4 is 0x0, last written at init_guest_state/ },
  'eptp-walk-length': { says: /^VM entry with invalid control fields .* Bits 5:3 of the EPTP must be 3[^]*1 level, write-back\), last written at init_controls/ },
  'host-address-space-size': { says: /^VM entry with invalid host-state fields .* VM_EXIT_CONTROLS is .* must set host address-space size\. \(2 other checks failed too\.\)/ },
  'capability-shift': { check: 'capability-bits', says: /so the shift is 32/ },
  'capability-refused': { check: 'capability-bits', says: /EPT \(control 1\) is bit 33, which is 1/ },
  'error-unread': { check: 'error-unread', says: /reads VM_EXIT_REASON, as after a VM exit/, after: 1 },
  'undefined-field': { check: 'undefined-field', says: /GUEST_PHYSICAL_ADDRESS.*undefined/ },
  'host-selector': { check: 'host-state', says: /no 64-bit code segment/ },
  'vmxon-linear-address': { check: 'linear-address', says: /operand of VMXON holds 0xffffffff80[0-9a-f]+, which is a linear address of the VMM.*must hold the physical address of the region, which is 0x/ },
  'vmxon-numeric-error': { says: /^VMXON raises #GP\(0\): CR0 is .*NE is bit 5[^]*vmx_init \(vmm\/vmx\.c/ },
  'vmxon-not-enabled': { says: /^VMXON raises #UD: CR4 is 0x20, and its bit VMXE \(bit 13\) is 0/ },
  'vmcs-revision-missing': { says: /^VMPTRLD of a region whose first four bytes are not the VMCS revision identifier/ },
  'bitmap-linear-address': { says: /IO_BITMAP_A is 0xffffffff80[0-9a-f]+: .* is a linear address of the VMM, and the field holds a physical one/ },
  'ept-memory-type': { check: 'ept-misconfiguration', says: /for Gpa 0x7000 the EPT PTE .* is malformed[^]*memory type \(bits 5:3\) is 2/ },
  'invept-missing': { check: 'ept-stale', says: /no INVEPT between/ },
};

/** Instructions within which every mistake has been noticed: the lab is at its shell by then. */
const ENOUGH = 2_000_000;

/** A host that has the planted images besides its own files. */
function hostWith(images: ReadonlyMap<string, Uint8Array>): Host {
  const host = nodeHost();
  const { files } = host;
  return {
    ...host,
    files: {
      ...files,
      size: async (name) => images.get(name)?.length ?? files.size(name),
      modified: async (name) => (images.has(name) ? undefined : files.modified(name)),
      read: async (name) => images.get(name) ?? files.read(name),
      exists: async (name) => images.has(name) || files.exists(name),
    },
  };
}

describe('VMX checks: planted mistakes', () => {
  const images = planted();
  const lab = path.join(nodeHost().packageRoot, 'lab/images');
  let story: Story;
  afterEach(() => story.end());

  const launch = async (id: string, more: object = {}): Promise<void> => {
    story = new Story(hostWith(images));
    await story.launch({
      boot: { disk: `/mistakes/${id}/vmm.img` },
      drives: [`${lab}/complete/guest.img`],
      symbols: [{ file: `/mistakes/${id}/vmm.elf`, world: 'vmm' }, { file: `${lab}/complete/guest.elf`, world: 'guest' }],
      ...more,
    });
  };

  it('every planted mistake is in the table', () => {
    story = new Story();
    assert.deepStrictEqual([...images.keys()].filter((name) => name.endsWith('.img')).map((name) => name.split('/')[2]), Object.keys(MISTAKES));
  });

  it('every check has a mistake', () => {
    story = new Story();
    assert.deepStrictEqual(CHECKS.map((c) => c.id).filter((id) => !Object.values(MISTAKES).some((m) => m.check === id)), []);
  });

  for (const [id, { check, says, after = 0 }] of Object.entries(MISTAKES)) {
    it(id, async () => {
      await launch(id);
      const first = story.client.next('stopped');
      await story.client.configured();
      await first;
      for (let i = 0; i < after; i++) await story.client.until('continue');
      const info = await story.client.request<{ exceptionId: string; description: string; details: { message: string } }>('exceptionInfo', { threadId: 1 });
      // The editor shows the description: it must say all.
      const whole = info.description.startsWith(info.details.message) ? info.description : `${info.details.message}\n${info.description}`;
      assert.match(whole, says);
      // Failed entries are told by others; what a check tells is golden text.
      const title = CHECKS.find((c) => c.id === check)?.title;
      if (info.exceptionId !== title) return;
      story.tell(`${info.exceptionId}: ${whole}`);
      story.expect(`mistake-${id}`);
    });
  }

  // With the check on, the test above has the machine stop long before any of this is reached.
  for (const { id: check, title } of CHECKS) {
    it(`${check}: switched off it is silent`, async () => {
      const [mistake] = Object.entries(MISTAKES).find(([, expected]) => expected.check === check)!;
      await launch(mistake, { vmxChecks: { [check]: false } });
      const { client } = story;
      const over = [client.next('stopped'), client.next('terminated'), client.next('hyperstep/activity', ({ instructions }) => Number(instructions) > ENOUGH), client.shows('vm$ ')];
      for (const end of over) end.catch(() => {});
      await client.configured();
      await Promise.race(over);
      if (client.events.some(({ event }) => event === 'stopped')) assert.notEqual((await client.request<{ exceptionId: string }>('exceptionInfo', { threadId: 1 })).exceptionId, title);
      assert.doesNotMatch(client.console, new RegExp(`"${check}"`));
    });
  }
});

describe('VMX checks: the lab itself', () => {
  const ENDS = { reason: 'Unhandled VMEXIT', cpuid: 'cpuid not implemented', disk: 'ipc_host_send not implemented', complete: 'vm$ ' };
  for (const [state, text] of Object.entries(ENDS)) {
    it(`no check fires in the state ${state}`, async () => {
      const story = new Story();
      const lab = path.join(nodeHost().packageRoot, 'lab/images', state);
      await story.launch({ boot: { disk: `${lab}/vmm.img` }, drives: [`${lab}/guest.img`], symbols: [`${lab}/vmm.elf`, `${lab}/guest.elf`] });
      await story.client.configured();
      await story.client.shows(text);
      if (state === 'complete') {
        await story.client.request('hyperstep/type', { text: 'halt\r' });
        await story.client.next('terminated');
      } else await new Promise((resolve) => setTimeout(resolve, 200));
      assert.doesNotMatch(story.client.console, new RegExp(CHECKS.map((c) => `"${c.id}"`).join('|')));
      await story.end();
    });
  }
});
