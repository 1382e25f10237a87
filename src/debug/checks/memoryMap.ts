/**
 * The memory map that the guest asks for by hypercall 1 (MBMAP of the course's ABI): RBX must hold the Gpa of a
 * multiboot_info that EPT maps, and the information must point to a map that makes sense. A guest that cannot use the map
 * falls back to its CMOS without a word, so nobody would notice.
 */
import { hex } from '../../base/bits';
import { Gpr } from '../../cpu/state';
import { Encoding, Reason } from '../../vmx/tables';
import { asksForMap } from '../memory/guestMap';
import type { Sight, VmxCheck } from './check';
import { registerIn } from './resultRegisters';

/** multiboot_info (multiboot specification, "Boot information format"). */
const FLAG_MMAP = 1n << 6n;
const MMAP_LENGTH = 44n;
const MMAP_ADDRESS = 48n;
const INFO_SIZE = 52n;
/** More than this is no map. */
const MOST_BYTES = 4096n;
/** An entry's bytes behind its size field. */
const ENTRY_SIZE = 20n;
const HIGHEST_TYPE = 5n;
const MOST_GPA = 1n << 48n;
const CR0_PG = 1n << 31n;
/** Guest-physical pages that are searched for a host page: 256 MiB. */
const SEARCHED_PAGES = 0x1_0000;
const PAGE = 0x1000n;

type Read = (address: bigint, size: number) => bigint | undefined;

/** What is wrong with the map at an address, or undefined when it makes sense. */
function mapProblem(read: Read, address: bigint, length: bigint): string | undefined {
  let at = address;
  for (let n = 0; at < address + length; n++) {
    const size = read(at, 4);
    const base = read(at + 4n, 8);
    const bytes = read(at + 12n, 8);
    const type = read(at + 20n, 4);
    if (size === undefined || base === undefined || bytes === undefined || type === undefined) return `EPT maps nothing at Gpa ${hex(at)}, where entry ${n} lies`;
    if (size < ENTRY_SIZE || size > MOST_BYTES) return `entry ${n} at Gpa ${hex(at)} has size ${size}, and must have ${ENTRY_SIZE}`;
    if (type === 0n || type > HIGHEST_TYPE) return `entry ${n} at Gpa ${hex(at)} has type ${hex(type)}, which does not exist`;
    if (bytes === 0n) return `entry ${n} at Gpa ${hex(at)} has length 0`;
    at += size + 4n;
  }
  return at === address + length ? undefined : `its entries end at Gpa ${hex(at)}, not at ${hex(address + length)} as mmap_length says`;
}

class MapAnswer {
  private readonly read: Read;

  constructor(
    private readonly sight: Sight,
    private readonly rbx: bigint,
    private readonly before: bigint,
  ) {
    this.read = (address, size) => (address < MOST_GPA ? sight.target.readInteger('gpa', address, size) : undefined);
  }

  /** The sentence about what is wrong and the one that helps; undefined when all is well. */
  problem(): [sentence: string, note?: string | undefined] | undefined {
    const { rbx } = this;
    const inRbx = `RBX, which must hold the guest-physical address of the memory map after hypercall 1, is ${hex(rbx)}`;
    const flags = this.read(rbx, 4);
    if (flags !== undefined && (flags & FLAG_MMAP) !== 0n) return this.informationProblem();
    const meant = this.meant(rbx);
    if (meant !== undefined) return [`${inRbx}: that is ${meant[0]}.`, `The guest sees that page at Gpa ${hex(meant[1])}.`];
    if (rbx === this.before) {
      const raxChanged = this.sight.trip.changed & (1 << Gpr.RAX);
      const note = raxChanged
        ? `RAX has become ${hex(registerIn(this.sight.trip.now, Gpr.RAX))}, as for a hypercall that is not known: does the VMM see the 1 that the guest put into RAX, that is, does the code behind HOST_RIP save the guest's registers?`
        : 'The answer goes into the guest\'s saved RBX.';
      return [`${inRbx}, as when the guest asked: the handler has not set it.`, note];
    }
    if (rbx >= MOST_GPA) return [`${inRbx}: that is no guest-physical address but one of the VMM's own.`];
    if (flags === undefined) return [`${inRbx}, and EPT maps nothing there: the page of the map must be mapped for the guest before it goes on.`];
    return [`${inRbx}, but there is no multiboot_info there that says where the map is: its flags are ${hex(flags)}, and bit 6 must be 1.`];
  }

