/** A tiny PC for whole programs on the real engine: 4 MiB of RAM, tables for 64-bit mode, a handler that keeps a log of exceptions. */
import { createEngine } from '../../src/cpu/engine/engine';
import type { Cpu } from '../../src/cpu/engine/cpu';
import { resetProcessor } from '../../src/cpu/engine/reset';
import { Seg } from '../../src/cpu/state';
import { CpuFeatures } from '../../src/cpu/system/features';
import { noVmx, tellFrames } from '../silicon/flatMachine';
import { bytes } from './machineCode';

/** Where the harness puts things. The tables lie in RAM; the programs load GDTR and IDTR themselves. */
export const PML4 = 0x1000;
export const PDPT = 0x2000;
export const IDT = 0x3000;
export const TSS = 0x4000;
export const PD = 0x5000;
/** Page table of 2 to 4 MiB. */
export const PT = 0x6000;
export const GDTR_IMAGE = 0x500;
export const IDTR_IMAGE = 0x50a;
export const LOG_POINTER = 0x600;
export const GDT = 0x700;
export const BOOT_AT = 0x7c00;
export const BODY_AT = 0x8000;
export const STUBS = 0x9000;
export const HANDLER = 0xa000;
export const LOG = 0x1_0000;

export const USER_STACK_PAGE = 0x6800n;
export const IST1 = 0x7_0000n;
export const RSP0 = 0x7_8000n;

/** 0x08 code 64, 0x10 data, 0x18 user code 32, 0x20 user data, 0x28 user code 64, 0x30 TSS, 0x40 code 32. */
const DESCRIPTORS = [0n, 0x00af9b000000ffffn, 0x00cf93000000ffffn, 0x00cffb000000ffffn, 0x00cff3000000ffffn, 0x00affb000000ffffn, 0x0000890000000067n | (BigInt(TSS) << 16n), 0n, 0x00cf9b000000ffffn];

/** Vectors with an error code. */
const WITH_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);

export class Pc {
  readonly cpu: Cpu;
  private readonly ram: number;
  private readonly data: DataView;
  /** Vectors that the interrupt controller holds. */
  readonly waiting: number[] = [];
  readonly ports: string[] = [];
  /** What an OUT does besides requesting interrupt 0x31. */
  onPort: (() => void) | undefined;

  constructor() {
    const engine = createEngine({ ramBytes: 4 << 20, cpus: 1 });
    const frame = (page: number): number => (page < 1024 ? engine.frameBase + page * 0x1000 : 0);
    tellFrames(engine, 1024, frame);
    this.ram = engine.frameBase;
    this.data = engine.views.data;
    this.cpu = engine.createProcessor(0, {
      bus: {
        frameForRead: frame,
        frameForWrite: frame,
        read: () => 0xffff_ffff,
        write: () => undefined,
        in: () => 0xff,
        out: (port, _size, value) => {
          this.ports.push(`${port.toString(16)}=${value.toString(16)}`);
          this.waiting.push(0x31);
          this.cpu.requestAttention();
          this.onPort?.();
        },
      },
      interrupts: { pending: () => this.waiting.length > 0, acknowledge: () => this.waiting.shift()!, getTaskPriority: () => 0, setTaskPriority: () => undefined, setBase: () => undefined },
      deviceMsrs: { read: () => undefined, write: () => false },
      features: new CpuFeatures([]),
    });
    this.cpu.intercepts = this.cpu.secondLevel = noVmx();
    resetProcessor(this.cpu);
  }

  put(at: number, text: string): void {
    this.cpu.views.u8.set(bytes(text), this.ram + at);
  }
  put64(at: number, value: bigint): void {
    this.data.setBigUint64(this.ram + at, value, true);
  }
  get64(at: number): bigint {
    return this.data.getBigUint64(this.ram + at, true);
  }
  get16(at: number): number {
    return this.data.getUint16(this.ram + at, true);
  }

  /** What each call of the handler saw: vector(error) @RIP, CR2 for page faults, RSP with `stack`. */
  log(): string[] {
    const entries: string[] = [];
    for (let at = LOG; at < Number(this.get64(LOG_POINTER)); at += 48) {
      const [vector, code, rip, cs, cr2] = [0, 8, 16, 24, 32].map((o) => this.get64(at + o).toString(16));
      const ring = (parseInt(cs!, 16) & 3) === 3 ? ' user' : '';
      entries.push(`${vector}(${code}) @${rip}${vector === 'e' ? ` cr2 ${cr2}` : ''}${ring}`);
    }
    return entries;
  }

  gate(vector: number, offset: number, type = 0x8e, ist = 0): void {
    this.put64(IDT + vector * 16, BigInt(offset & 0xffff) | (8n << 16n) | (BigInt(ist) << 32n) | (BigInt(type) << 40n) | (BigInt(offset >>> 16) << 48n));
    this.put64(IDT + vector * 16 + 8, 0n);
  }

