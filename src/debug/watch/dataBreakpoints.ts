/**
 * Data breakpoints: memory, registers, MSRs and VMCS fields that stop the machine when they are read, written or changed.
 * Memory is watched by the engine, system registers at the instructions that load them, VMCS fields at VMREAD and VMWRITE,
 * general-purpose registers by executing one instruction at a time. Nothing of it costs anything while it is not set.
 */
import { hex } from '../../base/bits';
import { mnemonics } from '../../cpu/decode/decode';
import type { Instruction } from '../../cpu/decode/instruction';
import type { WatchHit } from '../../cpu/processor';
import { readMsr } from '../../cpu/system/msr';
import { hitRules } from '../breakpoints/hitRules';
import type { Breakpoint, BreakpointOptions } from '../breakpoints/breakpoints';
import { vmxOf } from '../inspect/vmcs';
import { LiveRegisters } from '../registers/registerFile';
import { addressPlace } from '../stack/callStack';
import type { Target } from '../target';
import { WORLD_NAME, type World } from '../world';
import { describe, needsSteps, type Watchable } from './watchable';

export type AccessType = 'read' | 'write' | 'readWrite' | 'change';

export interface DataRequest extends BreakpointOptions {
  watched: Watchable;
  access: AccessType;
  /** What the user calls it. */
  label: string;
}

export interface DataBreakpoint extends Pick<Breakpoint, 'id' | 'hits' | 'enough' | 'options'> {
  request: DataRequest;
  key: string;
  message: string | undefined;
  /** The processor whose registers and current VMCS are watched. */
  cpu: number;
  /** The value before the next access; undefined where it cannot be read or is too long to be told. */
  last: bigint | undefined;
  /** The same of a field, by the VMCS that it is of. */
  lastOf: Map<number, bigint | undefined>;
}

/** A stop: what was accessed, how, and where. */
export interface DataAccess {
  breakpoint: DataBreakpoint;
  access: 'read' | 'write' | 'change';
  old: bigint | undefined;
  value: bigint | undefined;
  /** By whom and where. */
  by: string;
}

/** `view`: rows of the registers' and the VMCS's views, for which VS Code has no data breakpoints of its own. */
export type DataOwner = 'client' | 'gdb' | 'view';

/** Longer values are not told. */
const MOST_TOLD = 8;

export interface DataEnvironment {
  /** The processor that what happens is of; while the machine stands, the one that is looked at. */
  target(): Target;
  nextId(): number;
  fault(condition: string): string | undefined;
  /** Counts the hit and decides, as for every breakpoint. */
  stops(breakpoint: DataBreakpoint): boolean;
  stop(access: DataAccess): void;
  /** There are other things to watch now. */
  changed(): void;
}

export class DataBreakpoints {
  private readonly byOwner = new Map<DataOwner, DataBreakpoint[]>();
  private all: DataBreakpoint[] = [];
  /** By what the engine calls them. */
  private watched = new Map<number, DataBreakpoint>();
  /** Guest-physical pages that are watched, and where EPT maps them: looked at again at each VM entry. */
  private gpas: { at: bigint; hpa: number | undefined }[] = [];

  constructor(private readonly env: DataEnvironment) {}

  private get target(): Target {
    return this.env.target();
  }

  /** Replaces those of an owner. */
  set(requests: readonly DataRequest[], owner: DataOwner = 'client'): readonly DataBreakpoint[] {
    const before = this.byOwner.get(owner) ?? [];
    const list = requests.map((request) => {
      const { condition, hitCondition: hits } = request;
      const key = JSON.stringify([request.label, describe(request.watched), request.access, condition, hits, request.world]);
      const old = before.find((b) => b.key === key);
      return { id: old?.id ?? this.env.nextId(), request, key, hits: old?.hits ?? 0, ...hitRules(request, (text) => this.env.fault(text)), cpu: old?.cpu ?? this.target.index, last: old?.last, lastOf: old?.lastOf ?? new Map<number, bigint | undefined>() };
    });
    this.byOwner.set(owner, list);
    this.all = [...this.byOwner.values()].flat().filter((b) => b.message === undefined);
    this.install();
    this.look();
    this.env.changed();
    return list;
  }

  /** What an owner has asked for. */
  of(owner: DataOwner): DataRequest[] {
    return (this.byOwner.get(owner) ?? []).map(({ request }) => request);
  }

