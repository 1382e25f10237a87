/**
 * A VMM that writes random values to random VMCS fields and enters, again and again, with guests of random instructions:
 * nothing of it may end or hang the process, and the same seed gives the same trace.
 *
 *   npm run test:fuzz [-- ENTRIES [SEED]]
 *
 * Prints how the entries went and a digest of the trace. Ends with 1 when an entry of a VMCS just as the VM exit left it
 * failed, an exit told what it may not tell, or an entry took longer than SLOWEST.
 */
import { CPU_STATE_SIZE, Gpr, Offset } from '../../src/cpu/state';
import { Encoding, EXIT_REASONS, type ExitRecord, type Field, type FieldName, Pin, Primary, Secondary } from '../../src/vmx';
import type { GuestMode } from '../unit/vmxEntryCases';
import { prepare } from '../unit/vmxEntryVmm';
import { bytes } from '../unit/machineCode';
import { At, GUEST_CODE, MEBIBYTES, VmxRig } from '../unit/vmxRig';
import { fieldValue, isTelling, writableFields } from './fieldValues';
import { guestCode } from './guestCode';
import { Random } from './random';

/** Milliseconds of an entry with its guest, on a machine under load; nothing may run more than BUDGET instructions in it. */
const SLOWEST = 20_000;
const BUDGET = 2000;
const PAGE = 0x1000;
const EMPTY = new Uint8Array(PAGE);
const MODES: readonly GuestMode[] = ['real', 'long', 'protected', 'vm86', 'pae', 'pae-no-ept'];
/** Where the VMM finds what to write (encoding, value), then the guest's RCX, RDX, RAX and RSI. */
const TABLE = 0x18_8000;

/** The VMM: RSI is the table, ECX its length. */
const vmm = (entry: string): number[] =>
  bytes(`
  85 c9                ; test ecx, ecx
  74 12                ; jz 2f
  48 8b 16             ; 1: mov rdx, [rsi]
  48 8b 46 08          ; mov rax, [rsi + 8]
  0f 79 d0             ; vmwrite rdx, rax
  48 83 c6 10          ; add rsi, 16
  ff c9                ; dec ecx
  75 ee                ; jnz 1b
  48 8b 0e             ; 2: mov rcx, [rsi]
  48 8b 56 08          ; mov rdx, [rsi + 8]
  48 8b 46 10          ; mov rax, [rsi + 16]
  48 8b 76 18          ; mov rsi, [rsi + 24]
  ${entry}
  f4                   ; hlt`);
/**
 * Rules that a VMCS may break just as the exit left it. A #DB in the shadow of STI leaves a state that the SDM does not
 * let in without BS, on silicon too. Near branches to a non-canonical address fault at their target, as on AMD's
 * processors, not at the branch.
 */
const NOT_ENTERED_AGAIN = ['guest.pending-debug.bs', 'guest.rip.upper-bits'];
const LAUNCH = 0x10_2000;
const RESUME = 0x10_2100;

/** A VMM ready to enter: the processor's state, and the pages that are not empty. */
interface Start {
  mode: GuestMode;
  state: Uint8Array;
  pages: [number, Uint8Array][];
}

export interface FuzzResult {
  entries: number;
  /** Of the whole trace. */
  digest: string;
  /** How many entries ended how: names of exit reasons, VM-instruction errors, stops. */
  outcomes: Map<string, number>;
  /** What may not happen, a sentence each. */
  wrong: string[];
}

export class VmcsFuzz {
  private readonly rig = new VmxRig();
  private readonly random: Random;
  private readonly starts: Start[];
  private readonly fields: Field[];
  /** Those with a meaning that random bits seldom hit. */
  private readonly telling: Field[];
  private readonly outcomes = new Map<string, number>();
  private readonly wrong: string[] = [];
  private hash = [0x811c_9dc5, 0x1234_5677];
  private entries = 0;
  private mode: GuestMode = 'real';
  /** The last entry ended in an exit from which the VMM can go on. */
  private inside = false;
  private last: ExitRecord | undefined;

