/**
 * The PCI transport of a transitional virtio device (Virtual I/O Device 1.2, "Virtio Over PCI Bus"): legacy drivers find
 * its registers behind base address register 0, modern ones by capabilities behind register 4. Interrupts by INTA#,
 * by MSI, or by MSI-X with a vector for each queue and one for the configuration.
 */
import { type Device, type DeviceHost, NEVER } from '../../device';
import type { PhysicalMemory } from '../../memory/physicalMemory';
import { MessageInterrupts, type SendMessage } from '../pci/messageInterrupts';
import { type BarRegion, type Capability, capabilityOffsets, type ConfigurationWindow, type PciFunction } from '../pci/pciFunction';
import { type Chain, queueAtReset, type QueueState, RingFeature, Virtqueue } from './virtqueue';

/** What a kind of device adds to the transport. */
export interface VirtioKind {
  readonly name: string;
  /** Device type of the specification: 2 block, 3 console, 4 entropy. */
  readonly type: number;
  /** PCI device number (transitional). */
  readonly deviceId: number;
  readonly classCode: number;
  /** Feature bits 0 to 31 that it offers. */
  readonly features: number;
  /** Size of each of its queues. */
  readonly queues: readonly number[];
  /** Its configuration structure. */
  configuration(): Uint8Array;
  /** Serves a request; yields the number of bytes written to it. */
  serve(queue: number, chain: Chain): number;
  /** Whether a request of this queue can be served now: a console's receive queue has to wait for input. */
  ready(queue: number): boolean;
  /** State of its own: plain data. */
  state: object;
  reset(): void;
}

const VENDOR = 0x1af4;
/** Device status. */
const DRIVER_OK = 4;
const FEATURES_OK = 8;
const NEEDS_RESET = 0x40;
/** Feature bit 32, as bit 0 of the upper half: VERSION_1. */
const VERSION_1 = 1;
/** Layout of the modern region: one page for each structure. */
const COMMON = 0x0000;
const ISR = 0x1000;
const DEVICE = 0x2000;
const NOTIFY = 0x3000;
const REGION_SIZE = 0x4000;
const NOTIFY_MULTIPLIER = 4;
const LEGACY_SIZE = 0x40;
/** The configuration structure among the legacy registers: behind the two vectors while MSI-X is enabled. */
const LEGACY_CONFIGURATION = 20;
const LEGACY_CONFIGURATION_VECTORS = 24;
const MESSAGES_BAR = 1;
const LEGACY_PAGE = 4096;
/** ISR bit: a queue was used. */
const QUEUE_INTERRUPT = 1;
const NO_VECTOR = 0xffff;

const u32 = (v: number): number[] => [v & 0xff, (v >> 8) & 0xff, (v >> 16) & 0xff, v >>> 24];
const capability = (type: number, offset: number, length: number, more: number[] = []): Capability => ({ bytes: [0x09, 0, 16 + more.length, type, 4, 0, 0, 0, ...u32(offset), ...u32(length), ...more] });

/** A driver without memory accesses reaches the regions by writing register, offset and length into this capability; then its last four bytes are what is there. */
const CONFIGURATION_ACCESS: Capability = { bytes: [0x09, 0, 20, 5, ...new Array<number>(16).fill(0)], writable: [0, 0, 0, 0, 0xff, 0, 0, 0, ...new Array<number>(8).fill(0xff), 0, 0, 0, 0] };
const ACCESS_REGISTER = 4;
const ACCESS_OFFSET = 8;
const ACCESS_LENGTH = 12;
const ACCESS_DATA = 16;

const transportAtReset = ({ queues }: VirtioKind) => ({
  status: 0,
  isr: 0,
  featureSelect: 0,
  driverFeatureSelect: 0,
  /** Accepted by the driver: bits 0 to 31, 32 to 63. */
  features: [0, 0],
  queueSelect: 0,
  queues: queues.map(queueAtReset),
  /** MSI-X vectors: of each queue, and of changes of the configuration. */
  vectors: queues.map(() => NO_VECTOR),
  configurationVector: NO_VECTOR,
});

