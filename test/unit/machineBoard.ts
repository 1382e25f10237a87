/** The PC's board without a processor, for the tests of its devices: the test is the processor. */
import { FRAME_PAGES } from '../../src/cpu/mmu/frameTable';
import { MemoryViews } from '../../src/cpu/state';
import { Bus } from '../../src/machine/bus';
import { Board } from '../../src/machine/devices/board';
import { Drive } from '../../src/machine/disk/drive';
import { AddressMap, LOCAL_APIC } from '../../src/machine/memory/addressMap';
import { PhysicalMemory } from '../../src/machine/memory/physicalMemory';
import type { DiskImage } from '../../src/machine/machineInterface';

export const MEMORY = 64 << 20;

/** Disks of so many sectors, whose bytes are their sector's number plus the disk's; then further drives. */
export function board(diskSectors: number[] = [], more: DiskImage[] = [], cpus = 1) {
  const views = new MemoryViews(new WebAssembly.Memory({ initial: 16, maximum: 16 }));
  const memory = new PhysicalMemory(views, new Uint32Array(FRAME_PAGES), 0x1000, 0x80000, new AddressMap(MEMORY), { pageChanged: () => {}, dropTranslations: () => {} });
  const warnings: string[] = [];
  const events: string[] = [];
  const bus = new Bus(memory, (sentence) => warnings.push(sentence));
  const drives = [...diskSectors.map((n, i) => ({ name: `disk${i}`, bytes: Uint8Array.from({ length: n * 512 }, (_, at) => (at >> 9) + i) })), ...more].map((image) => new Drive(image));
  const rig = {
    time: 0,
    /** The processor that accesses memory. */
    current: 0,
    bus,
    memory,
    warnings,
    events,
    drives,
    /** Ticks that a device lets pass after the present instruction. */
    let: 0,
    board: undefined as unknown as Board,
    /** Lets time pass as the machine does: to each deadline in turn. */
    pass(ticks: number): void {
      const end = rig.time + ticks;
      while (rig.time < end) {
        rig.time = Math.min(end, Math.max(rig.time, rig.board.nextDeadline()));
        rig.board.advance(rig.time);
      }
    },
    in16: (port: number) => bus.in(port, 2),
    in32: (port: number) => bus.in(port, 4),
    out16: (port: number, value: number) => bus.out(port, 2, value),
    out32: (port: number, value: number) => bus.out(port, 4, value),
    in8: (port: number) => bus.in(port, 1),
    out8: (port: number, ...values: number[]) => values.forEach((v) => bus.out(port, 1, v)),
    apic: (offset: number) => bus.read(LOCAL_APIC + offset, 4),
    setApic: (offset: number, value: number) => bus.write(LOCAL_APIC + offset, 4, value),
    /** Interrupts that are taken at once, as vectors. */
    interrupts(): number[] {
      const vectors: number[] = [];
      while (rig.board.localApic.pending()) vectors.push(rig.board.localApic.acknowledge());
      return vectors;
    },
    initialisePics(icw4 = 0x01): void {
      rig.out8(0x20, 0x11);
      rig.out8(0x21, 0x20, 0x04, icw4, 0x00);
      rig.out8(0xa0, 0x11);
      rig.out8(0xa1, 0x28, 0x02, 0x01, 0x00);
    },
  };
  rig.board = new Board(bus, MEMORY, drives, {
    now: () => rig.time,
    attention: () => {},
    reschedule: () => {},
    letPass: (ticks) => {
      rig.let = ticks;
    },
    warn: (sentence) => warnings.push(sentence),
    resetMachine: () => events.push('reset'),
    powerOff: () => events.push('power off'),
    debugExit: (value) => events.push(`exit ${value}`),
    nonMaskable: (cpu) => events.push(cpus === 1 ? 'NMI' : `NMI ${cpu}`),
    initialise: (cpu) => events.push(`INIT ${cpu}`),
    startUp: (cpu, vector) => events.push(`start ${cpu} at ${vector}`),
    cpus,
    current: () => rig.current,
    hasFeature: () => true,
    tscOffset: () => 0n,
    dropTranslations: () => {},
  });
  rig.board.localApic.initialise();
  return rig;
}
