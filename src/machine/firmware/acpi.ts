/**
 * The ACPI tables (ACPI Specification, "ACPI Software Programming Model"): RSDP, RSDT, XSDT, FADT, FACS, MADT, HPET, MCFG and a DSDT with
 * the processors, the PCI bus, the devices of the board that are not found otherwise, and the states of sleep and soft-off.
 */
import { ACPI_PORTS, SCI_LINE, SLEEP_TYPE } from '../devices/acpiPower';
import { HPET_BLOCK_ID } from '../devices/hpet';
import { CONFIGURATION_WINDOW, CONFIGURATION_WINDOW_SIZE, INTERRUPT_ROUTES, PCI_MEMORY, PIRQ_LINES, pirqOf } from '../devices/pci/pciTable';
import { RESET_CONTROL } from '../devices/powerControl';
import { FACS, HPET, IO_APIC, ioApicId, LOCAL_APIC, LOW_RAM_END, TEXT_MEMORY_END } from '../memory/addressMap';
import { type Aml, ARGUMENT_0, busNumbers, device, ifTrue, integer, irq, memory, memoryRange, method, name, packageOf, pnpId, portRange, ports, reference, resources, returns, scope, store, string } from './aml';
import type { MpOptions } from './mpTable';
import { type LoaderFile, tableLoader } from './tableLoader';
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

/** What differs between this machine's BIOS and firmware of others. */
export interface AcpiPlatform {
  /** First port of ACPI's registers. */
  powerPorts: number;
  /** ISA lines that PIRQA# to PIRQD# are routed to. */
  lines: readonly number[];
  /** Addresses that the PCI bus gets; the last is included. */
  pciMemory: { readonly first: number; readonly last: number };
  /** Whether there is S3. */
  sleeps: boolean;
}

const OWN: AcpiPlatform = { powerPorts: ACPI_PORTS.EVENT, lines: PIRQ_LINES, pciMemory: PCI_MEMORY, sleeps: true };

/** All tables but the RSDP, one after another, and where those are that it names; `facs` is its address when it is elsewhere. */
function layOut(address: number, mp: MpOptions, platform: AcpiPlatform, facsAt?: number) {
  const bytes: number[] = [];
  const place = (what: readonly number[], alignment = 16): number => {
    while (bytes.length % alignment !== 0) bytes.push(0);
    bytes.push(...what);
    return address + bytes.length - what.length;
  };
  const facsIs = facsAt ?? place([...facs()], FACS_SIZE);
  const dsdtAt = place(table('DSDT', 2, dsdt(mp, platform)));
  const fadtAt = place(fadt(facsIs, dsdtAt, platform.powerPorts));
  const madtAt = place(madt(mp));
  const all = [fadtAt, madtAt, place(hpet()), place(mcfg())];
  const rsdtAt = place(table('RSDT', 1, all.flatMap(u32)));
  const xsdtAt = place(table('XSDT', 1, all.flatMap(u64)));
  return { bytes, fadtAt, rsdtAt, xsdtAt, named: all.length };
}

/** The tables as they lie from `address` (a multiple of 16) on; the RSDP is first. */
export function acpiTables(address: number, mp: MpOptions): Uint8Array {
  const first = Math.ceil(RSDP_SIZE / 16) * 16;
  const { bytes, rsdtAt, xsdtAt } = layOut(address + first, mp, OWN, FACS);
  return Uint8Array.from([...rsdp(rsdtAt, xsdtAt), ...new Array<number>(first - RSDP_SIZE).fill(0), ...bytes]);
}

/** The tables for firmware that places them itself: two files, whose pointers are offsets in the first, and what to do with them. */
export function loaderTables(mp: MpOptions, platform: AcpiPlatform): { tables: Uint8Array; rsdp: Uint8Array; commands: Uint8Array } {
  const { bytes, fadtAt, rsdtAt, xsdtAt, named } = layOut(0, mp, platform);
  const length = (at: number): number => bytes[at + 4]! + bytes[at + 5]! * 0x100;
  const sum = (at: number) => ({ at: at + 9, first: at, length: length(at) });
  const entries = (at: number, size: number) => Array.from({ length: named }, (_, n) => ({ at: at + HEADER_SIZE + n * size, size }));
  const tables: LoaderFile = { name: 'etc/acpi/tables', alignment: FACS_SIZE, low: false, pointers: [{ at: fadtAt + 36, size: 4 }, { at: fadtAt + 40, size: 4 }, { at: fadtAt + 140, size: 8 }, ...entries(rsdtAt, 4), ...entries(xsdtAt, 8)], sums: [fadtAt, rsdtAt, xsdtAt].map(sum) };
  const root: LoaderFile = { name: 'etc/acpi/rsdp', alignment: 16, low: true, pointers: [{ at: 16, size: 4 }, { at: 24, size: 8 }], sums: [{ at: 8, first: 0, length: 20 }, { at: 32, first: 0, length: RSDP_SIZE }] };
  const encoded = Uint8Array.from(bytes);
  const rootBytes = Uint8Array.from(rsdp(rsdtAt, xsdtAt));
  // The firmware adds what is missing to the sums, which so begin as 0.
  for (const { at } of tables.sums) encoded[at] = 0;
  for (const { at } of root.sums) rootBytes[at] = 0;
  return { tables: encoded, rsdp: rootBytes, commands: tableLoader([tables, root], tables.name) };
}

