/**
 * The ACPI tables (ACPI Specification, "ACPI Software Programming Model"): RSDP, RSDT, XSDT, FADT, FACS, MADT, HPET, MCFG and a DSDT with
 * the processors, the PCI bus, the devices of the board that are not found otherwise, and the states of sleep and soft-off.
 */
import { ACPI_PORTS, SCI_LINE, SLEEP_TYPE } from '../devices/acpiPower';
import { HPET_BLOCK_ID } from '../devices/hpet';
import { CONFIGURATION_WINDOW, CONFIGURATION_WINDOW_SIZE, INTERRUPT_ROUTES, PCI_MEMORY } from '../devices/pci/pciTable';
import { RESET_CONTROL } from '../devices/powerControl';
import { FACS, HPET, IO_APIC, ioApicId, LOCAL_APIC, LOW_RAM_END, TEXT_MEMORY_END } from '../memory/addressMap';
import { type Aml, ARGUMENT_0, busNumbers, device, ifTrue, integer, irq, memory, memoryRange, method, name, packageOf, pnpId, portRange, ports, reference, resources, returns, scope, store, string } from './aml';
import type { MpOptions } from './mpTable';
import { ascii, checksum, u16, u32, u64 } from './tableBytes';

const HEADER_SIZE = 36;
const RSDP_SIZE = 36;
const RESET_VALUE = 0x06;
/** FADT: WBINVD works, C1 is HLT, buttons are no fixed hardware (the clock's alarm is), 32-bit timer, reset register. */
const FADT_FLAGS = (1 << 0) | (1 << 2) | (1 << 4) | (1 << 5) | (1 << 8) | (1 << 10);
/** FADT boot flags: there are devices on the ISA bus, an 8042 among them. */
const BOOT_FLAGS = 0x0003;
const FACS_SIZE = 64;
const FADT_SIZE = 244;
const MADT_8259 = 1;
/** Fewest counts of the high precision timer between two interrupts without losing one. */
const HPET_MINIMUM = 0x80;
/** Interrupt override flags: active high and level-triggered. */
const LEVEL_HIGH = 0x000d;

function table(signature: string, revision: number, body: readonly number[]): number[] {
  const bytes = [...ascii(signature, 4), ...u32(HEADER_SIZE + body.length), revision, 0, ...ascii('HYPERS', 6), ...ascii('HYPERSTP', 8), ...u32(1), ...ascii('HYPS', 4), ...u32(1), ...body];
  bytes[9] = checksum(bytes);
  return bytes;
}

/** The FACS, which software writes to and so is in RAM: it holds the lock that firmware and system share, and where to wake up. */
export function facs(): Uint8Array {
  const bytes = new Uint8Array(FACS_SIZE);
  bytes.set([...ascii('FACS', 4), ...u32(FACS_SIZE)]);
  bytes[32] = 1; // its version
  return bytes;
}

/** All tables, one after another, as they lie from `address` (a multiple of 16) on; the RSDP is first. */
export function acpiTables(address: number, mp: MpOptions): Uint8Array {
  const bytes: number[] = new Array<number>(RSDP_SIZE).fill(0);
  const place = (what: number[]): number => {
    while (bytes.length % 16 !== 0) bytes.push(0);
    bytes.push(...what);
    return address + bytes.length - what.length;
  };
  const dsdtAt = place(table('DSDT', 2, dsdt(mp)));
  const fadtAt = place(fadt(dsdtAt));
  const madtAt = place(madt(mp));
  const all = [fadtAt, madtAt, place(hpet()), place(mcfg())];
  const rsdtAt = place(table('RSDT', 1, all.flatMap(u32)));
  const xsdtAt = place(table('XSDT', 1, all.flatMap(u64)));
  rsdp(rsdtAt, xsdtAt).forEach((byte, i) => (bytes[i] = byte));
  return Uint8Array.from(bytes);
}

function rsdp(rsdt: number, xsdt: number): number[] {
  const bytes = [...ascii('RSD PTR ', 8), 0, ...ascii('HYPERS', 6), 2, ...u32(rsdt), ...u32(RSDP_SIZE), ...u64(xsdt), 0, 0, 0, 0];
  bytes[8] = checksum(bytes.slice(0, 20)); // of the part that ACPI 1.0 knew
  bytes[32] = checksum(bytes);
  return bytes;
}

/** A generic address: a port. */
const portAddress = (port: number, bytes: number): number[] => [1, bytes * 8, 0, bytes === 4 ? 3 : bytes, ...u64(port)];

