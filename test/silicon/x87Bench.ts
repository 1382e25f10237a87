/** One x87 or MMX instruction between FRSTOR and FNSAVE on the engine, as x87Runner.c executes it natively. */
import { readFlags, STATUS_FLAGS, writeFlags } from '../../src/cpu/flags';
import { Offset } from '../../src/cpu/state';
import { createFlatMachine } from './flatMachine';

/** Addresses that x87Runner.c uses too: FIP and FDP are compared. */
const INSTRUCTION = 0x1000_0200;
export const DATA = 0x2000_0000;
const IMAGE = 0x3000_0100;

/** The runner's struct test_case. */
export const DATA_SIZE = 256;
export const IMAGE_SIZE = 112;
export const AT = { FAULT: 1, CODE: 2, REGS: 16, FLAGS: 144, IMAGE: 152, DATA: 264 } as const;
export const CASE_SIZE = AT.DATA + DATA_SIZE;
/** Bytes of the image that FNSAVE writes. */
export const SAVED = 108;
export const RSP = 4;

const LOAD = [0xdd, 0x24, 0x25, 0, 1, 0, 0x30];
const SAVE = [0xdd, 0x34, 0x25, 0, 1, 0, 0x30];

export class X87Bench {
  private readonly machine = createFlatMachine(1024);

  constructor() {
    const s = this.machine.cpu.state;
    s.set64(Offset.CR0, s.get64(Offset.CR0) | 0x20n); // NE: #MF
  }

  /** Executes a case; yields it as the runner writes it, with any fault as 1. */
  run(input: Buffer): Buffer {
    const { cpu, ram } = this.machine;
    const s = cpu.state;
    const { u8 } = cpu.views;
    u8.set([...LOAD, ...input.subarray(AT.CODE, AT.CODE + input[0]!), ...SAVE], ram + INSTRUCTION - LOAD.length);
    cpu.memoryChanged(INSTRUCTION >>> 12);
    u8.set(input.subarray(AT.DATA, CASE_SIZE), ram + DATA);
    u8.set(input.subarray(AT.IMAGE, AT.IMAGE + IMAGE_SIZE), ram + IMAGE);
    for (let n = 0; n < 16; n++) s.setReg(n, input.readBigUInt64LE(AT.REGS + n * 8));
    writeFlags(s, Number(input.readBigUInt64LE(AT.FLAGS)) & ~0x200);
    s.rip = BigInt(INSTRUCTION - LOAD.length);
    s.set64(Offset.IDTR_LIMIT, 0n);
    s.set32(Offset.ACTIVITY, 0);
    cpu.views.u16[(s.base + Offset.FPU + 2) >>> 1] = 0; // no exception may be left for FRSTOR to report
    cpu.stateChanged();
    const before = s.icount;
    cpu.run(3);
    const output = Buffer.from(input);
    output[AT.FAULT] = s.icount === before + 3 ? 0 : 1;
    for (let n = 0; n < 16; n++) output.writeBigUInt64LE(s.reg(n), AT.REGS + n * 8);
    output.writeBigUInt64LE(BigInt(readFlags(s)), AT.FLAGS);
    output.set(u8.subarray(ram + IMAGE, ram + IMAGE + IMAGE_SIZE), AT.IMAGE);
    output.set(u8.subarray(ram + DATA, ram + DATA + DATA_SIZE), AT.DATA);
    return output;
  }
}

function describe(image: Buffer): string {
  const words = [0, 4, 8, 12, 16, 20, 24].map((at) => image.readUInt32LE(at).toString(16));
  const registers = [0, 1, 2].map((i) => registerOf(image, i).toString(16).padStart(20, '0'));
  return `[${words.join(' ')}] ${registers.join(' ')}`;
}

export const imageOf = (run: Buffer): Buffer => run.subarray(AT.IMAGE, AT.IMAGE + SAVED);
export const registerOf = (image: Buffer, i: number): bigint => image.readBigUInt64LE(28 + i * 10) | (BigInt(image.readUInt16LE(36 + i * 10)) << 64n);

/** What differs between the engine's run and silicon's, in words; `sameImage` judges the images. */
export function differences(input: Buffer, own: Buffer, native: Buffer, sameImage: (own: Buffer, native: Buffer) => boolean): string[] {
  if ((own[AT.FAULT] !== 0) !== (native[AT.FAULT] !== 0)) return [`fault ${own[AT.FAULT]} here, signal ${native[AT.FAULT]} there`];
  if (own[AT.FAULT] !== 0) return [];
  const problems: string[] = [];
  for (let n = 0; n < 16; n++) {
    const at = AT.REGS + n * 8;
    if (n !== RSP && native.readBigUInt64LE(at) !== own.readBigUInt64LE(at)) problems.push(`r${n} ${own.readBigUInt64LE(at).toString(16)} here, ${native.readBigUInt64LE(at).toString(16)} there`);
  }
  const flags = (run: Buffer): number => Number(run.readBigUInt64LE(AT.FLAGS)) & STATUS_FLAGS;
  if (flags(own) !== flags(native)) problems.push(`flags ${flags(own).toString(16)} here, ${flags(native).toString(16)} there`);
  const ownData = own.subarray(AT.DATA, CASE_SIZE);
  const nativeData = native.subarray(AT.DATA, CASE_SIZE);
  if (Buffer.compare(ownData, nativeData) !== 0) {
    const first = nativeData.findIndex((byte, n) => byte !== ownData[n]);
    problems.push(`memory +${first - 64} ${ownData.subarray(first, first + 10).toString('hex')} here, ${nativeData.subarray(first, first + 10).toString('hex')} there`);
  }
  if (!sameImage(imageOf(own), imageOf(native))) problems.push(`\n   from  ${describe(imageOf(input))}\n   here  ${describe(imageOf(own))}\n   there ${describe(imageOf(native))}`);
  return problems;
}