  /** A stub that pushes the vector (and a 0 where the processor pushes no error code) and goes to the handler. */
  private stub(vector: number): number {
    const at = STUBS + vector * 16;
    const code = WITH_CODE.has(vector) ? [] : [0x6a, 0];
    code.push(0x68, vector, 0, 0, 0, 0xe9);
    const relative = HANDLER - (at + code.length + 4);
    code.push(relative & 0xff, (relative >>> 8) & 0xff, (relative >>> 16) & 0xff, (relative >>> 24) & 0xff);
    this.cpu.views.u8.set(code, this.ram + at);
    return at;
  }

  /** Tables, boot code and handler; the program starts in 64-bit mode at BODY_AT. */
  prepareLong(program: string): void {
    this.put64(PML4, BigInt(PDPT) | 7n);
    this.put64(PDPT, BigInt(PD) | 7n);
    this.put64(PD, 0x87n);
    this.put64(PD + 8, BigInt(PT) | 7n);
    this.put64(PT, 0x20_0007n);
    this.put64(PT + 8, 0x20_1005n); // read-only
    this.put64(PT + 16, 0x20_2006n); // not present
    this.put64(PT + 24, 0x20_3007n | (1n << 63n)); // no execution
    this.put64(PT + 32, 0x20_4003n); // supervisor
    DESCRIPTORS.forEach((d, i) => this.put64(GDT + i * 8, d));
    this.put64(GDTR_IMAGE, BigInt(DESCRIPTORS.length * 8 - 1) | (BigInt(GDT) << 16n));
    this.put64(IDTR_IMAGE, 0xfffn | (BigInt(IDT) << 16n));
    this.put64(TSS + 4, RSP0);
    this.put64(TSS + 0x24, IST1);
    this.put64(LOG_POINTER, BigInt(LOG));
    for (let vector = 0; vector < 0x34; vector++) this.gate(vector, this.stub(vector));
    this.gate(3, this.stub(3), 0xee);
    this.gate(0x80, this.stub(0x80), 0xee);
    this.put(HANDLER, HANDLER_CODE);
    this.put(BOOT_AT, BOOT);
    this.put(BODY_AT, program);
    const s = this.cpu.state;
    s.setSelector(Seg.CS, 0);
    s.setSegBase(Seg.CS, 0n);
    s.rip = BigInt(BOOT_AT);
    this.cpu.stateChanged();
  }
}

/** A PC that is about to go to 64-bit mode and the program, which is hexadecimal bytes with comments. */
export function longMode(program: string): Pc {
  const pc = new Pc();
  pc.prepareLong(program);
  return pc;
}

/** From real mode straight to 64-bit mode. */
const BOOT = `
      fa                ; cli
      0f 01 16 00 05    ; lgdt [0x500]
      0f 01 1e 0a 05    ; lidt [0x50a]
      0f 20 e0          ; mov eax, cr4
      66 83 c8 20       ; or eax, 0x20
      0f 22 e0          ; mov cr4, eax
      66 b8 00 10 00 00 ; mov eax, 0x1000
      0f 22 d8          ; mov cr3, eax
      66 b9 80 00 00 c0 ; mov ecx, 0xc0000080
      0f 32             ; rdmsr
      66 0d 01 09 00 00 ; or eax, 0x901
      0f 30             ; wrmsr
      0f 20 c0          ; mov eax, cr0
      66 0d 01 00 01 80 ; or eax, 0x80010001
      0f 22 c0          ; mov cr0, eax
      ea 00 80 08 00    ; .byte 0xea; .word 0x8000; .word 0x08
`;

/** Appends to the log, maps a page when R14 points to its entry, and returns to R15 when that is set. */
const HANDLER_CODE = `
      50                      ; push rax
      53                      ; push rbx
      48 8b 1c 25 00 06 00 00 ; mov rbx, [0x600]
      48 8b 44 24 10          ; mov rax, [rsp+16]
      48 89 03                ; mov [rbx], rax
      48 8b 44 24 18          ; mov rax, [rsp+24]
      48 89 43 08             ; mov [rbx+8], rax
      48 8b 44 24 20          ; mov rax, [rsp+32]
      48 89 43 10             ; mov [rbx+16], rax
      48 8b 44 24 28          ; mov rax, [rsp+40]
      48 89 43 18             ; mov [rbx+24], rax
      0f 20 d0                ; mov rax, cr2
      48 89 43 20             ; mov [rbx+32], rax
      48 8b 44 24 30          ; mov rax, [rsp+48]
      48 89 43 28             ; mov [rbx+40], rax
      48 83 c3 30             ; add rbx, 48
      48 89 1c 25 00 06 00 00 ; mov [0x600], rbx
      4d 85 f6                ; test r14, r14
      74 07                   ; jz nomap
      41 80 0e 01             ; or byte ptr [r14], 1
      45 31 f6                ; xor r14d, r14d
                              ; nomap:
      4d 85 ff                ; test r15, r15
      74 08                   ; jz done
      4c 89 7c 24 20          ; mov [rsp+32], r15
      45 31 ff                ; xor r15d, r15d
                              ; done:
      5b                      ; pop rbx
      58                      ; pop rax
      48 83 c4 10             ; add rsp, 16
      48 cf                   ; iretq
`;