export class VirtioPci implements Device {
  readonly name: string;
  readonly pci: PciFunction;
  private transport: ReturnType<typeof transportAtReset>;
  private readonly messages: MessageInterrupts;
  /** Told the level of INTA#. */
  setInterrupt: (level: boolean) => void = () => {};

  constructor(
    readonly kind: VirtioKind,
    device: number,
    private readonly memory: PhysicalMemory,
    private readonly host: DeviceHost,
    send: SendMessage,
  ) {
    this.name = kind.name;
    this.messages = new MessageInterrupts(MESSAGES_BAR, kind.queues.length + 1, send);
    this.pci = {
      name: kind.name,
      device,
      fn: 0,
      vendorId: VENDOR,
      deviceId: kind.deviceId,
      classCode: kind.classCode,
      revision: 0,
      subsystemVendorId: VENDOR,
      subsystemId: kind.type,
      pin: 1,
      bars: [
        { index: 0, kind: 'io', size: LEGACY_SIZE, region: byBytes((at) => this.legacyRegister(at)) },
        this.messages.bar,
        { index: 4, kind: 'memory', size: REGION_SIZE, region: byBytes((at) => this.modernRegister(at)) },
      ],
      capabilities: [capability(1, COMMON, 0x38), capability(3, ISR, 1), ...(kind.configuration().length > 0 ? [capability(4, DEVICE, kind.configuration().length)] : []), capability(2, NOTIFY, NOTIFY_MULTIPLIER * kind.queues.length, u32(NOTIFY_MULTIPLIER)), CONFIGURATION_ACCESS, ...this.messages.capabilities],
      written: (space) => {
        this.messages.written(space, offsets);
        if (this.messages.enabled) this.setInterrupt(false);
      },
    };
    const offsets = capabilityOffsets(this.pci);
    const access = offsets[this.pci.capabilities.indexOf(CONFIGURATION_ACCESS)]!;
    this.pci = { ...this.pci, window: this.configurationAccess(access) };
    this.transport = transportAtReset(kind);
  }

  private configurationAccess(at: number): ConfigurationWindow {
    /** The region, with offset and length; nothing where these are not valid. */
    const target = (space: Uint8Array): { region: BarRegion; offset: number; length: number } | undefined => {
      const view = new DataView(space.buffer, space.byteOffset + at);
      const bar = this.pci.bars.find(({ index }) => index === view.getUint8(ACCESS_REGISTER));
      const [offset, length] = [view.getUint32(ACCESS_OFFSET, true), view.getUint32(ACCESS_LENGTH, true)];
      const fits = bar && (length === 1 || length === 2 || length === 4) && offset % length === 0 && offset + length <= bar.size;
      return fits && bar.region ? { region: bar.region, offset, length } : undefined;
    };
    return {
      at: at + ACCESS_DATA,
      size: 4,
      read: (space) => {
        const to = target(space);
        return to ? to.region.read(to.offset, to.length) : 0;
      },
      write: (space, value) => {
        const to = target(space);
        to?.region.write(to.offset, to.length, to.length === 4 ? value : value & ((1 << (8 * to.length)) - 1));
      },
    };
  }

  /** Bits 0 to 31 of what is offered. */
  private get features(): number {
    return (this.kind.features | RingFeature.INDIRECT | RingFeature.EVENT_INDEX) >>> 0;
  }

  /** The transport's registers and the device's own state, as one object. */
  get state(): object {
    return { transport: this.transport, messages: this.messages.state, own: this.kind.state };
  }
  set state(state: object) {
    const { transport, messages, own } = state as { transport: ReturnType<typeof transportAtReset>; messages: MessageInterrupts['state']; own: object };
    this.transport = transport;
    this.messages.state = messages;
    this.kind.state = own;
  }