  constructor(private readonly seed: number) {
    this.random = new Random(seed);
    const { rig } = this;
    this.fields = writableFields((f) => rig.unit.fieldExists[f.slot] === 1);
    this.telling = this.fields.filter(isTelling);
    this.starts = MODES.map((mode) => this.start(mode));
  }

  private start(mode: GuestMode): Start {
    const { rig } = this;
    const { u8 } = rig.cpu.views;
    rig.restart();
    prepare(rig, mode);
    rig.writeBytes(LAUNCH, vmm('0f 01 c2'));
    rig.writeBytes(RESUME, vmm('0f 01 c3'));
    rig.control('pin', Pin.PREEMPTION_TIMER);
    // Most exceptions exit; without that guests with no IDT meet triple faults and nothing else.
    rig.set({ EXCEPTION_BITMAP: 0xffff_ffff, PREEMPTION_TIMER_VALUE: 20, VPID: 1, TSC_MULTIPLIER: 1n << 48n });
    const pages: Start['pages'] = [];
    for (let n = 0; n < MEBIBYTES << 8; n++) {
      const page = u8.slice(rig.ram + n * PAGE, rig.ram + (n + 1) * PAGE);
      if (Buffer.compare(page, EMPTY) !== 0) pages.push([n, page]);
    }
    const { base } = rig.cpu.state;
    return { mode, state: u8.slice(base, base + CPU_STATE_SIZE), pages };
  }

  /** The VMM as it was before its first entry. */
  private load({ mode, state, pages }: Start): void {
    const { rig, random } = this;
    const { u8 } = rig.cpu.views;
    this.mode = mode;
    u8.set(state, rig.cpu.state.base);
    for (const [n, page] of pages) {
      u8.set(page, rig.ram + n * PAGE);
      rig.cpu.memoryChanged(n);
    }
    rig.cpu.restored();
    if (random.once(2)) this.moreControls();
    for (const at of [At.MSR_BITMAP, At.IO_BITMAPS, At.IO_BITMAPS + PAGE, 0x18_0000]) if (random.once(4)) this.scatter(at);
    if (random.once(4)) this.msrList();
    if (random.once(8)) rig.write64(At.EPT + 0x3000 + random.below(16) * 8, random.once(2) ? random.quad() : BigInt(At.GUEST + 0x30 + random.below(8)));
    if (random.once(4)) rig.write32(At.OTHER_VMCS, Number(rig.cpu.readPhysical(At.VMCS, 4)) | -0x8000_0000);
  }

  /** Controls besides those of the start, with the addresses that they need. */
  private moreControls(): void {
    const { rig, random } = this;
    const { controls } = rig.unit.capabilities;
    const some = (field: FieldName, may: number): number => Number(rig.get(field)) | (random.word() & random.word() & may);
    let pin = Number(rig.get('PIN_BASED_CONTROLS')) | random.of([0, 0, Pin.NMI_EXITING, Pin.NMI_EXITING | Pin.VIRTUAL_NMIS, Pin.EXTERNAL_INTERRUPT_EXITING]);
    let primary = some('PRIMARY_PROCESSOR_BASED_CONTROLS', controls.primary.may & ~(Primary.NMI_WINDOW_EXITING | Primary.MONITOR_TRAP_FLAG));
    let secondary = some('SECONDARY_PROCESSOR_BASED_CONTROLS', controls.secondary.may);
    // Most of these have to be together.
    const { EPT, MODE_BASED_EXECUTE, PML, SUB_PAGE_PERMISSIONS, UNRESTRICTED_GUEST, APIC_REGISTER_VIRTUALIZATION, VIRTUALIZE_APIC_ACCESSES, VIRTUALIZE_X2APIC, VIRTUAL_INTERRUPT_DELIVERY } = Secondary;
    if ((secondary & EPT) === 0) secondary &= ~(MODE_BASED_EXECUTE | PML | SUB_PAGE_PERMISSIONS | UNRESTRICTED_GUEST);
    if (secondary & VIRTUALIZE_X2APIC) secondary &= ~VIRTUALIZE_APIC_ACCESSES;
    if (secondary & (APIC_REGISTER_VIRTUALIZATION | VIRTUALIZE_X2APIC | VIRTUAL_INTERRUPT_DELIVERY)) primary |= Primary.TPR_SHADOW;
    if (secondary & VIRTUAL_INTERRUPT_DELIVERY) pin |= Pin.EXTERNAL_INTERRUPT_EXITING;
    rig.set({ PIN_BASED_CONTROLS: pin >>> 0, PRIMARY_PROCESSOR_BASED_CONTROLS: primary >>> 0, SECONDARY_PROCESSOR_BASED_CONTROLS: secondary >>> 0 });
    if (random.once(2)) rig.set({ EXCEPTION_BITMAP: 0 });
  }