  get watchesSystem(): boolean {
    return this.all.some(({ request: { watched: w } }) => w.kind === 'msr' || (w.kind === 'register' && !needsSteps(w.register)));
  }
  get needsSteps(): boolean {
    return this.all.some(({ request: { watched: w } }) => w.kind === 'register' && needsSteps(w.register));
  }

  /** The first guest-physical address of a breakpoint that EPT does not map now. */
  waitsForMapping({ request: { watched: w } }: DataBreakpoint): bigint | undefined {
    return w.kind !== 'memory' || w.space !== 'gpa' ? undefined : this.gpas.find(({ at, hpa }) => hpa === undefined && at >= w.address && at < w.address + BigInt(w.length))?.at;
  }

  resetHits(): void {
    for (const b of this.all) b.hits = 0;
  }
  saveHits(): () => void {
    const kept = this.all.map((b) => [b, b.hits] as const);
    return () => kept.forEach(([b, hits]) => (b.hits = hits));
  }

  /** Takes the present values as those before the next access: the machine begins to run, or was put elsewhere. */
  look(): void {
    for (const b of this.all) {
      const { watched } = b.request;
      const mine = b.cpu === this.target.index;
      if (watched.kind === 'field' && (mine || watched.vmcs !== undefined)) this.lookAtFields(b, watched);
      else if (watched.kind === 'memory' || mine) b.last = this.read(watched);
    }
  }

  /** A field is watched in whichever VMCS is current then: another one's value is not what it was before. */
  private lookAtFields(b: DataBreakpoint, { field, vmcs }: Watchable & { kind: 'field' }): void {
    const { vmx, recorder } = this.target;
    const known = vmcs === undefined ? [...recorder.knownVmcs, ...(vmx.currentVmcs === undefined ? [] : [vmx.currentVmcs])] : [vmcs];
    b.lastOf = new Map(known.map((address) => [address, vmxOf(this.target, address).readFieldOf(address, field.encoding)]));
  }

  /** The machine begins to run: guest-physical memory may be mapped elsewhere than before. */
  begin(): void {
    if (this.all.length === 0) return;
    if (this.all.some(({ request: { watched: w } }) => w.kind === 'memory' && w.space === 'gpa')) this.install();
    this.look();
  }

  private install(): void {
    const { target } = this;
    this.watched = new Map();
    this.gpas = [];
    const watches = [];
    for (const breakpoint of this.all) {
      const { watched, access } = breakpoint.request;
      if (watched.kind !== 'memory') continue;
      for (const range of this.ranges(watched)) {
        const id = this.watched.size + 1;
        this.watched.set(id, breakpoint);
        watches.push({ id, ...range, read: access === 'read' || access === 'readWrite', write: access !== 'read' });
      }
    }
    for (const cpu of target.machine.cpus) cpu.setWatches(watches);
    const fields = this.all.flatMap(({ request: { watched: w } }) => (w.kind === 'field' ? w.field.encoding : []));
    for (const vmx of target.machine.vmx) vmx.watchFields?.(new Set(fields));
  }

  /** Memory as the engine watches it: linear as it is, physical by host-physical pages. What EPT does not map is noted. */
  private ranges(w: Watchable & { kind: 'memory' }): { space: 'linear' | 'physical'; start: bigint; length: number }[] {
    if (w.space === 'vmm' || w.space === 'guest') return [{ space: 'linear', start: w.address, length: w.length }];
    if (w.space === 'hpa') return [{ space: 'physical', start: w.address, length: w.length }];
    const ranges: { space: 'physical'; start: bigint; length: number }[] = [];
    for (let done = 0; done < w.length; ) {
      const at = w.address + BigInt(done);
      const length = Math.min(w.length - done, 0x1000 - Number(at & 0xfffn));
      const hpa = this.translateGpa(at);
      this.gpas.push({ at, hpa });
      if (hpa !== undefined) ranges.push({ space: 'physical', start: BigInt(hpa), length });
      done += length;
    }
    return ranges;
  }

  /** Without a VMCS there is no guest whose memory it could be. */
  private translateGpa(at: bigint): number | undefined {
    const { target } = this;
    return target.vmx.currentVmcs === undefined ? undefined : target.space('gpa').translate(at);
  }

  private read(w: Watchable): bigint | undefined {
    const { target } = this;
    switch (w.kind) {
      case 'memory':
        return w.length > MOST_TOLD || !target.exists(w.space === 'vmm' || w.space === 'guest' ? w.space : target.world) ? undefined : target.readInteger(w.space, w.address, w.length);
      case 'register':
        return target.exists(w.world) ? target.registers(w.world).read(w.register) : undefined;
      case 'msr':
        return readMsr(target.cpu, w.index);
      case 'field':
        return w.vmcs === undefined ? target.vmx.readField(w.field.encoding) : vmxOf(target, w.vmcs).readFieldOf(w.vmcs, w.field.encoding);
    }
  }

