/**
 * The configuration spaces of bus 0 as memory, 4 KiB for each function (PCI Express Base Specification, "PCI Express
 * Enhanced Configuration Access Mechanism"). This chip set's functions are conventional ones, with 256 bytes each: what
 * is behind them reads as ones.
 */
import { PAGE_SIZE, pageOf } from '../../../base/address';
import type { Bus } from '../../bus';
import { CONFIGURATION_SIZE } from './pciFunction';
import type { PciHost } from './pciHost';
import { CONFIGURATION_WINDOW, CONFIGURATION_WINDOW_SIZE } from './pciTable';

const ENABLED = 0x8000_0000;

export function openConfigurationWindow(bus: Bus, host: PciHost): void {
  for (let page = 0; page < CONFIGURATION_WINDOW_SIZE / PAGE_SIZE; page++) {
    // Device and function number are where port 0xCF8 has them, four bits lower.
    const address = (offset: number): number => (ENABLED | (page << 8) | (offset & 0xfc)) >>> 0;
    bus.claimPage(pageOf(CONFIGURATION_WINDOW) + page, {
      readRegister: (offset, size) => (offset < CONFIGURATION_SIZE ? host.configurationRead(address(offset), offset & 3, size) : 0xffff_ffff >>> (32 - 8 * size)),
      writeRegister: (offset, size, value) => {
        if (offset < CONFIGURATION_SIZE) host.configurationWrite(address(offset), offset & 3, size, value);
      },
    });
  }
}