  private informationProblem(): [string, string?] | undefined {
    const { rbx, read } = this;
    const length = read(rbx + MMAP_LENGTH, 4) ?? 0n;
    const address = read(rbx + MMAP_ADDRESS, 4) ?? 0n;
    if (length === 0n || length > MOST_BYTES) return [`mmap_length of the memory map that the guest got is ${length}: it must be the size of all entries in bytes.`];
    const problem = mapProblem(read, address, length);
    if (problem === undefined) return undefined;
    const behind = mapProblem(read, rbx + INFO_SIZE, length) === undefined ? ` A map that makes sense begins at Gpa ${hex(rbx + INFO_SIZE)}, right behind the multiboot_info.` : '';
    return [`mmap_addr of the memory map that the guest got is ${hex(address)}: ${this.pointerWords(address)}, and ${problem}.`, `It must be the guest-physical address of the first entry.${behind}`];
  }

  /** What a wrong mmap_addr seems to be. */
  private pointerWords(address: bigint): string {
    const { rbx } = this;
    if (address === rbx) return 'that is the multiboot_info itself';
    if (address === INFO_SIZE) return 'that is an offset, not an address';
    const hpa = this.sight.target.vmx.peekGpa(Number(rbx));
    if (hpa !== undefined) {
      const offset = (address - BigInt(hpa)) & 0xffff_ffffn;
      if (offset < PAGE) return 'that is a host-physical address';
      const linear = (0xffff_ffffn << 32n) | address;
      const physical = this.sight.target.space('vmm').translate(linear) ?? this.hostPhysical(linear);
      if (physical !== undefined && Math.floor(physical / 0x1000) === Math.floor(hpa / 0x1000)) return 'that is the low half of the VMM\'s linear address';
    }
    return 'there is no map';
  }

  /** A VMM-linear or host-physical address of a page that the guest has, with that page's Gpa. */
  private meant(value: bigint): [what: string, gpa: bigint] | undefined {
    const linear = this.hostPhysical(value);
    const candidates: [string, number | undefined][] = [['a linear address of the VMM', linear], ['a host-physical address', value < MOST_GPA ? Number(value) : undefined]];
    for (const [what, hpa] of candidates) {
      if (hpa === undefined) continue;
      const flags = this.sight.target.readInteger('hpa', BigInt(hpa), 4);
      if (flags === undefined || (flags & FLAG_MMAP) === 0n) continue;
      const gpa = this.guestPageOf(hpa);
      if (gpa !== undefined) return [what, gpa];
    }
    return undefined;
  }

  private hostPhysical(linear: bigint): number | undefined {
    return this.sight.target.space('vmm').translate(linear);
  }

  private guestPageOf(hpa: number): bigint | undefined {
    const { vmx } = this.sight.target;
    const page = Math.floor(hpa / 0x1000);
    for (let n = 0; n < SEARCHED_PAGES; n++) {
      const at = vmx.peekGpa(n * 0x1000);
      if (at !== undefined && Math.floor(at / 0x1000) === page) return BigInt(n * 0x1000 + (hpa % 0x1000));
    }
    return undefined;
  }
}

export const memoryMap: VmxCheck = {
  id: 'memory-map',
  title: 'Memory map that the guest cannot use',
  sentence: 'The answer to hypercall 1 is no guest-physical address of a memory map: RBX not set, its page not mapped for the guest, or mmap_addr wrong.',
  watch(sight) {
    const { trip, field, report } = sight;
    return {
      entriesAfter: Reason.VMCALL,
      entry() {
        const { exit } = trip;
        // A guest asks before it has paging: with it, hypercall 1 is somebody else's.
        if (!exit || !asksForMap(exit) || (field(Encoding.GUEST_CR0) & CR0_PG) !== 0n || field(Encoding.GUEST_RIP) === exit.guestRip) return;
        const [sentence, note] = new MapAnswer(sight, registerIn(trip.now, Gpr.RBX), registerIn(trip.atExit, Gpr.RBX)).problem() ?? [];
        if (sentence !== undefined) report('entry', exit.n, sentence, note, 'A guest that gets no map asks its CMOS instead, and goes on as if nothing had happened.');
      },
    };
  },
};
