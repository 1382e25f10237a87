/** Who maps a frame: linear addresses of the VMM, guest-physical addresses, and linear addresses of the guest. */
import { PAGE_SIZE } from '../../base/address';
import type { Target } from '../target';
import type { World } from '../world';
import { eptRoot } from './eptWalk';
import { pagingMode } from './pageWalk';
import { mappings, type Mappings, type ReadPage, type Structures } from './reverse';
import { eptFeatures, eptPointer, pagingRegisters } from './translation';
import { ENTRY_ADDRESS } from './walk';

export interface FrameMappings {
  /** Host-physical address of the frame. */
  frame: number;
  vmm: Mappings;
  /** Guest-physical addresses, when EPT is in use or there is a guest without it. */
  gpas: Mappings | undefined;
  /** Linear addresses of the guest, for each of `gpas`. */
  guest: { gpa: bigint; linear: Mappings }[];
}

export const pageReader = (target: Target, space: 'gpa' | 'hpa'): ReadPage => (address) => {
  const bytes = target.read(space, BigInt(address), PAGE_SIZE);
  return bytes.length === PAGE_SIZE ? bytes : undefined;
};

const NOTHING: Mappings = { addresses: [], complete: true };

/** Paging structures and the first linear address that they translate. */
export interface StructuresFrom {
  structures: Structures;
  from: bigint;
}

/** The paging structures of a world as they are now, PAE's four page directories one by one; undefined without paging, when linear is physical. */
export function structuresOf(target: Target, world: World): StructuresFrom[] | undefined {
  const registers = pagingRegisters(target, world);
  if (!registers) return [];
  const pse = (registers.cr4 & 0x10n) !== 0n;
  const whole = (root: bigint, levels: 0 | 4 | 5): StructuresFrom[] => [{ structures: { kind: 'paging', root: Number(root), levels, pse }, from: 0n }];
  switch (pagingMode(registers)) {
    case '5-level paging':
      return whole(registers.cr3 & ENTRY_ADDRESS, 5);
    case '4-level paging':
      return whole(registers.cr3 & ENTRY_ADDRESS, 4);
    case '32-bit paging':
      return whole(registers.cr3 & 0xffff_f000n, 0);
    case 'PAE paging': {
      const pointers = registers.pdptes ?? [0, 1, 2, 3].map((n) => target.readInteger(world === 'guest' ? 'gpa' : 'hpa', (registers.cr3 & 0xffff_ffe0n) + BigInt(n * 8), 8) ?? 0n);
      return pointers.flatMap((pointer, n): StructuresFrom[] => (pointer & 1n ? [{ structures: { kind: 'paging', root: Number(pointer & ENTRY_ADDRESS), levels: 2, pse: true }, from: BigInt(n) << 30n }] : []));
    }
    default:
      return undefined;
  }
}

function linearMappings(target: Target, world: World, physical: number): Mappings {
  const all = structuresOf(target, world);
  if (!all) return { addresses: [BigInt(physical - (physical % PAGE_SIZE))], complete: true };
  const read = pageReader(target, world === 'guest' ? 'gpa' : 'hpa');
  const found: Mappings = { addresses: [], complete: true };
  for (const { structures, from } of all) {
    const part = mappings(structures, read, physical);
    found.addresses.push(...part.addresses.map((a) => a + from));
    found.complete &&= part.complete;
  }
  return found;
}

/** All that maps the frame of a host-physical address. */
export function frameMappings(target: Target, hpa: number): FrameMappings {
  const frame = hpa - (hpa % PAGE_SIZE);
  const vmm = target.exists('vmm') ? linearMappings(target, 'vmm', frame) : NOTHING;
  const eptp = eptPointer(target);
  const guestExists = target.exists('guest');
  const gpas = eptp !== undefined ? mappings({ kind: 'ept', root: eptRoot(eptp), levels: 4, features: eptFeatures(target) }, pageReader(target, 'hpa'), frame) : guestExists ? { addresses: [BigInt(frame)], complete: true } : undefined;
  const guest = guestExists && gpas ? gpas.addresses.map((gpa) => ({ gpa, linear: linearMappings(target, 'guest', Number(gpa)) })) : [];
  return { frame, vmm, gpas, guest };
}
