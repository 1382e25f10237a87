/**
 * One instruction as a line of text, once from our decoder and once from iced-x86: length, mnemonic, prefixes, operands.
 * Two lines that differ are a disagreement.
 */
import { Decoder, DecoderOptions, EncodingKind, Instruction as IcedInstruction, MemorySize, MemorySizeExt, Mnemonic, OpKind, Register } from 'iced-x86';
import { decode, mnemonics } from '../../src/cpu/decode/decode';
import { Instruction, Kind, NO_REGISTER, Prefix, RIP_REGISTER, type CodeSize } from '../../src/cpu/decode/instruction';

/** Bytes from one input to the next; an instruction has at most 15. */
export const STRIDE = 16;

const CONDITIONS = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];
const KINDS = Object.fromEntries(Object.entries(Kind).map(([name, value]) => [value, name])) as Record<number, string>;
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];

/** iced's names that are several of ours' one, by the name alone. */
const RENAMED: Record<string, string> = {
  sal: 'shl', movsxd: 'movsx', wait: 'fwait', xlatb: 'xlat', retf: 'ret_far', jecxz: 'jcxz', jrcxz: 'jcxz', cwde: 'cbw', cdqe: 'cbw', cdq: 'cwd', cqo: 'cwd',
  pushaw: 'pusha', pushad: 'pusha', popaw: 'popa', popad: 'popa', pushfd: 'pushf', pushfq: 'pushf', popfd: 'popf', popfq: 'popf', iretd: 'iret', iretq: 'iret',
  sysretq: 'sysret', sysexitq: 'sysexit', fxsave64: 'fxsave', fxrstor64: 'fxrstor', xsave64: 'xsave', xrstor64: 'xrstor', xsaveopt64: 'xsaveopt',
  xsavec64: 'xsavec', xsaves64: 'xsaves', xrstors64: 'xrstors', reservednop: 'nop', endbr32: 'nop', endbr64: 'nop', prefetchnta: 'nop', prefetcht0: 'nop',
  prefetcht1: 'nop', prefetcht2: 'nop', prefetch: 'nop', prefetchw: 'nop', prefetchwt1: 'nop', prefetchit0: 'nop', prefetchit1: 'nop', cldemote: 'nop', fstpnce: 'fstp', udb: 'invalid',
  rdsspd: 'nop', rdsspq: 'nop', iretw: 'iret', pushfw: 'pushf', popfw: 'popf', zero_bytes: 'invalid',
  getsecq: 'getsec', pcmpestri64: 'pcmpestri', pcmpestrm64: 'pcmpestrm', vpcmpestri64: 'vpcmpestri', vpcmpestrm64: 'vpcmpestrm',
}; // prettier-ignore
const STRINGS = /^(movs|cmps|stos|lods|scas|ins|outs)[bwdq]$/;

const memorySizes = new Map<MemorySize, number>();
function memorySize(size: MemorySize): number {
  let bytes = memorySizes.get(size);
  if (bytes === undefined) memorySizes.set(size, (bytes = MemorySizeExt.size(size)));
  return bytes;
}

/** Mnemonics whose operand widths the two describe differently without meaning different things. */
const LOOSE_SIZE = /^(fxch|arpl|lar|lsl|mov_to_sreg|lldt|ltr|verr|verw|lmsw|nop|fxsave|fxrstor|xsave|xrstor|fn?stenv|fldenv|fn?save|frstor|clflush|clflushopt|clwb|vmptrld|vmptrst|vmclear|vmxon|ud0|ud1|lgdt|lidt|sgdt|sidt|call_far|jmp_far|invlpg|lea|f|bound)/;
const VECTOR = /^(MM|XMM|YMM)/;

