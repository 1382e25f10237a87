/** The physical bus: RAM, ROM, the devices' registers in memory, and the ports. */
import { PAGE_SIZE, pageOf, pageOffset } from '../base/address';
import { hex } from '../base/bits';
import type { PhysicalBus } from '../cpu/bus';
import type { MemoryDevice, PortDevice } from './device';
import type { PhysicalMemory } from './memory/physicalMemory';
import { isCommonlyAbsent, isCommonlyProbed } from './absentPlaces';

interface PortClaim {
  device: PortDevice;
  /** Whether the device takes accesses of 2 and 4 bytes itself; otherwise they become byte accesses to successive ports. */
  wide: boolean;
}

/** Chips that are memory to read, and take commands by writes: addresses are absolute. */
export interface ChipMemory {
  /** Undefined where no chip answers. */
  readChip(address: number, size: number): number | undefined;
  /** False where no chip takes it. */
  writeChip(address: number, size: number, value: number): boolean;
}

const PORTS = 0x1_0000;
const ALL_ONES = [0, 0xff, 0xffff, 0xff_ffff, 0xffff_ffff] as const;

export class Bus implements PhysicalBus {
  /** By port, fixed ones before those that are mapped: the hot way. */
  private readonly ports: (PortClaim | undefined)[] = Array.from({ length: PORTS });
  private readonly fixed = new Map<number, PortClaim>();
  /** Ports whose place software chooses (PCI). */
  private readonly mapped = new Map<number, PortClaim>();
  private readonly registers = new Map<number, MemoryDevice>();
  /** No page below has registers: most of RAM needs no look-up. */
  private firstRegisters = Infinity;
  /** Pages that were told to have nothing. */
  private readonly absentPages = new Set<number>();
  private toldOfMemory = false;
  /** Asked where an access meets no RAM and no registers. */
  chips: ChipMemory | undefined = undefined;

  constructor(
    readonly memory: PhysicalMemory,
    private readonly warn: (sentence: string) => void,
    /** What ports promised to answer holds no more. */
    private readonly answersChanged: () => void = () => undefined,
  ) {}

  claimPorts(first: number, count: number, device: PortDevice, wide = false): void {
    for (let port = first; port < first + count; port++) {
      this.fixed.set(port, { device, wide });
      this.settlePort(port);
    }
  }

  /** Puts a device's ports where software wants them, or takes them away. It takes accesses of every size. */
  mapPorts(first: number, count: number, device: PortDevice | undefined): void {
    for (let port = first; port < first + count; port++) {
      if (device) this.mapped.set(port, { device, wide: true });
      else this.mapped.delete(port);
      this.settlePort(port);
    }
    this.answersChanged();
  }

  private settlePort(port: number): void {
    if (port < PORTS) this.ports[port] = this.fixed.get(port) ?? this.mapped.get(port);
  }

  /** Puts a device's registers at a page, or takes them away from it. */
  claimPage(page: number, device: MemoryDevice | undefined): void {
    if (device) {
      this.registers.set(page, device);
      this.firstRegisters = Math.min(page, this.firstRegisters);
    } else if (this.registers.delete(page) && page === this.firstRegisters) this.firstRegisters = Math.min(Infinity, ...this.registers.keys());
    this.memory.hide(page, device !== undefined);
    if (device && this.absentPages.delete(page)) this.memory.dropTranslations();
  }

  frameForRead(page: number): number {
    return page >= this.firstRegisters && this.registers.has(page) ? 0 : this.memory.frameForRead(page);
  }
  frameForWrite(page: number): number {
    return page >= this.firstRegisters && this.registers.has(page) ? 0 : this.memory.frameForWrite(page);
  }

  onesFrame(page: number): number {
    if (this.chips || this.registers.has(page) || this.memory.frameForRead(page)) return 0;
    this.absentPages.add(page);
    return this.memory.onesFrame();
  }

  frameWritten(page: number): number {
    return page >= this.firstRegisters && this.registers.has(page) ? 0 : this.memory.frameWritten(page);
  }

  read(address: number, size: number): number {
    const page = pageOf(address);
    const device = this.registers.get(page);
    if (device) return device.readRegister(address - page * PAGE_SIZE, size) >>> 0;
    if (!this.memory.frameForRead(page)) {
      const value = this.chips?.readChip(address, size);
      if (value !== undefined) return value;
      if (pageOf(address + size - 1) === page) {
        this.nothingThere(address, 'reads', 'it gets ones');
        return ALL_ONES[size as 1]!;
      }
    }
    let value = 0;
    for (let i = size - 1; i >= 0; i--) {
      const frame = this.memory.frameForRead(pageOf(address + i));
      if (!frame) this.nothingThere(address, 'reads', 'it gets ones');
      value = value * 256 + (frame ? this.memory.byteAt(frame + pageOffset(address + i)) : 0xff);
    }
    return value;
  }

  write(address: number, size: number, value: number): void {
    const page = pageOf(address);
    const device = this.registers.get(page);
    if (device) return device.writeRegister(address - page * PAGE_SIZE, size, value >>> 0);
    if (this.chips && !this.memory.frameForWrite(page) && this.chips.writeChip(address, size, value >>> 0)) return;
    for (let i = 0; i < size; i++) {
      const frame = this.memory.frameForWrite(pageOf(address + i));
      if (frame) this.memory.setByteAt(frame + ((address + i) % PAGE_SIZE), value >>> (8 * i));
      else if (!this.memory.frameForRead(pageOf(address + i))) this.nothingThere(address, 'writes', 'the value is lost');
    }
  }

  in(port: number, size: number): number {
    const claim = this.ports[port];
    if (size === 1 || claim?.wide) {
      if (claim) return claim.device.readPort(port, size) >>> 0;
      this.absent(port, 'reads');
      return ALL_ONES[size as 1]!;
    }
    if (this.nothingAt(port, size)) {
      this.absent(port, 'reads');
      return ALL_ONES[size as 1]!;
    }
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.in((port + i) & 0xffff, 1);
    return value;
  }

  out(port: number, size: number, value: number): void {
    const claim = this.ports[port];
    if (size === 1 || claim?.wide) {
      if (!claim) return this.absent(port, 'writes');
      claim.device.writePort(port, (value & ALL_ONES[size as 1]!) >>> 0, size);
      if (claim.device.steadyUntil) this.answersChanged();
      return;
    }
    if (this.nothingAt(port, size)) return this.absent(port, 'writes');
    for (let i = 0; i < size; i++) this.out((port + i) & 0xffff, 1, value >>> (8 * i));
  }

  steadyUntil(port: number): number {
    return this.ports[port]?.device.steadyUntil?.(port) ?? 0;
  }

  private nothingAt(port: number, size: number): boolean {
    for (let i = 0; i < size; i++) if (this.ports[(port + i) & 0xffff]) return false;
    return true;
  }

  /** Told once: where software looks for memory, it looks at many places. */
  private nothingThere(address: number, does: string, what: string): void {
    if (this.toldOfMemory || isCommonlyProbed(address)) return;
    this.toldOfMemory = true;
    this.warn(`The guest ${does} physical address ${hex(address)}, where there is neither RAM nor a device: ${what}. Further places are not told.`);
  }

  private absent(port: number, does: string): void {
    if (isCommonlyAbsent(port)) return;
    this.warn(`The guest ${does} port ${hex(port, 2)}, where Hyperstep has no device.`);
  }
}
