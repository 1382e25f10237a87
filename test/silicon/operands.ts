/** A case around a random instruction: registers, segments and memory such that most accesses reach the data page and most transfers the code page. */
import { AC, DF, STATUS_FLAGS, TF } from '../../src/cpu/flags';
import { type CodeSize, type Instruction, Kind, NO_REGISTER, Prefix, RIP_REGISTER } from '../../src/cpu/decode/instruction';
import { type EncodedForm, encode } from './encodings';
import type { Random } from './random';
import { At, baseOf, CODE, CODE_SIZE, DATA, DATA_SIZE, Selector, YMM_SIZE } from './testCase';
import { type Elements, elementsOf, mxcsr, quadword } from './vectorValues';
import { memoryOperand, stateImage } from './x87Operands';
import type { MemoryKind } from './x87Forms';

const [RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI] = [0, 1, 2, 3, 4, 5, 6, 7];
const [ES, CS, SS, DS, FS, GS] = [0, 1, 2, 3, 4, 5];
const FIELDS = [At.ES, At.CS, At.SS, At.DS, At.FS, At.GS];
/** Where the instruction is, and where transfers go: offsets in the page of the code. */
const START = 0x400;
const LANDING = 0x800;
/** Where the stack is by default: offset in the data page. */
const STACK = 0x200;
const MASK64 = (1n << 64n) - 1n;

/** Selectors for whatever takes one: Linux's, the local ones, system descriptors, beyond the tables, all privileges. */
const SELECTORS = [...Object.values(Selector), ...Object.values(Selector), 0, 1, 3, 0x08, 0x10, 0x18, 0x13, 0x20, 0x28, 0x2a, 0x30, 0x38, 0x40, 0x48, 0x50, 0x60, 0x80, 0xfff8, 0x47, 0x5f, 0x04, 0x0c, 0x3d];
const DATA_SELECTORS = [Selector.DATA, Selector.LOCAL_DATA, Selector.LOCAL_DATA, Selector.LOCAL_DATA16, Selector.LOCAL_EXPAND_DOWN, Selector.LOCAL_READ_ONLY, 0];