  reset(): void {
    this.messages.reset();
    this.resetByDriver();
  }
  /** A driver's reset leaves alone what belongs to the PCI function. */
  private resetByDriver(): void {
    this.transport = transportAtReset(this.kind);
    this.kind.reset();
    this.setInterrupt(false);
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  /** Serves what the driver has put into a queue, as far as it can be served now. */
  serve(n: number): void {
    const t = this.transport;
    const state = t.queues[n];
    if (!state || !(t.status & DRIVER_OK) || t.status & NEEDS_RESET) return;
    const queue = new Virtqueue(this.memory, state, t.features[0]!);
    let used = false;
    while (this.kind.ready(n)) {
      const chain = queue.pop();
      if (!chain) break;
      if (chain === 'broken') {
        t.status |= NEEDS_RESET;
        this.host.warn(`The guest's driver gave the ${this.name} a descriptor chain that cannot be; the device waits for a reset.`);
        break;
      }
      queue.push(chain, this.kind.serve(n, chain));
      used = true;
    }
    queue.askForNotification();
    if (used && queue.wantsInterrupt) this.interrupt(n);
  }

  private interrupt(queue: number): void {
    const t = this.transport;
    if (this.messages.state.tableEnabled) return this.messages.signal(t.vectors[queue]!);
    const rising = t.isr === 0;
    t.isr |= QUEUE_INTERRUPT;
    if (this.messages.enabled) {
      if (rising) this.messages.signalSingle();
      return;
    }
    this.setInterrupt(true);
    this.host.attention();
  }

  /** A register that names a vector of the table; one that is not there is not kept. */
  private vectorRegister(read: () => number, write: (vector: number) => void): Register {
    const count = this.kind.queues.length + 1;
    return { read, write: (value) => write(value < count ? value : NO_VECTOR) };
  }
  private configurationVector(): Register {
    const t = this.transport;
    return this.vectorRegister(() => t.configurationVector, (vector) => (t.configurationVector = vector));
  }
  private queueVector(): Register {
    const t = this.transport;
    const n = t.queueSelect;
    return this.vectorRegister(() => t.vectors[n] ?? NO_VECTOR, (vector) => void (n < t.vectors.length && (t.vectors[n] = vector)));
  }

  private setStatus(value: number): void {
    if (value === 0) return this.resetByDriver();
    const t = this.transport;
    // Features that were not offered, or VERSION_1 missing for a modern driver, are refused by not keeping FEATURES_OK.
    const refused = (t.features[0]! & ~this.features) !== 0 || (t.features[1]! & ~VERSION_1) !== 0;
    t.status = value & FEATURES_OK && refused ? value & ~FEATURES_OK : value;
    if (value & DRIVER_OK) t.queues.forEach((_, n) => this.serve(n));
  }

  private readIsr(): number {
    const { isr } = this.transport;
    this.transport.isr = 0;
    this.setInterrupt(false);
    return isr;
  }

  private configurationByte(at: number, size: number): number {
    const bytes = this.kind.configuration();
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0);
    return value;
  }

  /** Legacy registers: the queue's place is one page number, its layout is fixed. */
  private legacyRegister(at: number): Register | undefined {
    const t = this.transport;
    const queue = t.queues[t.queueSelect];
    switch (at) {
      case 0:
        return { read: () => this.features };
      case 4:
        return { read: () => t.features[0]!, write: (value) => (t.features[0] = value) };
      case 8:
        return { read: () => (queue?.enabled ? queue.descriptors / LEGACY_PAGE : 0), write: (value) => queue && this.placeLegacy(queue, value * LEGACY_PAGE) };
      case 12:
        return { read: () => queue?.size ?? 0 };
      case 14:
        return { read: () => t.queueSelect, write: (value) => (t.queueSelect = value) };
      case 16:
        return { write: (value) => this.serve(value) };
      case 18:
        return { read: () => t.status, write: (value) => this.setStatus(value & 0xff) };
      case 19:
        return { read: () => this.readIsr() };
      default: {
        const vectors = this.messages.state.tableEnabled;
        if (vectors && at === LEGACY_CONFIGURATION) return this.configurationVector();
        if (vectors && at === LEGACY_CONFIGURATION + 2) return this.queueVector();
        const start = vectors ? LEGACY_CONFIGURATION_VECTORS : LEGACY_CONFIGURATION;
        return at >= start ? { read: (size) => this.configurationByte(at - start, size) } : undefined;
      }
    }
  }

