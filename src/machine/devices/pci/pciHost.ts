/**
 * The PCI bus: configuration mechanism 1 (ports 0xCF8 and 0xCFC), the functions' configuration spaces, their base
 * address registers on the physical bus, and their interrupt pins.
 */
import { PAGE_SIZE, pageOf } from '../../../base/address';
import type { Bus } from '../../bus';
import { type Device, NEVER, type PortDevice } from '../../device';
import { type Bar, barBase, Command, Config, INTERRUPT_DISABLE, type PciFunction, spaceAtReset, writableBits, type ConfigurationWindow } from './pciFunction';
import { pirqOf } from './pciTable';

export const CONFIGURATION_ADDRESS = 0xcf8;
const CONFIGURATION_DATA = 0xcfc;
const ENABLED = 0x8000_0000;

export class PciHost implements Device, PortDevice {
  readonly name = 'PCI host';
  state = { address: 0, spaces: [] as Uint8Array[], asserted: [] as boolean[], lines: [false, false, false, false] };
  private readonly masks: Uint8Array[];
  /** Where each function's base address registers are on the bus now: derived from `state`. */
  private mapped: { bar: Bar; base: number }[] = [];

  /** `setPirq` sets the level of PIRQA# to PIRQD#. */
  constructor(
    private readonly bus: Bus,
    readonly functions: readonly PciFunction[],
    private readonly setPirq: (pirq: number, level: boolean) => void,
  ) {
    this.masks = functions.map(writableBits);
    this.reset();
  }

  reset(): void {
    this.state = { address: 0, spaces: this.functions.map(spaceAtReset), asserted: this.functions.map(() => false), lines: [false, false, false, false] };
    this.functions.forEach((f, n) => f.written?.(this.state.spaces[n]!));
    this.map();
    for (let pirq = 0; pirq < 4; pirq++) this.setPirq(pirq, false);
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  /** The state was replaced: the bus is brought in line. */
  restored(): void {
    this.functions.forEach((f, n) => f.restored?.(this.state.spaces[n]!));
    this.map();
  }

  /** The configuration space of a function, for the firmware. */
  space(f: PciFunction): Uint8Array {
    return this.state.spaces[this.functions.indexOf(f)]!;
  }

  /** A function raises or lowers its interrupt pin. */
  setInterrupt(f: PciFunction, level: boolean): void {
    this.state.asserted[this.functions.indexOf(f)] = level;
    this.route(pirqOf(f.device, f.pin));
  }

  /** The four lines are shared: one is raised as long as anybody raises it. */
  private route(pirq: number): void {
    const { asserted, spaces, lines } = this.state;
    const level = this.functions.some((f, n) => f.pin > 0 && asserted[n] && pirqOf(f.device, f.pin) === pirq && !((spaces[n]![Config.COMMAND + 1]! << 8) & INTERRUPT_DISABLE));
    if (level === lines[pirq]) return;
    lines[pirq] = level;
    this.setPirq(pirq, level);
  }

  readPort(port: number, size: number): number {
    if (port < CONFIGURATION_DATA) return port === CONFIGURATION_ADDRESS && size === 4 ? this.state.address : allOnes(size);
    return this.configurationRead(this.state.address, port - CONFIGURATION_DATA, size);
  }

  writePort(port: number, value: number, size: number): void {
    if (port >= CONFIGURATION_DATA) this.configurationWrite(this.state.address, port - CONFIGURATION_DATA, size, value);
    else if (port === CONFIGURATION_ADDRESS && size === 4) this.state.address = (value & 0x80ff_fffc) >>> 0;
  }

  /** `address` as port 0xCF8 takes it. A function that is not there reads as all ones. */
  configurationRead(address: number, offset: number, size: number): number {
    const n = this.selected(address);
    const space = this.state.spaces[n];
    if (!space) return allOnes(size);
    const window = windowAt(this.functions[n]!, (address & 0xfc) + offset);
    if (window) return window.read(space) & allOnes(size);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + space[((address & 0xfc) + offset + i) & 0xff]!;
    return value;
  }

  configurationWrite(address: number, offset: number, size: number, value: number): void {
    const n = this.selected(address);
    const space = this.state.spaces[n];
    if (!space) return;
    const window = windowAt(this.functions[n]!, (address & 0xfc) + offset);
    if (window) return window.write(space, value);
    const mask = this.masks[n]!;
    for (let i = 0; i < size; i++) {
      const at = ((address & 0xfc) + offset + i) & 0xff;
      space[at] = (space[at]! & ~mask[at]!) | ((value >>> (8 * i)) & mask[at]!);
    }
    const f = this.functions[n]!;
    f.written?.(space);
    this.map();
    if (f.pin > 0) this.route(pirqOf(f.device, f.pin));
  }

  private selected(address: number): number {
    if (!(address & ENABLED)) return -1;
    const [bus, device, fn] = [(address >>> 16) & 0xff, (address >>> 11) & 31, (address >>> 8) & 7];
    return bus === 0 ? this.functions.findIndex((f) => f.device === device && f.fn === fn) : -1;
  }

  /** Puts the base address registers that answer on the bus, and takes the others away. */
  private map(): void {
    const wanted: { bar: Bar; base: number }[] = [];
    this.functions.forEach((f, n) => {
      const space = this.state.spaces[n]!;
      for (const bar of f.bars) {
        const base = barBase(space, bar);
        // Address 0 is how a register says that it was not set.
        if (space[Config.COMMAND]! & (bar.kind === 'io' ? Command.IO : Command.MEMORY) && base !== 0) wanted.push({ bar, base });
      }
    });
    const same = wanted.length === this.mapped.length && wanted.every((w, i) => w.bar === this.mapped[i]!.bar && w.base === this.mapped[i]!.base);
    if (same) return;
    for (const { bar, base } of this.mapped) this.place(bar, base, false);
    this.mapped = wanted;
    for (const { bar, base } of wanted) this.place(bar, base, true);
  }

  private place({ kind, size, region, moved }: Bar, base: number, present: boolean): void {
    moved?.(present ? base : undefined);
    if (!region) return;
    if (kind === 'io') {
      const ports: PortDevice = { readPort: (port, width) => region.read(port - base, width), writePort: (port, value, width) => region.write(port - base, width, value) };
      this.bus.mapPorts(base, size, present ? ports : undefined);
      return;
    }
    for (let at = 0; at < size; at += PAGE_SIZE)
      this.bus.claimPage(pageOf(base + at), present ? { readRegister: (offset, width) => region.read(at + offset, width), writeRegister: (offset, width, value) => region.write(at + offset, width, value) } : undefined);
  }
}

const windowAt = ({ window }: PciFunction, at: number): ConfigurationWindow | undefined => (window && at >= window.at && at < window.at + window.size ? window : undefined);

const allOnes = (size: number): number => 0xffff_ffff >>> (32 - 8 * size);
