/** The registers of one world at a stop, wherever they are: in the processor, in the VMCS, or recorded at the last exit. */
import { readFlags, writeFlags } from '../../cpu/flags';
import { extended } from '../../cpu/fpu/extended';
import { readStack, writeStack } from '../../cpu/fpu/registers';
import { writeMxcsr } from '../../cpu/simd/mxcsr';
import { Offset } from '../../cpu/state';
import { bytesOf, unsignedOf } from '../../symbols/frame';
import type { Processor } from '../../cpu/processor';
import type { VmxInspection } from '../../vmx/observe';
import { Encoding } from '../../vmx/tables/fields';
import type { World } from '../world';
import { gprNumber, registerNamed, type Place, type Register } from './registerTable';
import { savedEfer } from './savedEfer';

export interface RegisterFile {
  readonly world: World;
  /** True when the processor holds these registers now. */
  readonly live: boolean;
  /** Undefined: this register of this world is not known now (the other world's code has overwritten it). */
  read(register: Register): bigint | undefined;
  /** Throws nothing; false when the register cannot be written now. */
  write(register: Register, value: bigint): boolean;
}

/** A register by name; for names that exist. */
export const readNamed = (file: RegisterFile, name: string): bigint | undefined => file.read(registerNamed(name)!);

function readPlace(cpu: Processor, place: Place): bigint | undefined {
  const s = cpu.state;
  switch (place.kind) {
    case 'state':
      return place.bits === 64 ? s.get64(place.offset) : BigInt(s.get32(place.offset));
    case 'flags':
      return BigInt(readFlags(s) >>> 0);
    case 'bytes':
      return place.feature === undefined || cpu.features.has(place.feature) ? unsignedOf(s.views.u8.subarray(s.base + place.offset, s.base + place.offset + place.bytes)) : undefined;
    case 'stack': {
      const { sign, exponent, significand } = readStack(s, place.n);
      return (BigInt((sign << 15) | exponent) << 64n) | significand;
    }
    case 'capability':
      return cpu.features.has('vmx') ? cpu.intercepts.readMsr(place.index) : undefined;
    case 'segment':
      switch (place.part) {
        case 'selector':
          return BigInt(s.selector(place.segment));
        case 'base':
          return s.segBase(place.segment);
        case 'limit':
          return BigInt(s.limit(place.segment));
        case 'access':
          return BigInt(s.access(place.segment));
      }
  }
}

/** False for what cannot be written. */
function writePlace(cpu: Processor, place: Place, value: bigint): boolean {
  const s = cpu.state;
  switch (place.kind) {
    case 'state':
      if (place.bits === 64) s.set64(place.offset, value);
      else s.set32(place.offset, Number(BigInt.asUintN(32, value)));
      // A new CR3 makes every cached translation wrong.
      if (place.offset === Offset.CR3) cpu.flushTlb();
      break;
    case 'flags':
      writeFlags(s, Number(BigInt.asUintN(32, value)));
      break;
    case 'bytes':
      if (place.offset === Offset.MXCSR) writeMxcsr(s, Number(BigInt.asUintN(32, value)));
      else s.views.u8.set(bytesOf(value, place.bytes), s.base + place.offset);
      break;
    case 'stack':
      writeStack(s, place.n, extended(Number((value >> 79n) & 1n), Number((value >> 64n) & 0x7fffn), BigInt.asUintN(64, value)));
      break;
    case 'capability':
      return false;
    case 'segment':
      if (place.part === 'selector') s.setSelector(place.segment, Number(BigInt.asUintN(16, value)));
      else if (place.part === 'base') s.setSegBase(place.segment, value);
      else if (place.part === 'limit') s.setLimit(place.segment, Number(BigInt.asUintN(32, value)));
      else s.setAccess(place.segment, Number(BigInt.asUintN(32, value)));
  }
  // RIP, segments, CR0, CR4 and EFER have derived state; recomputing it always is cheap here.
  cpu.stateChanged();
  return true;
}

/** The world that the processor is in. */
export class LiveRegisters implements RegisterFile {
  readonly live = true;
  constructor(
    readonly world: World,
    private readonly cpu: Processor,
  ) {}
  read(register: Register): bigint | undefined {
    // A guest that asks for them is told by the VMM.
    if (register.place.kind === 'capability' && this.world === 'guest') return undefined;
    return readPlace(this.cpu, register.place);
  }
  write(register: Register, value: bigint): boolean {
    return writePlace(this.cpu, register.place, value);
  }
}

/** General-purpose registers recorded when a world was left, in encoding order, and whether the processor still holds them. */
export interface RecordedGprs {
  values: readonly bigint[];
  stillInProcessor: boolean;
}

/** What a VM exit leaves as the guest had it, until the VMM changes it. */
const isUnsaved = ({ group, name }: Register): boolean => group === 'x87' || group === 'Vector' || /^(cr2|dr[0-36]|xcr0|pkru)$/.test(name);

/** The guest while the VMM runs: guest state of the VMCS, and the general-purpose registers recorded at the exit. */
export class SavedGuestRegisters implements RegisterFile {
  readonly world = 'guest';
  readonly live = false;
  constructor(
    private readonly cpu: Processor,
    private readonly vmx: VmxInspection,
    private readonly gprs: RecordedGprs | undefined,
  ) {}
  read(register: Register): bigint | undefined {
    if (register.name === 'efer') return savedEfer(this.vmx, this.cpu, 'guest');
    if (register.guest) return this.vmx.readField(Encoding[register.guest]);
    const n = gprNumber(register.name);
    if (n >= 0) return this.gprs?.values[n];
    return this.gprs?.stillInProcessor && isUnsaved(register) ? readPlace(this.cpu, register.place) : undefined;
  }
  write(register: Register, value: bigint): boolean {
    if (register.guest) return this.vmx.writeField(Encoding[register.guest], value);
    if (gprNumber(register.name) < 0 || !this.gprs?.stillInProcessor) return false;
    return writePlace(this.cpu, register.place, value);
  }
}

/** The VMM while the guest runs: host state of the VMCS, which is what the next exit loads. */
export class SavedHostRegisters implements RegisterFile {
  readonly world = 'vmm';
  readonly live = false;
  constructor(
    private readonly cpu: Processor,
    private readonly vmx: VmxInspection,
  ) {}
  read(register: Register): bigint | undefined {
    if (register.name === 'efer') return savedEfer(this.vmx, this.cpu, 'vmm');
    return register.host && this.vmx.readField(Encoding[register.host]);
  }
  write(register: Register, value: bigint): boolean {
    return register.host !== undefined && this.vmx.writeField(Encoding[register.host], value);
  }
}