const LOCKABLE = new Set(['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'inc', 'dec', 'not', 'neg', 'xchg', 'cmpxchg', 'xadd', 'bts', 'btr', 'btc', 'cmpxchg8b', 'cmpxchg16b']);
const ALIGNED_AREA = /^(fx|xs|xr)/;
const SELECTOR_OPERAND = /^(mov_to_sreg|lar|lsl|verr|verw|lldt|ltr|arpl)$/;
const FAR_LOAD = /^(les|lds|lss|lfs|lgs)$/;
const FAR_TRANSFER = /^(call_far|jmp_far)$/;

/** Random memory and registers are copied from a pool, made once for each form. */
const POOL_WORDS = 384;
const CHUNK = 64;

const pick = <T>(r: Random, list: readonly T[]): T => list[r.below(list.length)]!;

const EDGES = [0n, 1n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, MASK64];
function general(r: Random): bigint {
  if (r.below(3) === 0) return EDGES[r.below(EDGES.length)]!;
  const v = r.next64();
  return r.below(2) ? v : BigInt.asUintN(64, BigInt.asIntN(1 + r.below(64), v));
}

/** What lies at an x87 instruction's memory operand. */
function x87Memory(mnemonic: string, size: number): MemoryKind {
  if (mnemonic === 'fbld') return 'bcd';
  if (mnemonic === 'fldcw') return 'control';
  if (/^(fldenv|frstor)$/.test(mnemonic)) return 'environment';
  if (/^fi/.test(mnemonic)) return 'anything';
  return size === 4 ? 'single' : size === 8 ? 'double' : size === 10 ? 'extended' : 'anything';
}

/** Exponents around which a transcendental instruction is interesting. */
const NEAR: Record<string, number> = { f2xm1: -3, fptan: 1, fyl2xp1: -4, fsincos: 1, frndint: 20, fscale: 6, fsin: 1, fcos: 1 };

/** Makes the cases of one form. */
export class CaseMaker {
  private readonly pool = Buffer.alloc(POOL_WORDS * 8);
  private readonly elements: Elements;
  private readonly mnemonic: string;
  /** Set while one case is made. */
  private one!: Buffer;
  private insn!: Instruction;
  private bytes!: number[];

  constructor(
    private readonly form: EncodedForm,
    private readonly codeSize: CodeSize,
    /** Whether the kernel lets programs have segments of their own. */
    private readonly segments: boolean,
    private readonly r: Random,
  ) {
    this.mnemonic = form.mnemonic;
    const vector = this.mnemonic.replace(/^v(?!err|erw)/, '');
    this.elements = /x?mm|ymm/.test(form.name) ? (/^vcvtph/.test(this.mnemonic) ? 'integer' : this.mnemonic === 'vcvtps2ph' ? 'half' : elementsOf(vector)) : 'integer';
    for (let n = 0; n < POOL_WORDS; n++) this.pool.writeBigUInt64LE(quadword(r, this.elements), n * 8);
  }

  private fill(from: number, size: number): void {
    for (let n = 0; n < size; n += CHUNK) {
      const at = this.r.below(POOL_WORDS - CHUNK / 8) * 8;
      this.pool.copy(this.one, from + n, at, at + CHUNK);
    }
  }

  private reg(n: number): bigint {
    return this.one.readBigUInt64LE(At.REGS + n * 8);
  }
  private setReg(n: number, value: bigint): void {
    this.one.writeBigUInt64LE(value & MASK64, At.REGS + n * 8);
  }
  /** Writes the low `bytes` of a register, leaving the rest. */
  private setPart(n: number, bytes: number, value: bigint): void {
    const mask = (1n << BigInt(bytes * 8)) - 1n;
    this.setReg(n, (this.reg(n) & ~mask) | (value & mask));
  }
  private selector(seg: number): number {
    return this.one.readUInt16LE(FIELDS[seg]!);
  }
  private setSelector(seg: number, selector: number): void {
    this.one.writeUInt16LE(selector, FIELDS[seg]!);
  }
  private base(seg: number): bigint {
    if (this.codeSize === 64) return seg === FS ? BigInt(DATA + 0x40) : seg === GS ? BigInt(DATA + 0x80) : 0n;
    return BigInt(baseOf(this.selector(seg)));
  }
  private put(offset: number, size: number, value: bigint): void {
    let rest = value;
    for (let n = 0; n < size; n++, rest >>= 8n) if (offset + n >= 0 && offset + n < DATA_SIZE) this.one[At.DATA + offset + n] = Number(rest & 0xffn);
  }

  /** Fills `one` with a random case. */
  make(one: Buffer): void {
    const { r } = this;
    this.one = one;
    one.fill(0, 0, At.CODE + CODE_SIZE);
    for (let tries = 0; ; tries++) {
      const { encoding, insn } = encode(this.form, this.codeSize, r);
      this.insn = insn;
      this.bytes = encoding.bytes;
      if (!this.dangerous() || tries > 50) {
        this.fill(At.DATA, DATA_SIZE);
        this.setRegisters();
        this.setVectors();
        this.setSegments();
        this.setStack();
        const offset = this.setMemory(encoding.displacementAt, encoding.displacementSize);
        this.setImplicit();
        this.setSpecial(offset);
        break;
      }
    }
    const code = [...this.prelude(), ...this.bytes];
    one.writeUInt16LE(START, At.START);
    one[At.LENGTH] = code.length;
    Buffer.from(code).copy(one, At.CODE);
    one.writeBigUInt64LE(BigInt(CODE + START) - this.base(CS), At.RIP);
  }

  /** What would call the host's kernel or loop for ever. */
  private dangerous(): boolean {
    const { insn, bytes } = this;
    if (this.mnemonic === 'int') return insn.immLow === 0x80;
    // EDX:EAX says which components are meant; the host has more than the engine.
    if (/^x(save|rstor)/.test(this.mnemonic) && [insn.base, insn.index].some((n) => n === RAX || n === RDX)) return true;
    if (insn.prefixes & Prefix.LOCK && !LOCKABLE.has(this.mnemonic) && this.r.below(10) !== 0) return true;
    const operand = insn.operands[0];
    if (operand.kind !== Kind.REL) return false;
    let target = bytes.length + insn.immLow;
    if (insn.operandSize === 2) target = (target << 16) >> 16;
    return target > -24 && target < bytes.length;
  }

  private prelude(): number[] {
    // mov eax, 0x55555550; xor ecx, ecx; xor edx, edx; wrpkru: what RDPKRU finds is known then.
    const wide = this.codeSize === 16 ? [0x66] : [];
    return this.mnemonic === 'rdpkru' ? [...wide, 0xb8, 0x50, 0x55, 0x55, 0x55, ...wide, 0x31, 0xc9, ...wide, 0x31, 0xd2, 0x0f, 0x01, 0xef] : [];
  }

  private setRegisters(): void {
    const { r, one } = this;
    for (let n = 0; n < 16; n++) {
      const value = general(r);
      // Other code sizes leave the upper halves as they are, or not.
      this.setReg(n, this.codeSize === 64 ? value : n < 8 ? BigInt.asUintN(32, value) : 0n);
    }
    let flags = (r.next() & STATUS_FLAGS) | 0x202;
    if (r.below(2)) flags |= DF;
    if (r.below(16) === 0) flags |= AC;
    if (r.below(32) === 0) flags |= TF;
    one.writeBigUInt64LE(BigInt(flags), At.FLAGS);
  }

  private setVectors(): void {
    const { r, one, mnemonic } = this;
    this.fill(At.YMM, 16 * YMM_SIZE);
    const near = NEAR[mnemonic] ?? 0;
    const image = stateImage(r, near);
    const view = new DataView(image.buffer);
    one.writeUInt16LE(view.getUint16(0, true), At.X87);
    one.writeUInt16LE(view.getUint16(4, true), At.X87 + 2);
    let tags = 0;
    for (let i = 0; i < 8; i++) if (((view.getUint16(8, true) >>> (2 * i)) & 3) !== 3) tags |= 1 << i;
    one.writeUInt16LE(tags, At.X87 + 4);
    one.writeUInt16LE(view.getUint16(18, true) & 0x7ff, At.X87 + 6);
    one.writeBigUInt64LE(BigInt(view.getUint32(12, true)), At.X87 + 8);
    one.writeBigUInt64LE(BigInt(view.getUint32(20, true)), At.X87 + 16);
    for (let i = 0; i < 8; i++) {
      one.fill(0, At.X87 + 32 + i * 16, At.X87 + 48 + i * 16);
      one.set(image.subarray(28 + i * 10, 38 + i * 10), At.X87 + 32 + i * 16);
    }
    one.writeUInt32LE(mxcsr(r), At.MXCSR);
    if (/^v?(ps[lr]|pcmp.str)/.test(mnemonic)) {
      for (let n = 0; n < 16 * YMM_SIZE; n += 4) if (r.below(4) === 0) one.writeUInt32LE(r.below(40), At.YMM + n);
      for (let n = 0; n < 16 * YMM_SIZE + DATA_SIZE; n += 16) if (r.below(2)) one.writeBigUInt64LE(BigInt(r.below(70)), At.YMM + n);
      if (/pcmp.str/.test(mnemonic)) for (const n of [RAX, RDX]) this.setPart(n, 4, BigInt(r.below(24) - 8));
    }
    if (/^v?pcmp/.test(mnemonic)) for (let n = 0; n < DATA_SIZE + 16 * YMM_SIZE; n++) if (r.below(3) === 0) one[At.YMM + n] = r.below(4);
  }

  private setSegments(): void {
    const { r, one, codeSize } = this;
    if (codeSize === 64) {
      this.setSelector(CS, Selector.CODE64);
      this.setSelector(SS, Selector.DATA);
      for (const seg of [ES, DS]) this.setSelector(seg, r.below(2) ? Selector.DATA : 0);
      one.writeBigUInt64LE(BigInt(DATA + 0x40), At.FS_BASE);
      one.writeBigUInt64LE(BigInt(DATA + 0x80), At.GS_BASE);
      return;
    }
    const data = (): number => (!this.segments || r.below(2) ? Selector.DATA : pick(r, DATA_SELECTORS));
    const { insn } = this;
    this.setSelector(CS, codeSize === 16 ? Selector.LOCAL_CODE16 : this.segments && r.below(4) === 0 ? Selector.LOCAL_CODE32 : Selector.CODE32);
    for (const seg of [ES, DS, FS, GS]) this.setSelector(seg, data());
    this.setSelector(SS, codeSize === 16 ? pick(r, [Selector.LOCAL_DATA16, Selector.LOCAL_DATA16, Selector.LOCAL_DATA, Selector.DATA]) : this.segments && r.below(4) === 0 ? pick(r, [Selector.LOCAL_DATA, Selector.LOCAL_DATA16]) : Selector.DATA);
    // A 16-bit address reaches the data page only by a segment that begins there.
    if (insn.addressSize !== 2 || !this.segments || r.below(16) === 0) return;
    for (const seg of [insn.segment, ES]) if (seg !== CS && baseOf(this.selector(seg)) === 0) this.setSelector(seg, seg === SS ? Selector.LOCAL_DATA16 : pick(r, [Selector.LOCAL_DATA, Selector.LOCAL_DATA, Selector.LOCAL_DATA16, Selector.LOCAL_EXPAND_DOWN]));
  }

  private setStack(): void {
    const { r } = this;
    if (r.below(32) === 0) return;
    const offset = r.below(16) === 0 ? r.below(16) : STACK + r.below(8) * 8 + (r.below(8) ? 0 : r.below(8));
    this.setReg(RSP, BigInt(DATA + offset) - this.base(SS));
    if (/^(enter|leave)$/.test(this.mnemonic) && r.below(8)) this.setReg(RBP, BigInt(DATA + 0x180 + r.below(32) * 4) - this.base(SS));
  }

  /** Makes the memory operand reach the data page; yields its offset there, or -1. */
  private setMemory(displacementAt: number, displacementSize: number): number {
    const { r, insn, mnemonic } = this;
    const operand = insn.operands.find(({ kind }, n) => n < insn.operandCount && kind === Kind.MEM);
    if (!operand || r.below(12) === 0) return -1;
    const locked = (insn.prefixes & Prefix.LOCK) !== 0 || mnemonic === 'xchg';
    let offset = r.below(4) === 0 && !locked ? 0x40 + r.below(0x200) : 0x40 + r.below(0x20) * 16;
    if (ALIGNED_AREA.test(mnemonic)) offset = r.below(8) ? 0x40 : 0x40 + r.below(64);
    const page = insn.segment === CS && this.codeSize !== 64 ? CODE : DATA;
    const width = BigInt(insn.addressSize * 8);
    const mask = (1n << width) - 1n;
    const address = (BigInt(page + offset) - this.base(insn.segment)) & mask;
    const displacement = BigInt.asUintN(64, (BigInt(insn.dispHigh) << 32n) | BigInt(insn.dispLow >>> 0));
    const vectorIndex = /gather/.test(mnemonic);
    const patch = (at: number, size: number, value: bigint): void => {
      let rest = BigInt.asUintN(size * 8, value);
      for (let n = 0; n < size; n++, rest >>= 8n) this.bytes[at + n] = Number(rest & 0xffn);
    };
    if (vectorIndex) this.setIndices();
    if (insn.modrm < 0) patch(this.bytes.length - insn.addressSize, insn.addressSize, address);
    else if (insn.base === RIP_REGISTER) patch(displacementAt, displacementSize, address - (BigInt(CODE + START + this.bytes.length + this.prelude().length)));
    else if (insn.base === NO_REGISTER) {
      if (insn.index !== NO_REGISTER && !vectorIndex) this.setPart(insn.index, insn.addressSize, BigInt(r.below(4)));
      const index = insn.index === NO_REGISTER || vectorIndex ? 0n : (this.reg(insn.index) & mask) << BigInt(insn.scale);
      if (displacementAt > 0) patch(displacementAt, displacementSize, address - index);
    } else {
      const index = insn.index === NO_REGISTER || vectorIndex ? 0n : insn.index === insn.base ? -1n : this.reg(insn.index) << BigInt(insn.scale);
      if (index < 0n) return -1;
      this.setPart(insn.base, insn.addressSize, address - index - displacement);
    }
    return page === DATA ? offset : -1;
  }

  private setIndices(): void {
    const { r, one, insn } = this;
    const bits = /gatherd/.test(this.mnemonic) ? 32 : 64;
    for (let n = 0; n < YMM_SIZE; n += bits / 8) {
      const index = r.below(96 >> insn.scale) - (r.below(4) === 0 ? 64 >> insn.scale : 0);
      if (bits === 32) one.writeInt32LE(index, At.YMM + insn.index * YMM_SIZE + n);
      else one.writeBigInt64LE(BigInt(index), At.YMM + insn.index * YMM_SIZE + n);
    }
  }

  /** String operands and others that no ModRM names. */
  private setImplicit(): void {
    const { r, insn, mnemonic } = this;
    const place = (n: number, seg: number, offset: number): void => this.setPart(n, insn.addressSize, BigInt(DATA + offset) - this.base(seg));
    const wild = r.below(16) === 0;
    let string = false;
    for (let n = 0; n < insn.operandCount; n++) {
      const { kind } = insn.operands[n]!;
      if (kind === Kind.SRC_STRING && !wild) place(RSI, insn.segment, r.below(16) ? 0x60 + r.below(64) : r.below(DATA_SIZE));
      if (kind === Kind.DST_STRING && !wild) place(RDI, ES, r.below(16) ? 0x100 + r.below(64) : r.below(DATA_SIZE));
      string ||= kind === Kind.SRC_STRING || kind === Kind.DST_STRING;
    }
    if (string) {
      if (r.below(16)) this.setPart(RCX, insn.addressSize, BigInt(r.below(9)));
      if (r.below(2)) for (let n = 0; n < DATA_SIZE; n++) this.one[At.DATA + n]! &= 1;
      if (r.below(2)) this.setReg(RAX, r.below(2) ? 0n : 0x0101_0101n);
    }
    if (mnemonic === 'xlat' && !wild) place(RBX, insn.segment, 0x40 + r.below(64));
    if (/^v?maskmov(q|dqu)$/.test(mnemonic) && !wild) place(RDI, insn.segment, 0x40 + r.below(64));
  }

  /** Contents and registers with which an instruction does more than fault. `offset` is its memory operand's, or -1. */
  private setSpecial(offset: number): void {
    const { r, insn, mnemonic } = this;
    const size = insn.operandSize;
    const first = insn.operands[0];
    const landing = (selector: number): bigint => (r.below(4) ? BigInt(CODE + LANDING) - BigInt(baseOf(selector)) : general(r));
    const here = this.selector(CS);
    const operand = (value: bigint, width: number): void => {
      for (let n = 0; n < insn.operandCount; n++) {
        const { kind, number } = insn.operands[n]!;
        if (kind === Kind.MEM && offset >= 0) this.put(offset, width, value);
        else if (kind === Kind.REG && (n > 0 || insn.operandCount === 1 || mnemonic === 'arpl')) this.setPart(number, width, value);
      }
    };
    const stack = Number(BigInt.asIntN(32, this.reg(RSP) + this.base(SS) - BigInt(DATA)));
    const push = (index: number, value: bigint, width = size): void => this.put(stack + index * width, width, value);
    const code = r.below(3) ? pick(r, this.segments ? [Selector.CODE64, Selector.CODE32, Selector.LOCAL_CODE16, Selector.LOCAL_CODE32, Selector.LOCAL_EXECUTE_ONLY] : [Selector.CODE64, Selector.CODE32]) : pick(r, SELECTORS);
    if (SELECTOR_OPERAND.test(mnemonic)) operand(BigInt(pick(r, SELECTORS)), 2);
    else if (FAR_LOAD.test(mnemonic) && offset >= 0) this.put(offset + size, 2, BigInt(pick(r, SELECTORS)));
    else if (FAR_TRANSFER.test(mnemonic)) {
      if (first.kind === Kind.FAR) {
        const at = this.bytes.length - 2 - size;
        let value = BigInt.asUintN(size * 8, landing(code)) | (BigInt(code) << BigInt(size * 8));
        for (let n = 0; n < size + 2; n++, value >>= 8n) this.bytes[at + n] = Number(value & 0xffn);
      } else if (offset >= 0) {
        this.put(offset, size, landing(code));
        this.put(offset + size, 2, BigInt(code));
      }
    } else if (/^(ret_far|iret)$/.test(mnemonic)) {
      push(0, landing(code));
      push(1, BigInt(code) | (r.next64() << 16n));
      if (mnemonic === 'iret') {
        // Silicon checks the alignment of what is popped after the flags by the new AC, and Linux takes that #AC for a split lock.
        const without = (r.below(4) ? TF : 0) | (stack & 7 ? AC : 0);
        push(2, BigInt((r.next() & 0x27_ffff & ~without) >>> 0));
        push(3, BigInt(DATA + STACK));
        push(4, BigInt(r.below(3) ? Selector.DATA : pick(r, SELECTORS)));
      }
    } else if (mnemonic === 'popf') push(0, BigInt((r.next() & ~(r.below(4) ? TF : 0)) >>> 0));
    else if (mnemonic === 'pop_sreg') push(0, BigInt(pick(r, SELECTORS)));
    else if (mnemonic === 'ret') push(0, landing(here));
    else if (/^(call|jmp)$/.test(mnemonic)) operand(landing(here), size);
    else if (/^(idiv|div)$/.test(mnemonic) && r.below(2)) {
      this.setReg(RDX, r.below(2) ? 0n : BigInt(r.below(1 << 16)));
      if (r.below(2)) this.setReg(RAX, BigInt(r.below(1 << 12)));
    } else if (/^bt[src]?$/.test(mnemonic) && r.below(4) && insn.operands[1].kind === Kind.REG && insn.operands[1].number !== insn.base && insn.operands[1].number !== insn.index) this.setPart(insn.operands[1].number, size, BigInt(r.below(600) - 300));
    else if (mnemonic === 'bound' && offset >= 0 && r.below(2)) {
      const value = BigInt.asIntN(size * 8, this.reg(first.number));
      this.put(offset, size, value - BigInt(r.below(3)));
      this.put(offset + size, size, value + BigInt(r.below(3)) - (r.below(4) ? 0n : 1n));
    } else if (/^cmpxchg(8|16)b$/.test(mnemonic) && offset >= 0 && r.below(2)) {
      const half = mnemonic === 'cmpxchg8b' ? 4 : 8;
      for (const n of [RAX, RDX]) if (n !== insn.base && n !== insn.index) this.put(offset + (n === RAX ? 0 : half), half, this.reg(n));
    } else if (/^x(save|rstor)/.test(mnemonic)) this.setSaveArea(offset);
    else if (mnemonic === 'fxrstor' && offset >= 0 && r.below(8)) this.put(offset + 24, 4, BigInt(mxcsr(r)));
    else if (/^v?ldmxcsr$/.test(mnemonic) && offset >= 0 && r.below(4)) this.put(offset, 4, BigInt(mxcsr(r)));
    else if (mnemonic === 'syscall') {
      // A number that Linux does not know. With TF set it would not return by SYSRET.
      this.setReg(RAX, 0xfff_0000n);
      this.one.writeUInt32LE(this.one.readUInt32LE(At.FLAGS) & ~TF, At.FLAGS);
    } else if (/^(rdpkru|wrpkru|xgetbv)$/.test(mnemonic)) {
      if (r.below(4)) this.setReg(RCX, 0n);
      if (r.below(4)) this.setReg(RDX, 0n);
      this.setReg(RAX, this.reg(RAX) & ~3n);
    } else if (/^f/.test(mnemonic) && first.kind === Kind.MEM && offset >= 0) {
      const bytes = memoryOperand(r, x87Memory(mnemonic, first.size), size !== 2);
      for (let n = 0; n < (/^(fldenv|frstor)$/.test(mnemonic) ? bytes.length : 10) && offset + n < DATA_SIZE; n++) this.one[At.DATA + offset + n] = bytes[n]!;
    }
  }

  private setSaveArea(offset: number): void {
    const { r } = this;
    const requested = BigInt(r.below(8));
    this.setReg(RAX, requested);
    this.setReg(RDX, 0n);
    if (offset < 0 || r.below(8) === 0) return;
    this.put(offset + 24, 4, BigInt(mxcsr(r)));
    const compacted = r.below(4) === 0;
    for (let n = 0; n < 64; n += 8) this.put(offset + 512 + n, 8, 0n);
    this.put(offset + 512, 8, BigInt(r.below(8)));
    if (compacted) this.put(offset + 520, 8, (1n << 63n) | 7n);
  }
}
