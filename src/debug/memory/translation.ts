/**
 * The translation of an address as the debugger shows it: through the page tables of a world and, for a guest, through
 * EPT, which translates the address of each of its paging-structure entries too.
 */
import { Offset } from '../../cpu/state';
import { Encoding, Secondary, VmxMsr } from '../../vmx/tables';
import { readNamed } from '../registers/registerFile';
import type { Target } from '../target';
import type { World } from '../world';
import { type EptFeatures, walkEpt } from './eptWalk';
import type { SpaceName } from './memorySpace';
import { pagingMode, walkPaging, type PagingRegisters } from './pageWalk';
import type { Walk } from './walk';

export interface Translation {
  space: SpaceName;
  address: bigint;
  /** The walk of a linear address. */
  linear?: { world: World; mode: string; cr3: bigint; walk: Walk; /** EPT's walk for each entry's address, for a guest. */ entries: (Walk | undefined)[] } | undefined;
  /** What comes before EPT: guest-physical for a guest, host-physical for a VMM. */
  physical: bigint | undefined;
  /** EPT's walk of `physical`, for a guest with EPT. */
  ept?: { eptp: bigint; walk: Walk } | undefined;
  /** Host-physical address; undefined when a rule has ended the translation. */
  hpa: number | undefined;
  /** The rule that ended it. */
  stop: string | undefined;
}

/** The EPT pointer in use by the current VMCS, or undefined when there is none. */
export function eptPointer(target: Target): bigint | undefined {
  const secondary = target.vmx.readField(Encoding.SECONDARY_PROCESSOR_BASED_CONTROLS);
  const primary = target.vmx.readField(Encoding.PRIMARY_PROCESSOR_BASED_CONTROLS);
  if (secondary === undefined || primary === undefined || !((primary >> 31n) & 1n) || !(Number(secondary) & Secondary.EPT)) return undefined;
  return target.vmx.readField(Encoding.EPT_POINTER);
}

/** IA32_VMX_EPT_VPID_CAP (SDM volume 3, appendix "VPID and EPT Capabilities"). */
const CAP_EXECUTE_ONLY = 1n;
const CAP_2M = 1n << 16n;
const CAP_1G = 1n << 17n;

export function eptFeatures(target: Target): EptFeatures {
  const capabilities = target.cpu.intercepts.readMsr(VmxMsr.EPT_VPID_CAP) ?? 0n;
  const secondary = Number(target.vmx.readField(Encoding.SECONDARY_PROCESSOR_BASED_CONTROLS) ?? 0n);
  return {
    executeOnly: (capabilities & CAP_EXECUTE_ONLY) !== 0n,
    pages2M: (capabilities & CAP_2M) !== 0n,
    pages1G: (capabilities & CAP_1G) !== 0n,
    modeBasedExecute: (secondary & Secondary.MODE_BASED_EXECUTE) !== 0,
  };
}

const PDPTE_FIELDS = [Encoding.GUEST_PDPTE0, Encoding.GUEST_PDPTE1, Encoding.GUEST_PDPTE2, Encoding.GUEST_PDPTE3];

/** What page walks of a world go by, or undefined when its registers are not known. */
export function pagingRegisters(target: Target, world: World): PagingRegisters | undefined {
  const file = target.registers(world);
  const [cr0, cr3, cr4, efer] = ['cr0', 'cr3', 'cr4', 'efer'].map((name) => readNamed(file, name));
  if (cr0 === undefined || cr3 === undefined || cr4 === undefined || efer === undefined) return undefined;
  return { cr0, cr3, cr4, efer, pdptes: pdptes(target, world) };
}

/** The PDPTE registers: the processor's own, or those that the VMCS keeps for a guest with EPT. */
function pdptes(target: Target, world: World): bigint[] | undefined {
  if (world === target.world) return [0, 1, 2, 3].map((n) => target.cpu.state.get64(Offset.PDPTE + n * 8));
  if (world !== 'guest' || eptPointer(target) === undefined) return undefined;
  const values = PDPTE_FIELDS.map((field) => target.vmx.readField(field));
  return values.every((v) => v !== undefined) ? values : undefined;
}

const readHost = (target: Target) => (address: number, size: 4 | 8): bigint | undefined => target.readInteger('hpa', BigInt(address), size);

/** EPT's walk of a guest-physical address, or undefined when no EPT is in use. */
export function walkOfGpa(target: Target, gpa: bigint): { eptp: bigint; walk: Walk } | undefined {
  const eptp = eptPointer(target);
  return eptp === undefined ? undefined : { eptp, walk: walkEpt(eptp, gpa, eptFeatures(target), readHost(target)) };
}

/** Translates an address of any space as far as it goes. */
export function translate(target: Target, space: SpaceName, address: bigint): Translation {
  if (space === 'hpa') return { space, address, physical: address, hpa: Number(address), stop: undefined };
  if (space === 'gpa') return behindPaging(target, { space, address, physical: address, hpa: undefined, stop: undefined }, true);
  const registers = pagingRegisters(target, space);
  if (!registers) return { space, address, physical: undefined, hpa: undefined, stop: 'The registers of that world are not known now.' };
  const guest = space === 'guest';
  const toHost = (physical: number): number | undefined => (guest ? target.vmx.peekGpa(physical) : physical);
  const walk = walkPaging(registers, address, (at, size) => {
    const hpa = toHost(at);
    return hpa === undefined ? undefined : target.readInteger('hpa', BigInt(hpa), size);
  });
  const entries = walk.steps.map((step) => (guest ? walkOfGpa(target, BigInt(step.address))?.walk : undefined));
  // What cannot be read is mostly a table that EPT does not map: the rule is EPT's.
  const nested = entries.find((e) => e?.stop !== undefined);
  const stop = nested ? `EPT does not map the guest's paging structure. ${nested.stop}` : walk.stop;
  const translation: Translation = {
    space,
    address,
    linear: { world: space, mode: pagingMode(registers), cr3: registers.cr3, walk, entries },
    physical: walk.address === undefined ? undefined : BigInt(walk.address),
    hpa: undefined,
    stop,
  };
  return walk.address === undefined ? translation : behindPaging(target, translation, guest);
}

function behindPaging(target: Target, translation: Translation, guest: boolean): Translation {
  const physical = translation.physical!;
  const ept = guest ? walkOfGpa(target, physical) : undefined;
  if (!ept) return { ...translation, hpa: Number(physical) };
  return { ...translation, ept, hpa: ept.walk.address, stop: ept.walk.stop };
}
