/** Checks of the options that a machine is made from: every wrong value gets one sentence that names its key. */
import { UserError } from '../base/errors';
import { MAXIMUM_CPUS } from '../cpu/engine/layout';
import { checkKernel } from './boot/boot';
import { cable, type Cabling } from './disk/cabling';
import { Drive } from './disk/drive';
import { checkBootable } from './firmware/elTorito';
import type { MachineOptions } from './machineInterface';

const MEBIBYTE = 2 ** 20;
export const MINIMUM_MEMORY = MEBIBYTE;
export const MAXIMUM_MEMORY = 2 ** 40;

/** Throws a UserError for the first option that is wrong. Yields the drives, made from their images. */
export function checkOptions({ memory, cpus, drives, boot, e820 }: MachineOptions): Drive[] {
  if (!Number.isFinite(memory) || memory < MINIMUM_MEMORY) throw new UserError('machine.memory', `machine.memory is ${Number.isFinite(memory) ? `${memory} bytes` : String(memory)}; give it at least 1 MiB, for instance "64M".`);
  if (memory > MAXIMUM_MEMORY) throw new UserError('machine.memory', `machine.memory is ${Math.round(memory / 2 ** 30)} GiB; Hyperstep's PC takes at most 1 TiB ("1T").`);
  if (!Number.isInteger(cpus) || cpus < 1) throw new UserError('machine.cpus', `machine.cpus is ${cpus}; give it 1 to ${MAXIMUM_CPUS}.`);
  if (cpus > MAXIMUM_CPUS) throw new UserError('machine.cpus', `machine.cpus is ${cpus}; Hyperstep's PC has at most ${MAXIMUM_CPUS} processors.`);
  if (boot.kind === 'firmware' && e820) throw new UserError('machine.e820', 'machine.e820 is the memory map that Hyperstep\'s own BIOS reports; with machine.firmware the firmware makes its own: leave out one of them.');
  const made = drives.map((image, n) => new Drive(image, n === 0 && boot.kind === 'disk'));
  const cabling = cable(made);
  if (boot.kind === 'disk' || boot.kind === 'cdrom') checkStart(boot.kind, cabling);
  else checkKernel(boot);
  return made;
}

/** Throws a UserError when the BIOS would find nothing that it can start. */
function checkStart(kind: 'disk' | 'cdrom', { disks, cds, floppies }: Cabling): void {
  const first = floppies.find((drive) => drive.bootable) ?? disks[0] ?? floppies[0];
  if (kind === 'cdrom' || (!first && cds[0])) {
    if (!cds[0]) throw new UserError('boot.cdrom', 'There is no CD to boot from: name an image in boot.cdrom.');
    checkBootable(cds[0]);
  } else if (!first) throw new UserError('boot.disk', 'There is no disk to boot from: name an image in boot.disk.');
  else if (!first.bootable) throw new UserError('boot.signature', `${first.name} is not a boot disk: its first sector does not end with the bytes 55 AA.`);
}
