/** One case of the comparisons with silicon: the layout of runner.c's struct test_case, and running cases natively. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Linear addresses of the two pages that programs see. */
export const CODE = 0x1000_0000;
export const DATA = 0x2000_0000;
export const CODE_SIZE = 64;
export const DATA_SIZE = 1024;
export const YMM_SIZE = 32;
export const X87_SIZE = 160;

/** Byte offsets in a case. */
export const At = {
  START: 0,
  LENGTH: 2,
  SIGNAL: 3,
  ERROR: 4,
  RIP: 8,
  ADDRESS: 16,
  REGS: 24,
  FLAGS: 152,
  ES: 160,
  CS: 162,
  SS: 164,
  DS: 166,
  FS: 168,
  GS: 170,
  VECTOR: 172,
  FS_BASE: 176,
  GS_BASE: 184,
  CODE: 192,
  X87: 192 + CODE_SIZE,
  MXCSR: 192 + CODE_SIZE + 24,
  YMM: 192 + CODE_SIZE + X87_SIZE,
  DATA: 192 + CODE_SIZE + X87_SIZE + 16 * YMM_SIZE,
} as const;
export const CASE_SIZE = At.DATA + DATA_SIZE;

/** INT3 ends a program that leaves its bytes. */
export const INT3 = 0xcc;

/** Selectors of Linux for user mode, and of the local descriptors that the runner makes. */
export const Selector = {
  CODE32: 0x23,
  DATA: 0x2b,
  CODE64: 0x33,
  LOCAL_CODE16: 0x07,
  LOCAL_DATA: 0x0f,
  LOCAL_DATA16: 0x17,
  LOCAL_EXPAND_DOWN: 0x1f,
  LOCAL_READ_ONLY: 0x27,
  LOCAL_EXECUTE_ONLY: 0x2f,
  LOCAL_ABSENT: 0x37,
  LOCAL_CODE32: 0x3f,
} as const;

/** Local descriptors in order: base, limit as encoded, type, and the B, G and P bits. */
export const LOCAL_DESCRIPTORS: readonly { base: number; limit: number; type: number; big?: boolean; pages?: boolean; absent?: boolean }[] = [
  { base: CODE, limit: 0xfff, type: 0xb },
  { base: DATA, limit: 0xfff, type: 3, big: true },
  { base: DATA, limit: 0x3ff, type: 3 },
  { base: DATA, limit: 0x3f, type: 7 },
  { base: DATA, limit: 0xfff, type: 1 },
  { base: CODE, limit: 0xfff, type: 9, big: true },
  { base: DATA, limit: 0xfff, type: 3, big: true, absent: true },
  { base: CODE, limit: 0, type: 0xb, big: true, pages: true },
];

/** The segment base behind a selector of a program. */
export function baseOf(selector: number): number {
  return selector & 4 ? (LOCAL_DESCRIPTORS[selector >>> 3]?.base ?? 0) : 0;
}

/** A run that takes longer than these milliseconds hangs. Cases that never end take a moment each. */
const TIMEOUT = 600_000;

/** The host's processor as the executor of cases. */
export class NativeRunner {
  private readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-silicon-'));
  private readonly program = path.join(this.folder, 'runner');

  constructor() {
    execFileSync('cc', ['-O1', '-fno-stack-protector', '-o', this.program, path.join(__dirname, 'runner.c')]);
  }

  /** Whether the kernel allows local segments, and so 16-bit code. */
  allowsSegments(): boolean {
    return spawnSync(this.program, ['segments']).status === 0;
  }

  /** Executes the cases of `input`; yields them as they ended. */
  run(input: Buffer): Buffer {
    const { stdout, signal, status } = spawnSync(this.program, { input, maxBuffer: 1 << 30, timeout: TIMEOUT });
    if (stdout.length !== input.length) {
      // What is written is buffered: the case is one of the next.
      const done = Math.floor(stdout.length / CASE_SIZE);
      const next = [0, 1, 2, 3].map((n) => input.subarray((done + n) * CASE_SIZE)).filter((one) => one.length > 0);
      const codes = next.map((one) => one.subarray(At.CODE, At.CODE + one[At.LENGTH]!).toString('hex'));
      throw new Error(`the runner ended by ${signal ?? status} after ${done} of ${input.length / CASE_SIZE} cases, at one of ${codes.join(', ')}`);
    }
    return stdout;
  }

  remove(): void {
    fs.rmSync(this.folder, { recursive: true });
  }
}

/** Who made this machine's processor, in the words of CPUID leaf 0. */
export const VENDOR = /^vendor_id\s*:\s*(\S+)/m.exec(fs.readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';

/** Linux's numbers of signals. */
export const SIGNALS = { SIGILL: 4, SIGPROF: 27 } as const;
