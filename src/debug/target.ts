/** One processor of the machine, seen as two worlds: their registers, memory and code. */
import type { Processor } from '../cpu/processor';
import type { Machine } from '../machine/machineInterface';
import type { VmxInspection } from '../vmx/observe';
import type { ExitRecorder } from './exits/exitRecorder';
import { readBytes, readInteger, writeBytes, type MemorySpace, type SpaceName } from './memory/memorySpace';
import { walkPages } from './memory/pageWalk';
import { pagingRegisters } from './memory/translation';
import { LiveRegisters, SavedGuestRegisters, SavedHostRegisters, type RegisterFile } from './registers/registerFile';
import { worldOf } from './run/position';
import { CodeMap } from './symbols/codeMap';
import { ImageSet } from './symbols/imageSet';
import type { World } from './world';

export class Target {
  readonly cpu: Processor;
  readonly vmx: VmxInspection;
  readonly images: ImageSet;
  readonly code: CodeMap;
  /** Set once by the debugger, which listens to it. */
  recorder!: ExitRecorder;
  private readonly spaces: Record<SpaceName, MemorySpace>;
  /** The processor by whose paging the images are compared with memory: of several that share them. */
  private active: Target = this;

  /** All processors of a machine share the symbol files of the `first`. */
  constructor(
    readonly machine: Machine,
    readonly index: number,
    private readonly first?: Target,
  ) {
    this.cpu = machine.cpus[index]!;
    this.vmx = machine.vmx[index]!;
    this.spaces = {
      vmm: { name: 'vmm', translate: (address) => this.translate('vmm', address) },
      guest: { name: 'guest', translate: (address) => this.translate('guest', address) },
      gpa: { name: 'gpa', translate: (address) => this.vmx.peekGpa(Number(address)) },
      hpa: { name: 'hpa', translate: (address) => Number(address) },
    };
    this.images = first?.images ?? new ImageSet((world, address, length) => this.active.read(world, address, length));
    this.code = first?.code ?? new CodeMap(this.images);
  }

  /** Symbols are looked up for this processor from now on. */
  activate(): void {
    const owner = this.first ?? this;
    if (owner.active === this) return;
    owner.active = this;
    this.images.forget();
  }

  get world(): World {
    return worldOf(this.vmx);
  }

  /** Whether a world exists now: the VMM always does, the guest once it has run and its VMCS is current. */
  exists(world: World): boolean {
    return world === this.world || (world === 'guest' ? this.vmx.currentVmcs !== undefined && this.recorder.lastExit !== undefined : this.vmx.currentVmcs !== undefined);
  }

  /** The registers of a world, wherever they are now. */
  registers(world: World): RegisterFile {
    if (world === this.world) return new LiveRegisters(world, this.cpu);
    return world === 'guest' ? new SavedGuestRegisters(this.cpu, this.vmx, this.recorder.guestGprs()) : new SavedHostRegisters(this.cpu, this.vmx);
  }

  space(name: SpaceName): MemorySpace {
    return this.spaces[name];
  }

  /** Reads what is mapped from `address` on: fewer bytes than asked for at a gap. */
  read(space: SpaceName, address: bigint, length: number): Uint8Array {
    return readBytes(this.machine, this.spaces[space], address, length);
  }
  readInteger(space: SpaceName, address: bigint, size: number): bigint | undefined {
    return readInteger(this.machine, this.spaces[space], address, size);
  }
  /** Writes RAM; yields how many bytes could be written. */
  write(space: SpaceName, address: bigint, bytes: Uint8Array): number {
    const written = writeBytes(this.machine, this.spaces[space], address, bytes);
    this.images.forget();
    return written;
  }

  /** Linear to host-physical. The world that runs is translated by the processor itself, the other by the registers that the VMCS keeps for it. */
  private translate(world: World, address: bigint): number | undefined {
    if (world === this.world) {
      const hpa = this.cpu.peekTranslate(address);
      return hpa < 0 ? undefined : hpa;
    }
    const registers = pagingRegisters(this, world);
    if (!registers) return undefined;
    const toHost = (physical: number): number | undefined => (world === 'guest' ? this.vmx.peekGpa(physical) : physical);
    const physical = walkPages(registers, address, (at, size) => {
      const hpa = toHost(at);
      return hpa === undefined ? undefined : this.readInteger('hpa', BigInt(hpa), size);
    });
    return physical === undefined ? undefined : toHost(physical);
  }
}