function registerText(register: Register): { kind: string; size: number; number: number; high: boolean } {
  const r = register as number;
  if (r < Register.AX) {
    const n = r - Register.AL;
    return n >= 4 && n < 8 ? { kind: 'REG', size: 1, number: n - 4, high: true } : { kind: 'REG', size: 1, number: n < 4 ? n : n - 4, high: false };
  }
  if (r < Register.EAX) return { kind: 'REG', size: 2, number: r - Register.AX, high: false };
  if (r < Register.RAX) return { kind: 'REG', size: 4, number: r - Register.EAX, high: false };
  if (r < Register.EIP) return { kind: 'REG', size: 8, number: r - Register.RAX, high: false };
  if (r >= Register.ES && r < Register.XMM0) return { kind: 'SREG', size: 2, number: r - Register.ES, high: false };
  if (r >= Register.XMM0 && r < Register.YMM0) return { kind: 'XMM', size: 16, number: r - Register.XMM0, high: false };
  if (r >= Register.YMM0 && r < Register.ZMM0) return { kind: 'YMM', size: 32, number: r - Register.YMM0, high: false };
  if (r >= Register.CR0 && r < Register.DR0) return { kind: 'CREG', size: 8, number: r - Register.CR0, high: false };
  if (r >= Register.DR0 && r < Register.ST0) return { kind: 'DREG', size: 8, number: r - Register.DR0, high: false };
  if (r >= Register.ST0 && r < Register.MM0) return { kind: 'ST', size: 10, number: r - Register.ST0, high: false };
  if (r >= Register.MM0 && r < Register.TMM0) return { kind: 'MM', size: 8, number: r - Register.MM0, high: false };
  return { kind: 'OTHER', size: 0, number: r, high: false };
}

const addressNumber = (register: Register): string => {
  const r = register as number;
  if (r === Register.None) return '-';
  if (r === Register.RIP || r === Register.EIP) return 'rip';
  return String(registerText(r).number);
};

const isMemoryKind = (kind: OpKind): boolean => kind === OpKind.Memory;
const isStringSource = (kind: OpKind): boolean => kind >= OpKind.MemorySegSI && kind <= OpKind.MemorySegRSI;
const isStringDestination = (kind: OpKind): boolean => kind >= OpKind.MemoryESDI && kind <= OpKind.MemoryESRDI;

/** Our name of iced's instruction. */
function nameOf(insn: IcedInstruction): string {
  let name = Mnemonic[insn.mnemonic]!.toLowerCase();
  const kind0 = insn.opCount > 0 ? insn.opKind(0) : undefined;
  const strings = insn.opCount > 0 && [0, 1].some((n) => n < insn.opCount && (isStringSource(insn.opKind(n)) || isStringDestination(insn.opKind(n))));
  if (strings && STRINGS.test(name)) return name.slice(0, -1);
  name = RENAMED[name] ?? name;
  const condition = (insn.conditionCode as number) - 1;
  if (condition >= 0 && /^j/.test(name) && name !== 'jcxz') return `jcc ${CONDITIONS[condition]}`;
  if (condition >= 0 && /^set/.test(name)) return `setcc ${CONDITIONS[condition]}`;
  if (condition >= 0 && /^cmov/.test(name)) return `cmovcc ${CONDITIONS[condition]}`;
  const far = insn.memorySize === MemorySize.SegPtr16 || insn.memorySize === MemorySize.SegPtr32 || insn.memorySize === MemorySize.SegPtr64;
  if (name === 'jmp' || name === 'call') {
    if (kind0 === OpKind.FarBranch16 || kind0 === OpKind.FarBranch32 || far) return name + '_far';
    return kind0 === OpKind.Register || kind0 === OpKind.Memory ? name + '_near' : name;
  }
  const classOf = (n: number): string => (insn.opKind(n) === OpKind.Register ? registerText(insn.opRegister(n)).kind : '');
  if (name === 'mov') {
    for (const [kind, suffix] of [['SREG', 'sreg'], ['CREG', 'cr'], ['DREG', 'dr']] as const) {
      if (classOf(0) === kind) return `mov_to_${suffix}`;
      if (classOf(1) === kind) return `mov_from_${suffix}`;
    } // prettier-ignore
  }
  if ((name === 'push' || name === 'pop') && classOf(0) === 'SREG') return name + '_sreg';
  if (name === 'imul' && insn.opCount === 1) return 'imul1';
  return name;
}

/** In 64-bit code only FS and GS make a difference; iced reports overrides of the others, which do nothing. */
const segmentText = (segment: number, codeSize: CodeSize): string => (codeSize === 64 && segment < 4 ? '' : ` ${SEGMENTS[segment]}`);

export interface Signature {
  text: string;
  name: string;
  /** iced's encoding of the instruction; undefined for ours. */
  encoding?: EncodingKind;
}

/** Mnemonics that push or pop exactly one operand of the operand size. */
const PUSHES = /^(push|push_sreg|pushf|call|call_near)$/;
const POPS = /^(pop|pop_sreg|popf|ret)$/;

