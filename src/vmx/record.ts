/**
 * The record of a VM exit in words. It is built from what the exit left in the processor's state, so that the last exit
 * can still be told after a snapshot was restored, and an exit that nobody watches costs nothing here.
 */
import { join64 } from '../base/bits';
import { Gpr } from '../cpu/state';
import { type ExitRecord, LASTING_EXITS, type PassingExit, type PlainNumber } from './observe';
import { Private } from './privateState';
import { exitReason, exitReasonName, Reason } from './tables/exitReasons';
import { decodeQualification } from './tables/qualification';
import { EVENT_TYPES, vectorName } from './tables/words';
import type { Vmx } from './vmx';

type Details = ExitRecord['details'];

/** A number where it is exact, else hexadecimal. */
const exact = (value: bigint): number | string => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : '0x' + value.toString(16));
const hex = (value: bigint): string => '0x' + value.toString(16);

/** Bits of the exit qualification of EPT violations and of I/O instructions. */
const LINEAR_VALID = 1 << 7;
const STRING_IO = 1 << 4;

/**
 * A VM exit. It is filled at every exit that somebody watches, so it copies words; what they say is worked out when it is
 * asked for. Words are kept signed: such numbers cost nothing to keep.
 */
class Exit implements PassingExit {
  n = 0;
  cpu = 0;
  icount = 0;
  reason = 0;
  instructionLength = 0;
  private qualificationLow = 0;
  private qualificationHigh = 0;
  private ripLow = 0;
  private ripHigh = 0;
  private linearLow = 0;
  private linearHigh = 0;
  private gpaLow = 0;
  private gpaHigh = 0;
  private interruption = 0;
  private errorCode = 0;
  private vectoring = 0;
  private eax = 0;
  private raxHigh = 0;
  private ecx = 0;
  private edx = 0;
  /** The register that bits 11:8 of the qualification name, where the reason has one there. */
  private namedLow = 0;
  private namedHigh = 0;
  private told: Details | undefined = undefined;

  /** Becomes the record of the last exit. */
  take(vmx: Vmx): this {
    const { i32 } = vmx.state.views;
    const base = vmx.state.base >>> 2;
    this.n = vmx.f64(Private.EXITS);
    this.cpu = vmx.cpu.index;
    this.icount = vmx.f64(Private.EXIT_CLOCK);
    this.reason = i32[base + (Private.EXIT_REASON >>> 2)]! & 0xffff;
    this.instructionLength = i32[base + (Private.EXIT_LENGTH >>> 2)]!;
    const qualification = base + (Private.EXIT_QUALIFICATION >>> 2);
    this.qualificationLow = i32[qualification]!;
    this.qualificationHigh = i32[qualification + 1]!;
    const rip = base + (Private.EXIT_RIP >>> 2);
    this.ripLow = i32[rip]!;
    this.ripHigh = i32[rip + 1]!;
    const linear = base + (Private.EXIT_LINEAR >>> 2);
    this.linearLow = i32[linear]!;
    this.linearHigh = i32[linear + 1]!;
    const gpa = base + (Private.EXIT_GPA >>> 2);
    this.gpaLow = i32[gpa]!;
    this.gpaHigh = i32[gpa + 1]!;
    this.interruption = i32[base + (Private.EXIT_INTERRUPTION >>> 2)]!;
    this.errorCode = i32[base + (Private.EXIT_ERROR_CODE >>> 2)]!;
    this.vectoring = i32[base + (Private.EXIT_VECTORING >>> 2)]!;
    const gprs = base + (Private.EXIT_GPR >>> 2);
    this.eax = i32[gprs + Gpr.RAX * 2]!;
    this.raxHigh = i32[gprs + Gpr.RAX * 2 + 1]!;
    this.ecx = i32[gprs + Gpr.RCX * 2]!;
    this.edx = i32[gprs + Gpr.RDX * 2]!;
    const named = gprs + ((this.qualificationLow >>> 8) & 15) * 2;
    this.namedLow = i32[named]!;
    this.namedHigh = i32[named + 1]!;
    this.told = undefined;
    return this;
  }

  copy(): PassingExit {
    return Object.assign(new Exit(), this);
  }