  /** Whether what the processor does to its current VMCS, or to its registers, is a breakpoint's business. */
  private concerns({ cpu, request: { watched: w } }: DataBreakpoint): boolean {
    return w.kind === 'field' && w.vmcs !== undefined ? w.vmcs === this.target.vmx.currentVmcs : cpu === this.target.index;
  }

  /** Takes the value as that before the next access, and yields the one until now. */
  private taken(breakpoint: DataBreakpoint, value: bigint | undefined): bigint | undefined {
    const of = breakpoint.request.watched.kind === 'field' ? this.target.vmx.currentVmcs : undefined;
    if (of === undefined) {
      const old = breakpoint.last;
      breakpoint.last = value;
      return old;
    }
    const old = breakpoint.lastOf.get(of);
    breakpoint.lastOf.set(of, value);
    return old;
  }

  /** The engine has stopped behind an access to watched memory. */
  memoryAccessed(hits: readonly WatchHit[]): void {
    const { target } = this;
    for (const hit of hits) {
      const breakpoint = this.watched.get(hit.id);
      if (!breakpoint) continue;
      const { watched, access } = breakpoint.request;
      // A device has no linear addresses: only physical watches meet it.
      if (watched.kind !== 'memory' || (hit.source === 'processor' && (watched.space === 'vmm' || watched.space === 'guest') && watched.space !== target.world)) continue;
      const old = breakpoint.last;
      const value = (breakpoint.last = this.read(watched));
      if (access === 'change' && old !== undefined && old === value) continue;
      this.happened(breakpoint, access === 'change' ? 'change' : hit.write ? 'write' : 'read', old, value, hit.source === 'device' ? 'by a device' : this.accessor());
    }
  }

  /** An instruction that may load system registers has been performed. */
  operation(insn: Instruction): void {
    const { target } = this;
    const mnemonic = mnemonics[insn.op]!;
    for (const breakpoint of this.all) {
      const { watched: w } = breakpoint.request;
      if (breakpoint.cpu !== target.index) continue;
      if (w.kind === 'msr') this.compare(breakpoint, this.msrAccess(mnemonic, w.index), target.world);
      else if (w.kind === 'register' && w.world === target.world && !needsSteps(w.register)) this.compare(breakpoint, registerAccess(mnemonic, insn, w.register.name), w.world);
    }
  }

  private msrAccess(mnemonic: string, index: number): 'read' | 'write' | undefined {
    if ((mnemonic !== 'rdmsr' && mnemonic !== 'wrmsr') || this.target.cpu.state.reg32(1) !== index) return undefined;
    return mnemonic === 'rdmsr' ? 'read' : 'write';
  }

  /** One instruction was executed for the sake of general-purpose registers. */
  stepped(): void {
    const { target } = this;
    for (const breakpoint of this.all) {
      const { watched: w } = breakpoint.request;
      if (breakpoint.cpu === target.index && w.kind === 'register' && needsSteps(w.register) && w.world === target.world) this.compare(breakpoint, undefined, w.world);
    }
  }

  /** A VM entry or exit has completed: it loads registers, and an exit saves to the VMCS. */
  worldChanged(how: 'entry' | 'exit'): void {
    const { target } = this;
    for (const breakpoint of this.all) {
      const { watched: w, access } = breakpoint.request;
      if (!this.concerns(breakpoint)) continue;
      // What the other world's registers are is the VMCS's business; when a world comes back its registers may be others.
      if (w.kind === 'register' && w.world === target.world) this.compare(breakpoint, undefined, w.world, `by the VM ${how}`);
      else if (w.kind !== 'field' || how === 'entry') continue;
      else if (access === 'change') this.compare(breakpoint, undefined, 'vmm', 'by the VM exit');
      else this.taken(breakpoint, this.read(w));
    }
    if (how === 'entry' && this.gpas.some(({ at, hpa }) => this.translateGpa(at) !== hpa)) this.install();
  }

  /** A VMCS has become current: what its region holds is what its fields were before the next access. */
  vmcsLoaded(address: number): void {
    for (const { lastOf, request: { watched: w } } of this.all) {
      if (w.kind === 'field' && (w.vmcs ?? address) === address) lastOf.set(address, this.target.vmx.readField(w.field.encoding));
    }
  }