  private scatter(page: number): void {
    for (let i = 0; i < 16; i++) this.rig.write32(page + (this.random.below(PAGE) & ~3), this.random.word());
    this.rig.cpu.memoryChanged(page / PAGE);
  }
  private msrList(): void {
    const { rig, random } = this;
    for (let i = 0; i < 4; i++) {
      rig.write64(At.MSR_LISTS + i * 16, BigInt(random.of([0xc000_0080, 0xc000_0081, 0xc000_0082, 0xc000_0102, 0xc000_0103, 0x174, 0x277, 0x10, 0x1d9, 0x3a, 0xc000_0100, 0x808, 0xffff_ffff, 0x8000_0000])));
      rig.write64(At.MSR_LISTS + i * 16 + 8, random.of([0n, 0x500n, 1n, random.quad()]));
    }
  }

  /** Writes what the VMM is to write, and where it begins. */
  private plan(writes: number): void {
    const { rig, random } = this;
    const { state: s } = rig.cpu;
    let at = TABLE;
    const write = (encoding: number, value: bigint): void => {
      rig.write64(at, BigInt(encoding));
      rig.write64(at + 8, BigInt.asUintN(64, value));
      at += 16;
    };
    if (this.inside && !random.once(4)) write(Encoding.GUEST_RIP, rig.get('GUEST_RIP') + rig.get('VM_EXIT_INSTRUCTION_LENGTH'));
    if (this.inside && writes > 0) write(Encoding.PREEMPTION_TIMER_VALUE, 20n);
    for (let i = 0; i < writes; i++) {
      const field = random.of(random.once(2) ? this.fields : this.telling);
      write(field.encoding | (field.width === 64 && random.once(20) ? 1 : 0), fieldValue(random, rig.unit.capabilities, field, rig.get(field.name)));
    }
    s.setReg(Gpr.RCX, BigInt((at - TABLE) / 16));
    for (let i = 0; i < 4; i++) write(random.of([0, 1, 0x34, 0x70, 0x1000, 0x1800, 0x8000, GUEST_CODE, random.word()]), BigInt(random.of([0, 1, 2, 0x5000, 0xc000_0080, random.word()])));
    for (const gpr of [Gpr.RBX, Gpr.RBP, Gpr.RDI, Gpr.R8, Gpr.R15]) s.setReg(gpr, random.once(3) ? random.quad() : BigInt(random.below(0x20_0000)));
    s.setReg(Gpr.RSI, BigInt(TABLE));
  }