  get name(): string {
    return exitReasonName(this.reason);
  }
  get qualification(): bigint {
    return join64(this.qualificationLow, this.qualificationHigh);
  }
  get guestRip(): bigint {
    return join64(this.ripLow, this.ripHigh);
  }
  get linear(): bigint | undefined {
    const { reason } = this;
    if (reason === Reason.INVLPG) return this.qualification;
    const valid = exitReason(reason)?.hasLinear === true && (reason !== Reason.EPT_VIOLATION || (this.qualificationLow & LINEAR_VALID) !== 0) && (reason !== Reason.IO_INSTRUCTION || (this.qualificationLow & STRING_IO) !== 0);
    return valid ? join64(this.linearLow, this.linearHigh) : undefined;
  }
  get gpa(): number | undefined {
    return exitReason(this.reason)?.hasGpa === true ? (this.gpaHigh >>> 0) * 0x1_0000_0000 + (this.gpaLow >>> 0) : undefined;
  }
  get details(): Details {
    return (this.told ??= this.tell());
  }

  number(name: PlainNumber): number | undefined {
    switch (this.reason) {
      case Reason.CPUID:
        return name === 'leaf' ? this.eax >>> 0 : name === 'subleaf' ? this.ecx >>> 0 : undefined;
      case Reason.RDMSR:
      case Reason.WRMSR:
        return name === 'msr' ? this.ecx >>> 0 : undefined;
      case Reason.IO_INSTRUCTION:
        return name === 'port' ? this.qualificationLow >>> 16 : undefined;
      case Reason.VMCALL:
        return name === 'number' && this.raxHigh === 0 ? this.eax >>> 0 : undefined;
      default:
        return undefined;
    }
  }

  private tell(): Details {
    const decoded = decodeQualification(this.reason, this.qualification).details;
    const details: Details = { ...decoded, ...this.operands(decoded) };
    const { vectoring } = this;
    if (vectoring < 0) details.during = `delivery of ${EVENT_TYPES[(vectoring >>> 8) & 7]} ${vectorName(vectoring & 0xff)}`;
    return details;
  }

  /** What the guest put into its registers for the instruction that exits, or the event that does. */
  private operands(decoded: Details): Details {
    const ecx = this.ecx >>> 0;
    switch (this.reason) {
      case Reason.EXCEPTION_OR_NMI:
      case Reason.EXTERNAL_INTERRUPT:
        return this.event();
      case Reason.CPUID:
        return { leaf: this.eax >>> 0, subleaf: ecx };
      case Reason.VMCALL:
        return { number: exact(join64(this.eax, this.raxHigh)) };
      case Reason.RDMSR:
        return { msr: ecx };
      case Reason.WRMSR:
        return { msr: ecx, value: hex(join64(this.eax, this.edx)) };
      case Reason.RDPMC:
        return { counter: ecx };
      case Reason.XSETBV:
        return { register: ecx, value: hex(join64(this.eax, this.edx)) };
      case Reason.CR_ACCESS:
      case Reason.DR_ACCESS:
        return decoded.access === 'mov to' ? { value: hex(join64(this.namedLow, this.namedHigh)) } : {};
      case Reason.IO_INSTRUCTION:
        if (decoded.direction !== 'out' || decoded.string) return {};
        return { value: (decoded.size === 4 ? this.eax : this.eax & (decoded.size === 2 ? 0xffff : 0xff)) >>> 0 };
      default:
        return {};
    }
  }

  private event(): Details {
    const info = this.interruption;
    if (info >= 0) return {}; // bit 31: valid
    const vector = info & 0xff;
    const type = (info >>> 8) & 7;
    if (type === 0) return { vector };
    const details: Details = { vector, exception: vectorName(vector), type: EVENT_TYPES[type]! };
    if (info & 0x800) details.errorCode = this.errorCode >>> 0;
    if (vector === 14 && type === 3) details.address = hex(this.qualification);
    return details;
  }
}

/** The last exit. Its `n` is its number on this processor. */
export const exitRecord = (vmx: Vmx): ExitRecord => new Exit().take(vmx);

/** The records of a processor's exits while somebody watches: each is used again, as the garbage of a million exits takes time. */
export class ExitRecords {
  private readonly records: Exit[] = [];
  private next = 0;

  /** The record of the last exit. It is good until LASTING_EXITS more have happened. */
  last(vmx: Vmx): PassingExit {
    const record = (this.records[this.next] ??= new Exit());
    this.next = (this.next + 1) % LASTING_EXITS;
    return record.take(vmx);
  }
}
