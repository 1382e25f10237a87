/** PIIX4, function 3: says where ACPI's registers are, for firmware that puts them where it wants them. */
import { Config, type PciFunction } from './pciFunction';
import { ChipsetFunction, PciSlot } from './pciTable';

/** Power-management base address, whose bit 0 says that it is one of ports, and the enable bit for it. */
const BASE = 0x40;
const BASE_BITS = 0xffc0;
const ENABLE = 0x80;
/** SMI#s by the APM ports are switched on, so that firmware finds nothing left to set up: there is no system-management mode. */
const DEVICE_ACTIVITY = 0x5b;
const APMC = 0x02;

/** `placed` is told the first port, or undefined while the registers are switched off. */
export function powerManagement(placed: (base: number | undefined) => void): PciFunction {
  const look = (space: Uint8Array): void => placed(space[ENABLE]! & 1 ? (space[BASE]! | (space[BASE + 1]! << 8)) & BASE_BITS : undefined);
  return {
    name: 'power management',
    device: PciSlot.CHIPSET,
    fn: ChipsetFunction.POWER,
    vendorId: 0x8086,
    deviceId: 0x7113,
    classCode: 0x06_8000,
    revision: 3,
    subsystemVendorId: 0,
    subsystemId: 0,
    pin: 0,
    bars: [],
    capabilities: [],
    // The pin is there, and wired to the ISA line of the system control interrupt instead of a PCI line.
    preset: [[BASE, 0x01], [DEVICE_ACTIVITY, APMC], [Config.INTERRUPT_PIN, 1]],
    writable: [[BASE, BASE, BASE_BITS & 0xff], [BASE + 1, BASE + 1], [ENABLE, ENABLE, 1]],
    written: look,
    restored: look,
  };
}