function fadt(dsdt: number): number[] {
  const body = new Array<number>(FADT_SIZE - HEADER_SIZE).fill(0);
  const put = (offset: number, bytes: readonly number[]): void => bytes.forEach((byte, i) => (body[offset - HEADER_SIZE + i] = byte));
  put(36, u32(FACS));
  put(40, u32(dsdt));
  put(46, u16(SCI_LINE));
  put(56, u32(ACPI_PORTS.EVENT));
  put(64, u32(ACPI_PORTS.CONTROL));
  put(76, u32(ACPI_PORTS.TIMER));
  put(88, [4, 2, 0, 4]); // lengths of event, control, second control and timer registers
  put(96, [...u16(0x0fff), ...u16(0x0fff)]); // C2 and C3 are not supported
  put(108, [0x32]); // the century's register in CMOS
  put(109, u16(BOOT_FLAGS));
  put(112, u32(FADT_FLAGS));
  put(116, [...portAddress(RESET_CONTROL, 1), RESET_VALUE]);
  put(140, u64(dsdt));
  put(148, portAddress(ACPI_PORTS.EVENT, 4));
  put(172, portAddress(ACPI_PORTS.CONTROL, 2));
  put(208, portAddress(ACPI_PORTS.TIMER, 4));
  return table('FACP', 4, body);
}

/** IA-PC HPET Specification, "The HPET Description Table". */
const hpet = (): number[] => table('HPET', 1, [...u32(HPET_BLOCK_ID), 0, 64, 0, 0, ...u64(HPET), 0, ...u16(HPET_MINIMUM), 0]);

/** PCI Firmware Specification, "MCFG Table Description": the configuration spaces of bus 0 of segment 0. */
const mcfg = (): number[] => table('MCFG', 1, [...u64(0), ...u64(CONFIGURATION_WINDOW), ...u16(0), 0, 0, ...u32(0)]);

function madt({ cpus, ioApicInput }: MpOptions): number[] {
  const entries: number[][] = [];
  for (let id = 0; id < cpus; id++) entries.push([0, 8, id, id, ...u32(1)]);
  entries.push([1, 12, ioApicId(cpus), 0, ...u32(IO_APIC), ...u32(0)]);
  for (let line = 0; line < 16; line++) if (ioApicInput(line) !== line) entries.push([2, 10, 0, line, ...u32(ioApicInput(line)), ...u16(0)]);
  entries.push([2, 10, 0, SCI_LINE, ...u32(ioApicInput(SCI_LINE)), ...u16(LEVEL_HIGH)]);
  entries.push([4, 6, 0xff, ...u16(0), 1]); // NMI on LINT1 of every processor
  return table('APIC', 3, [...u32(LOCAL_APIC), ...u32(MADT_8259), ...entries.flat()]);
}

/** Devices of the board that software finds by their identifiers: name, identifier, and what they occupy. */
const BOARD_DEVICES: readonly (readonly [string, string, ...Aml[]])[] = [
  ['MBRD', 'PNP0C02', memory(CONFIGURATION_WINDOW, CONFIGURATION_WINDOW_SIZE)],
  ['RTC', 'PNP0B00', ports(0x70, 2), irq(8)],
  ['TMR', 'PNP0100', ports(0x40, 4), irq(0)],
  ['KBD', 'PNP0303', ports(0x60, 1), ports(0x64, 1), irq(1)],
  ['COM1', 'PNP0501', ports(0x3f8, 8), irq(4)],
  ['LPT1', 'PNP0400', ports(0x378, 8), irq(7)],
];

/** Interrupt routing: device and any function, pin, no link device, interrupt. */
const routing = (interrupt: (route: (typeof INTERRUPT_ROUTES)[number]) => number): Aml => packageOf(...INTERRUPT_ROUTES.map((route) => packageOf(integer(route.device * 0x1_0000 + 0xffff), integer(route.pin), integer(0), integer(interrupt(route)))));

/** What to write into the control registers for a state, of which this machine has one. */
const sleepState = (state: string, type: number): Aml => name(state, packageOf(integer(type), integer(type), integer(0), integer(0)));

function dsdt({ cpus }: MpOptions): Aml {
  const pci = device(
    'PCI0',
    name('_HID', pnpId('PNP0A03')),
    name('_UID', integer(0)),
    name('_CRS', resources(busNumbers(0, 0), ports(0xcf8, 8), portRange(0, 0xcf7), portRange(0xd00, 0xffff), memoryRange(LOW_RAM_END, TEXT_MEMORY_END - 1), memoryRange(PCI_MEMORY.first, PCI_MEMORY.last))),
    name('PRTA', routing(({ input }) => input)),
    name('PRTP', routing(({ line }) => line)),
    method('_PRT', 0, ifTrue(reference('\\PICF'), returns(reference('PRTA'))), returns(reference('PRTP'))),
  );
  // The MADT names the same processors by the same numbers.
  const processors = Array.from({ length: cpus }, (_, n) => device(`CPU${n}`, name('_HID', string('ACPI0007')), name('_UID', integer(n))));
  const board = BOARD_DEVICES.map(([path, id, ...occupied]) => device(path, name('_HID', pnpId(id)), name('_CRS', resources(...occupied))));
  return [
    // Software tells which interrupt controllers it uses: 0 the 8259s, 1 the I/O APIC.
    ...name('PICF', integer(0)),
    ...method('_PIC', 1, store(ARGUMENT_0, 'PICF')),
    ...sleepState('_S3', SLEEP_TYPE.S3),
    ...sleepState('_S5', SLEEP_TYPE.S5),
    ...scope('\\_SB', ...processors, pci, ...board),
  ];
}