  /** VMREAD or VMWRITE of a field that is watched. */
  fieldAccessed(encoding: number, write: boolean): void {
    for (const breakpoint of this.all) {
      const { watched: w } = breakpoint.request;
      if (w.kind === 'field' && this.concerns(breakpoint) && w.field.encoding === (encoding & ~1)) this.compare(breakpoint, write ? 'write' : 'read', 'vmm', `by ${write ? 'VMWRITE' : 'VMREAD'} at ${addressPlace(this.target, 'vmm', this.target.cpu.instructionRip)}`);
    }
  }

  /** Stops when the access that is known, or the change that can be seen, is what the breakpoint waits for. */
  private compare(breakpoint: DataBreakpoint, seen: 'read' | 'write' | undefined, world: World, by?: string): void {
    const { watched, access } = breakpoint.request;
    const value = this.live(watched, world);
    const old = this.taken(breakpoint, value);
    const changed = old !== undefined && old !== value;
    const wrote = seen === 'write' || (seen === undefined && changed);
    const matches = access === 'change' ? changed : access === 'read' ? seen === 'read' : access === 'write' ? wrote : wrote || seen === 'read';
    if (!matches) return;
    const { cpu } = this.target;
    this.happened(breakpoint, access === 'change' ? 'change' : wrote ? 'write' : 'read', old, value, by ?? (needsStepsOf(watched) ? this.accessor() : `at ${addressPlace(this.target, world, cpu.instructionRip)}`));
  }

  private live(w: Watchable, world: World): bigint | undefined {
    return w.kind === 'register' ? new LiveRegisters(world, this.target.cpu).read(w.register) : this.read(w);
  }

  private happened(breakpoint: DataBreakpoint, access: DataAccess['access'], old: bigint | undefined, value: bigint | undefined, by: string): void {
    const { world } = breakpoint.request;
    if ((world === undefined || world === this.target.world) && this.env.stops(breakpoint)) this.env.stop({ breakpoint, access, old, value, by });
  }

  /** The instruction that has just been executed: the one before RIP, or the call that led here. */
  private accessor(): string {
    const { target } = this;
    const { world, cpu } = target;
    const rip = cpu.state.rip;
    const back = target.code.isFunctionStart(world, rip) ? target.readInteger(world, cpu.state.reg(4), 8) : undefined;
    return `by the ${WORLD_NAME[world]} at ${addressPlace(target, world, (back ?? rip) - 1n)}`;
  }
}

const needsStepsOf = (w: Watchable): boolean => w.kind === 'register' && needsSteps(w.register);

/** What an instruction does to a register beyond what a comparison shows: it reads it, or writes the same value again. */
function registerAccess(mnemonic: string, insn: Instruction, register: string): 'read' | 'write' | undefined {
  const cr = /^cr([0-8])$/.exec(register)?.[1];
  if (cr !== undefined) {
    if (mnemonic === 'mov_to_cr' && insn.operands[0].number === Number(cr)) return 'write';
    if (mnemonic === 'mov_from_cr' && insn.operands[1].number === Number(cr)) return 'read';
    return cr === '0' && (mnemonic === 'lmsw' || mnemonic === 'clts') ? 'write' : undefined;
  }
  const dr = /^dr([0-7])$/.exec(register)?.[1];
  if (dr === undefined) return undefined;
  if (mnemonic === 'mov_to_dr' && insn.operands[0].number === Number(dr)) return 'write';
  return mnemonic === 'mov_from_dr' && insn.operands[1].number === Number(dr) ? 'read' : undefined;
}

const shown = (value: bigint | undefined): string => (value === undefined ? 'unknown' : hex(value));

/** A stop in words: the headline, and where. */
export function accessWords({ breakpoint, access, old, value, by }: DataAccess): { headline: string; lines: string[] } {
  const { label, watched } = breakpoint.request;
  const told = old === undefined && value === undefined;
  const what = access === 'read' ? `was read${told ? '' : `: ${shown(value)}`}` : told ? 'was written' : old === value ? `was written with the same value ${shown(value)}` : `${access === 'change' ? 'changed' : 'was written'}: it was ${shown(old)} and is ${shown(value)}`;
  const where = by[0]!.toUpperCase() + by.slice(1);
  return { headline: `${label} ${what}`, lines: [`${where}.`, `Watched: ${describe(watched)}.`] };
}
