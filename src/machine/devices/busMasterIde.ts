/**
 * The chip set's IDE function: the registers by which the two channels move data themselves (Programming Interface for
 * Bus Master IDE Controller). A transfer is complete as soon as both its command and its start were given.
 */
import { type Device, NEVER } from '../device';
import type { PhysicalMemory } from '../memory/physicalMemory';
import type { BarRegion, PciFunction } from './pci/pciFunction';
import { ChipsetFunction, PciSlot } from './pci/pciTable';

/** Command register. */
const START = 0x01;
const TO_MEMORY = 0x08;
/** Status register; error and interrupt are cleared by writing ones, the drives' bits are software's. */
const ACTIVE = 0x01;
const ERROR = 0x02;
const INTERRUPT = 0x04;
const DRIVE_BITS = 0x60;
/** Registers of a channel: command at 0, status at 2, address of the descriptors at 4. */
const CHANNEL_SIZE = 8;
/** Last descriptor of a table. */
const END_OF_TABLE = 0x8000;
/** More descriptors than the 64 KiB that a table must lie in can hold. */
const MOST_DESCRIPTORS = 8192;

/** IDE timing registers: each channel's decode is enabled, as the firmware leaves it. */
const TIMING = 0x40;

const channel = () => ({ command: 0, status: 0, table: 0 });

/** The way a channel's DMA goes. */
export interface DmaPort {
  /** Whether software has started the bus master in this direction. */
  ready(toMemory: boolean): boolean;
  /** Moves `bytes` to memory, or fills them from memory. False when the descriptors do not suffice. */
  move(bytes: Uint8Array, toMemory: boolean): boolean;
  /** The channel raised its interrupt. */
  interrupted(): void;
}

export class BusMasterIde implements Device {
  readonly name = 'bus master IDE';
  state = { channels: [channel(), channel()] };
  /** Told that a channel's bus master was started: a command that waits for it goes on. */
  started: (channel: number) => void = () => {};

  constructor(private readonly memory: PhysicalMemory) {}

  reset(): void {
    this.state = { channels: [channel(), channel()] };
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  private readonly region: BarRegion = {
    read: (offset, size) => {
      let value = 0;
      for (let i = size - 1; i >= 0; i--) value = value * 256 + this.readByte(offset + i);
      return value;
    },
    write: (offset, size, value) => {
      if (offset % CHANNEL_SIZE === 4 && size === 4) this.state.channels[offset >> 3]!.table = (value & ~3) >>> 0;
      else for (let i = 0; i < size; i++) this.writeByte(offset + i, (value >>> (8 * i)) & 0xff);
    },
  };

  /** PIIX3, function 1. The legacy ports and interrupt lines of both channels are fixed. */
  readonly pci: PciFunction = {
    name: 'IDE controller',
    device: PciSlot.CHIPSET,
    fn: ChipsetFunction.IDE,
    vendorId: 0x8086,
    deviceId: 0x7010,
    classCode: 0x01_0180,
    revision: 0,
    subsystemVendorId: 0,
    subsystemId: 0,
    pin: 0,
    bars: [{ index: 4, kind: 'io', size: 16, region: this.region }],
    capabilities: [],
    preset: [[TIMING, 0x00, 0x80, 0x00, 0x80]],
    writable: [[TIMING, TIMING + 4]],
  };

  /** What a channel sees of it. */
  port(n: number): DmaPort {
    return {
      ready: (toMemory) => {
        const { command, status } = this.state.channels[n]!;
        return (status & ACTIVE) !== 0 && ((command & TO_MEMORY) !== 0) === toMemory;
      },
      move: (bytes, toMemory) => this.move(n, bytes, toMemory),
      interrupted: () => {
        this.state.channels[n]!.status |= INTERRUPT;
      },
    };
  }

  private readByte(offset: number): number {
    const c = this.state.channels[offset >> 3]!;
    const register = offset % CHANNEL_SIZE;
    if (register === 0) return c.command;
    if (register === 2) return c.status;
    return register >= 4 ? (c.table >>> (8 * (register - 4))) & 0xff : 0;
  }

  private writeByte(offset: number, value: number): void {
    const n = offset >> 3;
    const c = this.state.channels[n]!;
    const register = offset % CHANNEL_SIZE;
    if (register === 0) {
      const starts = (value & START) !== 0 && !(c.command & START);
      c.command = value & (START | TO_MEMORY);
      if (!(value & START)) c.status &= ~ACTIVE;
      if (!starts) return;
      c.status |= ACTIVE;
      this.started(n);
    } else if (register === 2) c.status = (c.status & ~(value & (ERROR | INTERRUPT)) & ~DRIVE_BITS) | (value & DRIVE_BITS);
    else if (register >= 4) {
      const shift = 8 * (register - 4);
      c.table = ((c.table & ~(0xff << shift)) | (value << shift)) >>> 0;
      c.table = (c.table & ~3) >>> 0;
    }
  }

  /** Walks the table of physical regions: address, then byte count (0 is 64 KiB) with the end mark. */
  private move(n: number, bytes: Uint8Array, toMemory: boolean): boolean {
    const c = this.state.channels[n]!;
    let done = 0;
    for (let i = 0; i < MOST_DESCRIPTORS && done < bytes.length; i++) {
      const address = this.memory.load(c.table + 8 * i, 4) & ~1;
      const count = this.memory.load(c.table + 8 * i + 4, 4);
      const length = Math.min((count & 0xfffe) || 0x1_0000, bytes.length - done);
      if (toMemory) this.memory.writeBytes(address >>> 0, bytes.subarray(done, done + length));
      else bytes.set(this.memory.readBytes(address >>> 0, length), done);
      done += length;
      if (count >>> 16 & END_OF_TABLE) break;
    }
    // A table with more room than data stays active until software stops it; one with less is an error.
    if (done < bytes.length) c.status |= ERROR;
    c.status &= ~ACTIVE;
    return done === bytes.length;
  }
}
