/** Kernels that are started without firmware and boot loader: how each kind is checked, and how it is loaded and entered. */
import type { Processor } from '../../cpu/processor';
import { checkForeign } from '../firmware/foreign';
import { RSDP } from '../firmware/rom';
import type { Boot } from '../machineInterface';
import type { Display } from '../devices/display';
import type { PhysicalMemory } from '../memory/physicalMemory';
import { bootLinux, checkLinux } from './linux';
import { bootMultiboot, hasMultibootHeader, kernelOf } from './multiboot';
import { bootMultiboot2, hasMultiboot2Header, kernel2Of } from './multiboot2';
import { bootPvh, pvhKernelOf } from './pvh';
import { bootRawElf, rawKernelOf } from './rawElf';

/** Checks the image that is to be booted. Throws a UserError that names the file. */
export function checkKernel(boot: Boot): void {
  switch (boot.kind) {
    case 'multiboot':
      return void (isMultiboot2(boot) ? kernel2Of(boot.image) : kernelOf(boot.image));
    case 'linux':
      return checkLinux(boot);
    case 'pvh':
      return void pvhKernelOf(boot.image);
    case 'elf':
      return void rawKernelOf(boot.image);
    case 'firmware':
      return checkForeign(boot);
    case 'disk':
    case 'cdrom':
  }
}

/** Loads the kernel and puts the processor at its entry; the firmware has initialised its data. Nothing for what firmware boots. */
export function bootKernel(boot: Boot, cpu: Processor, memory: PhysicalMemory, display: Display): void {
  switch (boot.kind) {
    case 'multiboot':
      return isMultiboot2(boot) ? bootMultiboot2(boot, cpu, memory, RSDP, display) : bootMultiboot(boot, cpu, memory, display);
    case 'linux':
      return bootLinux(boot, cpu, memory);
    case 'pvh':
      return bootPvh(boot, cpu, memory, RSDP);
    case 'elf':
      return bootRawElf(boot, cpu, memory);
    case 'firmware':
    case 'disk':
    case 'cdrom':
  }
}

/** A kernel with both headers is booted by version 1, as the simpler of the two promises. */
const isMultiboot2 = ({ image }: Extract<Boot, { kind: 'multiboot' }>): boolean => !hasMultibootHeader(image) && hasMultiboot2Header(image);