  private placeLegacy(queue: QueueState, address: number): void {
    const available = address + 16 * queue.size;
    const used = Math.ceil((available + 6 + 2 * queue.size) / LEGACY_PAGE) * LEGACY_PAGE;
    Object.assign(queue, { enabled: address !== 0, descriptors: address, available, used, nextAvailable: 0, nextUsed: 0 });
  }

  private modernRegister(at: number): Register | undefined {
    if (at >= NOTIFY) return { write: () => this.serve((at - NOTIFY) / NOTIFY_MULTIPLIER) };
    if (at >= DEVICE) return { read: (size) => this.configurationByte(at - DEVICE, size) };
    if (at >= ISR) return at === ISR ? { read: () => this.readIsr() } : undefined;
    const t = this.transport;
    const queue = t.queues[t.queueSelect];
    /** Half of a 64-bit address. */
    const half = (field: 'descriptors' | 'available' | 'used', high: boolean): Register => ({
      read: () => (queue ? (high ? Math.floor(queue[field] / 0x1_0000_0000) : queue[field] % 0x1_0000_0000) : 0),
      write: (value) => {
        if (!queue) return;
        const [low, top] = [queue[field] % 0x1_0000_0000, Math.floor(queue[field] / 0x1_0000_0000)];
        queue[field] = high ? (value & 0xf_ffff) * 0x1_0000_0000 + low : top * 0x1_0000_0000 + value;
      },
    });
    switch (at) {
      case 0x00:
        return { read: () => t.featureSelect, write: (value) => (t.featureSelect = value) };
      case 0x04:
        return { read: () => (t.featureSelect === 0 ? this.features : t.featureSelect === 1 ? VERSION_1 : 0) };
      case 0x08:
        return { read: () => t.driverFeatureSelect, write: (value) => (t.driverFeatureSelect = value) };
      case 0x0c:
        return { read: () => t.features[t.driverFeatureSelect] ?? 0, write: (value) => void (t.driverFeatureSelect < 2 && (t.features[t.driverFeatureSelect] = value)) };
      case 0x10:
        return this.configurationVector();
      case 0x12:
        return { read: () => t.queues.length };
      case 0x14:
        return { read: () => t.status, write: (value) => this.setStatus(value & 0xff) };
      case 0x15:
        return { read: () => 0 }; // the configuration never changes
      case 0x16:
        return { read: () => t.queueSelect, write: (value) => (t.queueSelect = value) };
      case 0x18:
        return { read: () => queue?.size ?? 0, write: (value) => void (queue && value > 0 && value <= this.kind.queues[t.queueSelect]! && (queue.size = value)) };
      case 0x1a:
        return this.queueVector();
      case 0x1c:
        return { read: () => (queue?.enabled ? 1 : 0), write: (value) => void (queue && value === 1 && (queue.enabled = true)) };
      case 0x1e:
        return { read: () => t.queueSelect };
      case 0x20:
      case 0x24:
        return half('descriptors', at === 0x24);
      case 0x28:
      case 0x2c:
        return half('available', at === 0x2c);
      case 0x30:
      case 0x34:
        return half('used', at === 0x34);
      default:
        return undefined;
    }
  }
}

/** A register at an offset. Reads yield the whole register whatever the size; absent ones read as 0. */
interface Register {
  read?(size: number): number;
  write?(value: number): unknown;
}

const byBytes = (registerAt: (offset: number) => Register | undefined): BarRegion => ({
  read: (offset, size) => registerAt(offset)?.read?.(size) ?? 0,
  write: (offset, _size, value) => void registerAt(offset)?.write?.(value),
});
