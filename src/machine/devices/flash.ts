/**
 * Flash chips that hold firmware, with the command set that began with Intel's 28F parts (Common Flash Interface, command
 * set 1): memory to read until a command makes reads yield the status register. The chips are one byte wide and have
 * sectors of 4 KiB, as those of usual virtual machines. What is programmed lives in the machine alone.
 */
import { PAGE_SIZE, pageOf } from '../../base/address';
import { hex } from '../../base/bits';
import type { PhysicalMemory } from '../memory/physicalMemory';
import { type Device, type DeviceHost, NEVER } from '../device';

/** Where a chip is, and what it holds at power-on. Address and length are multiples of 4096. */
export interface FlashChip {
  address: number;
  bytes: Uint8Array;
  /** Whether writes are commands; to a ROM they do nothing. */
  takesCommands: boolean;
}

const SECTOR = 0x1000;
const Command = { PROGRAM: 0x40, PROGRAM_OTHER: 0x10, ERASE: 0x20, CLEAR_STATUS: 0x50, STATUS: 0x70, IDENTIFIER: 0x90, CONFIRM: 0xd0, BUFFER: 0xe8, READ: 0xff, READ_OTHER: 0x00 } as const;
/** Status register: the write state machine is ready; erase and program (both: the command sequence) failed. */
const READY = 0x80;
const SEQUENCE_ERROR = 0x30;
/** Maker Intel, and a device of its kind, behind the command IDENTIFIER. */
const IDENTIFIERS = [0x89, 0x18];
/** Most bytes of a buffered write. */
const BUFFER_SIZE = 0x800;

/** What the next write is: a command, the data or confirmation of the command before, or the count, data and confirmation of a buffered write. */
type Expects = 'command' | 'data' | 'erase' | 'count' | 'buffer' | 'confirm';

interface ChipState {
  /** What reads yield. */
  reads: 'cells' | 'status' | 'identifier';
  expects: Expects;
  status: number;
  /** Of a buffered write: bytes to come, and those that came with their addresses. */
  left: number;
  buffer: [address: number, byte: number][];
}

const powerOn = (): ChipState => ({ reads: 'cells', expects: 'command', status: READY, left: 0, buffer: [] });

export class Flash implements Device {
  readonly name = 'flash';
  state: { chips: ChipState[] };

  constructor(
    private readonly chips: readonly FlashChip[],
    private readonly memory: PhysicalMemory,
    private readonly host: Pick<DeviceHost, 'warn'>,
    private readonly dropTranslations: () => void,
  ) {
    for (const { address, bytes } of chips) memory.loadChip(address, bytes);
    this.state = { chips: chips.map(powerOn) };
    this.restored();
  }

  /** Cells keep what they hold. */
  reset(): void {
    this.state = { chips: this.chips.map(powerOn) };
    this.restored();
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  /** The state was replaced: memory shows what it is now. */
  restored(): void {
    this.chips.forEach((_, n) => this.show(n));
  }

  private show(n: number): void {
    const { address, bytes } = this.chips[n]!;
    const access = this.state.chips[n]!.reads === 'cells' ? 'read' : 'nothing';
    for (let at = 0; at < bytes.length; at += PAGE_SIZE) this.memory.show(pageOf(address + at), pageOf(address + at), access);
    this.dropTranslations();
  }

  private chipAt(address: number): number {
    return this.chips.findIndex((chip) => address >= chip.address && address < chip.address + chip.bytes.length);
  }

  /** A read while the chip does not show its cells; undefined elsewhere. */
  read(address: number, size: number): number | undefined {
    const n = this.chipAt(address);
    if (n < 0) return undefined;
    const { reads, status } = this.state.chips[n]!;
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (reads === 'status' ? status : (IDENTIFIERS[(address + i) & 0xff] ?? 0));
    return value;
  }

  /** False where there is no chip. A wider write is one cycle for each byte. */
  write(address: number, size: number, value: number): boolean {
    const n = this.chipAt(address);
    if (n < 0) return false;
    if (!this.chips[n]!.takesCommands) return true;
    for (let i = 0; i < size; i++) this.cycle(n, address + i, (value >>> (8 * i)) & 0xff);
    return true;
  }

  private cycle(n: number, address: number, byte: number): void {
    const s = this.state.chips[n]!;
    switch (s.expects) {
      case 'command':
        this.command(n, address, byte);
        return;
      case 'data':
        this.program(address, byte);
        this.done(s);
        return;
      case 'erase':
        if (byte === Command.CONFIRM) this.memory.program(address - (address % SECTOR), new Uint8Array(SECTOR).fill(0xff));
        else s.status |= SEQUENCE_ERROR;
        this.done(s);
        return;
      case 'count':
        s.left = byte + 1;
        s.buffer = [];
        s.expects = 'buffer';
        return;
      case 'buffer':
        s.buffer.push([address, byte]);
        if (--s.left === 0 || s.buffer.length === BUFFER_SIZE) s.expects = 'confirm';
        return;
      case 'confirm':
        if (byte === Command.CONFIRM) for (const [at, data] of s.buffer) this.program(at, data);
        else s.status |= SEQUENCE_ERROR;
        s.buffer = [];
        this.done(s);
    }
  }

  private command(n: number, address: number, byte: number): void {
    switch (byte) {
      case Command.READ:
      case Command.READ_OTHER:
        return this.expect(n, 'cells', 'command');
      case Command.STATUS:
        return this.expect(n, 'status', 'command');
      case Command.IDENTIFIER:
        return this.expect(n, 'identifier', 'command');
      case Command.CLEAR_STATUS:
        // Firmware for virtual machines tells flash from RAM and ROM by a status that is 0 then, until something was done.
        this.state.chips[n]!.status = 0;
        return this.expect(n, 'cells', 'command');
      case Command.PROGRAM:
      case Command.PROGRAM_OTHER:
        return this.expect(n, 'status', 'data');
      case Command.ERASE:
        return this.expect(n, 'status', 'erase');
      case Command.BUFFER:
        this.state.chips[n]!.status |= READY;
        return this.expect(n, 'status', 'count');
      default:
        this.host.warn(`The guest gave the flash at ${hex(address)} the command ${hex(byte, 2)}, which Hyperstep's does not have; nothing happens.`);
        return this.expect(n, 'cells', 'command');
    }
  }

  private expect(n: number, reads: ChipState['reads'], expects: Expects): void {
    const s = this.state.chips[n]!;
    const before = s.reads;
    s.reads = reads;
    s.expects = expects;
    if ((before === 'cells') !== (reads === 'cells')) this.show(n);
  }

  private done(s: ChipState): void {
    s.status |= READY;
    s.expects = 'command';
  }

  /** Programming takes bits from 1 to 0 alone. */
  private program(address: number, byte: number): void {
    this.memory.program(address, Uint8Array.of(this.memory.cell(address) & byte));
  }
}