/** Bytes of address, by the register that iced names. */
const addressBytes = (register: Register): number => (register < Register.EAX ? 2 : register < Register.RAX ? 4 : register < Register.EIP || register === Register.RIP ? 8 : 4);

const hex64 = (value: bigint): string => BigInt.asUintN(64, value).toString(16);

/** Signature of what iced made of the bytes. `codeSize` sets how immediates are compared. */
export function icedSignature(insn: IcedInstruction, codeSize: CodeSize): Signature {
  if (insn.mnemonic === Mnemonic.INVALID) return { text: 'invalid', name: 'invalid' };
  const name = nameOf(insn);
  if (name === 'invalid') return { text: 'invalid', name };
  let text = `${insn.length} ${name}${insn.hasLockPrefix ? ' lock' : ''}`;
  const isString = /^(movs|cmps|stos|lods|scas|ins|outs)$/.test(name);
  const x87 = /^f(?!xsave|xrstor)/.test(name);
  if (name === 'nop') return { text, name }; // what a hint names is not accessed
  let segmentMatters = false;
  for (let n = 0; n < insn.opCount; n++) {
    const kind = insn.opKind(n);
    if (kind === OpKind.Memory && name === 'xlat') continue; // implicit
    if (kind === OpKind.Register) {
      const r = registerText(insn.opRegister(n));
      if (isString) continue;
      if (x87 && r.kind === 'ST') {
        if (r.number !== 0) text += ` ST${r.number}`;
        continue;
      }
      const size = LOOSE_SIZE.test(name) || VECTOR.test(r.kind) || r.kind === 'SREG' || r.kind === 'CREG' || r.kind === 'DREG' ? '' : `:${r.size}`;
      text += ` ${r.kind}${r.number}${r.high ? 'h' : ''}${size}`;
    } else if (isMemoryKind(kind)) {
      segmentMatters = true;
      const base = addressNumber(insn.memoryBase);
      let displacement = insn.memoryDisplacement;
      if (base === 'rip') displacement -= BigInt(insn.length); // counted from address 0 of the instruction
      const size = LOOSE_SIZE.test(name) ? '' : `:${memorySize(insn.memorySize)}`;
      const index = addressNumber(insn.memoryIndex);
      if (insn.memoryBase !== Register.None) text += ` a${addressBytes(insn.memoryBase)}`;
      text += ` MEM${size}[${base},${index}${index === '-' ? '' : '*' + insn.memoryIndexScale},${hex64(BigInt.asUintN(32, displacement))}]`;
    } else if (isStringSource(kind)) {
      segmentMatters = true;
      text += ` a${2 << (kind - OpKind.MemorySegSI)} SRC_STRING:${memorySize(insn.memorySize)}`;
    } else if (isStringDestination(kind)) text += ` a${2 << (kind - OpKind.MemoryESDI)} DST_STRING:${memorySize(insn.memorySize)}`;
    else if (kind === OpKind.NearBranch16) text += ` REL${(Number(insn.nearBranch16) - insn.length) & 0xffff}`;
    else if (kind === OpKind.NearBranch32) text += ` REL${((insn.nearBranch32 as number) - insn.length) >>> 0}`;
    else if (kind === OpKind.NearBranch64) text += ` REL${hex64((insn.nearBranchTarget as bigint) - BigInt(insn.length))}`;
    else if (kind === OpKind.FarBranch16) text += ` FAR${insn.farBranchSelector}:${insn.farBranch16}`;
    else if (kind === OpKind.FarBranch32) text += ` FAR${insn.farBranchSelector}:${insn.farBranch32}`;
    else if (kind >= OpKind.MemorySegDI && kind <= OpKind.MemorySegRDI) continue; // MASKMOVQ's implicit destination
    else if (kind === OpKind.Immediate8_2nd) text += ` IMM2:${insn.immediate8_2nd}`;
    else text += ` IMM:${hex64(insn.immediate(n) & (kind === OpKind.Immediate8to16 ? 0xffffn : 0xffff_ffffn))}`;
  }
  if (segmentMatters) text += segmentText((insn.memorySegment as number) - Register.ES, codeSize);
  const pushed = insn.stackPointerIncrement;
  if (PUSHES.test(name)) text += ` o${-pushed}`;
  else if (POPS.test(name)) text += ` o${name === 'ret' && insn.opCount > 0 ? pushed - insn.immediate16 : pushed}`;
  return { text, name, encoding: insn.encoding };
}

