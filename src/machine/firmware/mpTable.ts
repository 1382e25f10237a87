/** The MultiProcessor tables (MultiProcessor Specification 1.4), by which kernels without ACPI find the APICs. */
import { INTERRUPT_ROUTES } from '../devices/pci/pciTable';
import { IO_APIC, ioApicId, LOCAL_APIC } from '../memory/addressMap';
import { ascii, checksum, u16, u32 } from './tableBytes';

export interface MpOptions {
  cpus: number;
  /** CPUID.1:EAX and EDX, as the processor entries repeat them. */
  signature: number;
  features: number;
  /** I/O APIC input of each ISA line. */
  ioApicInput: (irq: number) => number;
}

const LOCAL_APIC_VERSION = 0x14;
const IO_APIC_VERSION = 0x20;
/** Entry types. */
const Entry = { PROCESSOR: 0, BUS: 1, IO_APIC: 2, IO_INTERRUPT: 3, LOCAL_INTERRUPT: 4 } as const;
/** Interrupt types. */
const Kind = { INT: 0, NMI: 1, EXTINT: 3 } as const;
/** Bus numbers; PCI's is its own. */
const Buses = { PCI: 0, ISA: 1 } as const;
/** Polarity and trigger mode: active low, level-triggered. */
const PCI_TRIGGER = 0x0f;
/** ISA line 2 is the cascade: it does not exist. */
const CASCADE = 2;

/** The floating pointer structure; it has to be aligned to 16 bytes. */
export function mpFloatingPointer(table: number): Uint8Array {
  const bytes = [...ascii('_MP_', 4), ...u32(table), 1, 4, 0, 0, 0, 0, 0, 0];
  bytes[10] = checksum(bytes);
  return new Uint8Array(bytes);
}

export function mpConfigurationTable({ cpus, signature, features, ioApicInput }: MpOptions): Uint8Array {
  const entries: number[][] = [];
  for (let id = 0; id < cpus; id++) entries.push([Entry.PROCESSOR, id, LOCAL_APIC_VERSION, id === 0 ? 3 : 1, ...u32(signature), ...u32(features), ...u32(0), ...u32(0)]);
  entries.push([Entry.BUS, Buses.PCI, ...ascii('PCI', 6)]);
  entries.push([Entry.BUS, Buses.ISA, ...ascii('ISA', 6)]);
  entries.push([Entry.IO_APIC, ioApicId(cpus), IO_APIC_VERSION, 1, ...u32(IO_APIC)]);
  for (let irq = 0; irq < 16; irq++) if (irq !== CASCADE) entries.push([Entry.IO_INTERRUPT, Kind.INT, 0, 0, Buses.ISA, irq, ioApicId(cpus), ioApicInput(irq)]);
  for (const { device, pin, input } of INTERRUPT_ROUTES) entries.push([Entry.IO_INTERRUPT, Kind.INT, PCI_TRIGGER, 0, Buses.PCI, (device << 2) | pin, ioApicId(cpus), input]);
  entries.push([Entry.LOCAL_INTERRUPT, Kind.EXTINT, 0, 0, Buses.ISA, 0, 0xff, 0]);
  entries.push([Entry.LOCAL_INTERRUPT, Kind.NMI, 0, 0, Buses.ISA, 0, 0xff, 1]);
  const body = entries.flat();
  const bytes = [...ascii('PCMP', 4), ...u16(44 + body.length), 4, 0, ...ascii('HYPERSTP', 8), ...ascii('HYPERSTEP PC', 12), ...u32(0), ...u16(0), ...u16(entries.length), ...u32(LOCAL_APIC), ...u16(0), 0, 0, ...body];
  bytes[7] = checksum(bytes);
  return new Uint8Array(bytes);
}
