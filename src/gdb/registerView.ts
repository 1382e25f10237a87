/** The registers of one world as a 64-bit target shows them, whatever mode the processor is in. */
import type { CpuState } from '../cpu/state';
import { readNamed, type RegisterFile } from '../debug/registers/registerFile';
import { registerNamed } from '../debug/registers/registerTable';
import { codeBits, linearPc } from '../debug/run/position';
import { innermostFrame } from '../debug/stack/innermostFrame';
import type { Target } from '../debug/target';
import type { World } from '../debug/world';
import { RBP } from '../symbols/registers';

/** Registers of which code that is not 64-bit sees the low half only. */
const NARROW = new Set(['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp']);
const LMA = 1n << 10n;

export class RegisterView {
  private readonly file: RegisterFile;
  private readonly bits: 16 | 32 | 64;

  constructor(
    private readonly target: Target,
    world: World,
  ) {
    this.file = target.registers(world);
    const efer = readNamed(this.file, 'efer') ?? 0n;
    const access = readNamed(this.file, 'cs_access');
    // The host-state area has no access rights: a VMM in long mode runs 64-bit code.
    this.bits = access !== undefined ? codeBits(Number(efer), Number(access)) : efer & LMA ? 64 : 32;
  }

  /** The processor, when it holds this world's x87 and SSE registers: the VMCS keeps none of them. */
  get live(): CpuState | undefined {
    return this.file.live ? this.target.cpu.state : undefined;
  }

  read(name: string): bigint | undefined {
    const value = readNamed(this.file, name);
    if (name === 'rip') return value === undefined ? undefined : linearPc(value, this.bits, this.csBase);
    if (name === 'rbp' && value === undefined) return innermostFrame(this.target, this.file)?.register(RBP);
    return value !== undefined && this.bits !== 64 && NARROW.has(name) ? BigInt.asUintN(32, value) : value;
  }

  /** False when the register cannot be written now. */
  write(name: string, value: bigint): boolean {
    const offset = name === 'rip' && this.bits !== 64 ? BigInt.asUintN(32, value - this.csBase) : value;
    return this.file.write(registerNamed(name)!, offset);
  }

  private get csBase(): bigint {
    return readNamed(this.file, 'cs_base') ?? 0n;
  }
}