function rsdp(rsdt: number, xsdt: number): number[] {
  const bytes = [...ascii('RSD PTR ', 8), 0, ...ascii('HYPERS', 6), 2, ...u32(rsdt), ...u32(RSDP_SIZE), ...u64(xsdt), 0, 0, 0, 0];
  bytes[8] = checksum(bytes.slice(0, 20)); // of the part that ACPI 1.0 knew
  bytes[32] = checksum(bytes);
  return bytes;
}

/** A generic address: a port. */
const portAddress = (port: number, bytes: number): number[] => [1, bytes * 8, 0, bytes === 4 ? 3 : bytes, ...u64(port)];

function fadt(facsAt: number, dsdt: number, powerPorts: number): number[] {
  const body = new Array<number>(FADT_SIZE - HEADER_SIZE).fill(0);
  const put = (offset: number, bytes: readonly number[]): void => bytes.forEach((byte, i) => (body[offset - HEADER_SIZE + i] = byte));
  const [event, control, timer] = [ACPI_PORTS.EVENT, ACPI_PORTS.CONTROL, ACPI_PORTS.TIMER].map((port) => port - ACPI_PORTS.EVENT + powerPorts) as [number, number, number];
  put(36, u32(facsAt));
  put(40, u32(dsdt));
  put(46, u16(SCI_LINE));
  put(56, u32(event));
  put(64, u32(control));
  put(76, u32(timer));
  put(88, [4, 2, 0, 4]); // lengths of event, control, second control and timer registers
  put(96, [...u16(0x0fff), ...u16(0x0fff)]); // C2 and C3 are not supported
  put(108, [0x32]); // the century's register in CMOS
  put(109, u16(BOOT_FLAGS));
  put(112, u32(FADT_FLAGS));
  put(116, [...portAddress(RESET_CONTROL, 1), RESET_VALUE]);
  put(140, u64(dsdt));
  put(148, portAddress(event, 4));
  put(172, portAddress(control, 2));
  put(208, portAddress(timer, 4));
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

function dsdt({ cpus }: MpOptions, { pciMemory, lines, sleeps }: AcpiPlatform): Aml {
  const pci = device(
    'PCI0',
    name('_HID', pnpId('PNP0A03')),
    name('_UID', integer(0)),
    name('_CRS', resources(busNumbers(0, 0), ports(0xcf8, 8), portRange(0, 0xcf7), portRange(0xd00, 0xffff), memoryRange(LOW_RAM_END, TEXT_MEMORY_END - 1), memoryRange(pciMemory.first, pciMemory.last))),
    name('PRTA', routing(({ input }) => input)),
    name('PRTP', routing(({ device, pin }) => lines[pirqOf(device, pin + 1)]!)),
    method('_PRT', 0, ifTrue(reference('\\PICF'), returns(reference('PRTA'))), returns(reference('PRTP'))),
  );
  // The MADT names the same processors by the same numbers.
  const processors = Array.from({ length: cpus }, (_, n) => device(`CPU${n}`, name('_HID', string('ACPI0007')), name('_UID', integer(n))));
  const board = BOARD_DEVICES.map(([path, id, ...occupied]) => device(path, name('_HID', pnpId(id)), name('_CRS', resources(...occupied))));
  return [
    // Software tells which interrupt controllers it uses: 0 the 8259s, 1 the I/O APIC.
    ...name('PICF', integer(0)),
    ...method('_PIC', 1, store(ARGUMENT_0, 'PICF')),
    ...(sleeps ? sleepState('_S3', SLEEP_TYPE.S3) : []),
    ...sleepState('_S5', SLEEP_TYPE.S5),
    ...scope('\\_SB', ...processors, pci, ...board),
  ];
}