  private step(): void {
    const { rig, random } = this;
    const { state: s } = rig.cpu;
    rig.exits.length = rig.failures.length = rig.ports.length = 0;
    // A VMCS that nobody has touched since its VM exit can be entered again.
    const untouched = this.inside && random.once(4);
    if (!untouched && (!this.inside || random.once(3))) {
      this.load(random.of(this.starts));
      this.inside = false;
      rig.interrupts = [];
    }
    if (!this.inside) rig.writeBytes(At.GUEST + GUEST_CODE, guestCode(random));
    if (random.once(12)) rig.interrupts = [random.below(256)];
    if (random.once(24)) s.set32(Offset.NMI_PENDING, 1);
    if (untouched) s.setReg(Gpr.RCX, 0n);
    else this.plan(random.below(this.inside ? 3 : 5));
    s.set32(Offset.ACTIVITY, 0);
    s.rip = BigInt(this.inside ? RESUME : LAUNCH);
    const stop = rig.cpu.run(BUDGET);
    const exit = rig.exits.at(-1);
    const failure = rig.failures.at(-1);
    const outcome = exit?.name ?? (failure ? `${failure.mnemonic} ${failure.error}` : `${stop}${rig.unit.nonRoot ? ' in the guest' : ''}`);
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
    this.note(s.icount, Number(s.rip & 0xffff_ffffn), exit?.reason ?? -1, Number((exit?.qualification ?? 0n) & 0xffff_ffffn), failure?.error ?? -1, stop.length);

    const known = failure?.checks.every((c) => NOT_ENTERED_AGAIN.includes(c.id));
    if (untouched && failure && !known && failure.mnemonic !== 'VM exit' && this.unchanged()) this.complain(`The entry after an exit failed with nothing changed: ${failure.message}, after ${this.last?.name} at 0x${this.last?.guestRip.toString(16)} ${JSON.stringify(this.last?.details)} [${failure.checks.map((c) => c.id).join(' ')}]`);
    if (exit && !EXIT_REASONS.some((r) => r.number === exit.reason)) this.complain(`There is no exit reason ${exit.reason}.`);
    if (exit && exit.instructionLength > 15) this.complain(`${exit.name} with an instruction length of ${exit.instructionLength}.`);
    this.last = exit;
    this.inside = stop === 'halt' && exit !== undefined && !exit.name.startsWith('ENTRY_FAILURE') && !rig.unit.nonRoot && s.rip === BigInt(At.EXIT_HANDLER) + 1n && this.unchanged();
  }

  /** The VMM's code is as it was: a guest may write anywhere by random EPT entries. */
  private unchanged(): boolean {
    const { rig } = this;
    const launch = vmm('0f 01 c3');
    for (let i = 0; i < launch.length; i++) if (rig.cpu.views.u8[rig.ram + RESUME + i] !== launch[i]) return false;
    return true;
  }

  private complain(sentence: string): void {
    if (this.wrong.length < 20) this.wrong.push(`Entry ${this.entries} (${this.mode}): ${sentence}`);
  }

  private note(...values: number[]): void {
    for (const v of values) {
      this.hash[0] = Math.imul(this.hash[0]! ^ v, 0x0100_0193) >>> 0;
      this.hash[1] = (Math.imul(this.hash[1]!, 0x6255) + (v >>> 0)) >>> 0;
    }
  }

  /** Goes on for a number of entries. */
  run(count: number, told: (entries: number) => void = () => undefined): FuzzResult {
    for (let i = 0; i < count; i++) {
      this.entries++;
      const began = performance.now();
      try {
        this.step();
      } catch (thrown) {
        throw new Error(`Entry ${this.entries} of seed ${this.seed} (${this.mode}) ended the machine: ${(thrown as Error).stack}`);
      }
      if (performance.now() - began > SLOWEST) this.complain(`It took ${(performance.now() - began).toFixed(0)} ms.`);
      told(this.entries);
    }
    return { entries: this.entries, digest: this.hash.map((h) => h.toString(16).padStart(8, '0')).join(''), outcomes: this.outcomes, wrong: this.wrong };
  }
}

function main(): void {
  const [entries = 1_000_000, seed = 1] = process.argv.slice(2).map(Number);
  const began = performance.now();
  const { digest, outcomes, wrong } = new VmcsFuzz(seed).run(entries, (n) => void (n % 100_000 === 0 && console.log(`${n} entries, ${((performance.now() - began) / 1000).toFixed(0)} s`)));
  for (const [name, n] of [...outcomes].sort((a, b) => b[1] - a[1])) console.log(`${String(n).padStart(8)} ${name}`);
  for (const sentence of wrong) console.log(sentence);
  console.log(`${entries} entries, seed ${seed}: trace ${digest}`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
}

if (require.main === module) main();