const ours = new Instruction();

/** Signature of our decode, or undefined when it asks for more bytes. */
export function ourSignature(bytes: Uint8Array, position: number, codeSize: CodeSize): Signature | undefined {
  const length = decode(bytes, position, STRIDE, codeSize, ours);
  if (length === 0) return undefined;
  if (ours.op <= 1) return { text: 'invalid', name: 'invalid' };
  const plain = mnemonics[ours.op]!;
  const name = plain === 'jcc' || plain === 'setcc' || plain === 'cmovcc' ? `${plain} ${CONDITIONS[ours.condition]}` : plain;
  let text = `${length} ${name}${ours.prefixes & Prefix.LOCK ? ' lock' : ''}`;
  const x87 = /^f(?!xsave|xrstor)/.test(name);
  if (name === 'nop') return { text, name };
  let segmentMatters = false;
  for (let n = 0; n < ours.operandCount; n++) {
    const o = ours.operands[n]!;
    switch (o.kind) {
      case Kind.ST:
        if (o.number !== 0) text += ` ST${o.number}`;
        break;
      case Kind.REG:
      case Kind.SREG:
      case Kind.CREG:
      case Kind.DREG:
      case Kind.MM:
      case Kind.XMM:
      case Kind.YMM: {
        const kind = KINDS[o.kind]!;
        const size = LOOSE_SIZE.test(name) || o.kind !== Kind.REG ? '' : `:${o.size}`;
        if (!x87) text += ` ${kind}${o.number}${o.high ? 'h' : ''}${size}`;
        else text += ` ${kind}${o.number}`;
        break;
      }
      case Kind.MEM: {
        segmentMatters = true;
        const base = ours.base === NO_REGISTER ? '-' : ours.base === RIP_REGISTER ? 'rip' : String(ours.base);
        const index = ours.index === NO_REGISTER ? '-' : `${ours.index}*${1 << ours.scale}`;
        if (ours.base !== NO_REGISTER) text += ` a${ours.addressSize}`;
        const mask = ours.addressSize === 2 ? 0xffff : 0xffffffff;
        text += ` MEM${LOOSE_SIZE.test(name) ? '' : `:${o.size}`}[${base},${index},${((ours.dispLow & mask) >>> 0).toString(16)}]`;
        break;
      }
      case Kind.SRC_STRING:
        segmentMatters = true;
        text += ` a${ours.addressSize} SRC_STRING:${o.size}`;
        break;
      case Kind.DST_STRING:
        text += ` a${ours.addressSize} DST_STRING:${o.size}`;
        break;
      case Kind.REL:
        if (codeSize === 64) text += ` REL${hex64((BigInt(ours.immHigh) << 32n) | BigInt(ours.immLow >>> 0))}`;
        else text += ` REL${ours.operandSize === 2 ? ours.immLow & 0xffff : ours.immLow >>> 0}`;
        break;
      case Kind.FAR:
        text += ` FAR${ours.imm2}:${ours.immLow >>> 0}`;
        break;
      case Kind.IMM2:
        text += ` IMM2:${ours.imm2}`;
        break;
      default: {
        // iced gives 16-bit immediates as 16 bits.
        const mask = o.size === 2 ? 0xffff : 0xffffffff;
        text += ` IMM:${((ours.immLow & mask) >>> 0).toString(16)}`;
      }
    }
  }
  if (segmentMatters) text += segmentText(ours.segment, codeSize);
  if (PUSHES.test(name) || POPS.test(name)) text += ` o${ours.operandSize}`;
  return { text, name };
}

/** Decodes slot after slot of `bytes` with iced. */
export class IcedReader {
  private readonly decoder: Decoder;
  private readonly insn = new IcedInstruction();
  constructor(bytes: Uint8Array, private readonly codeSize: CodeSize) {
    this.decoder = new Decoder(codeSize, bytes, DecoderOptions.None);
  }
  at(position: number): Signature {
    this.decoder.position = position;
    this.decoder.ip = 0n;
    this.decoder.decodeOut(this.insn);
    return icedSignature(this.insn, this.codeSize);
  }
}
