/**
 * Host state that passes the VM-entry checks and that the VMM cannot survive: what is loaded at the next VM exit leads
 * to a fault that nobody can handle. Looked at when a VMCS
 * is launched, at some entries after that, and now and then: it hardly changes.
 */
import { hex } from '../../base/bits';
import { Encoding, Exit, fieldOf } from '../../vmx/tables';
import { walkPages } from '../memory/pageWalk';
import type { Sight, VmxCheck } from './check';

const EFER_LMA = 1n << 10n;
/** Execute-disable is taken to be enabled: without "load IA32_EFER" the VM exit leaves it as the guest has it. */
const EFER_NXE = 1n << 11n;
const SELECTOR_RPL_AND_TI = 7n;
/** Bits of a descriptor (SDM volume 3, "Segment Descriptors"). */
const PRESENT = 1n << 47n;
const CODE_OR_DATA = 1n << 44n;
const CODE = 1n << 43n;
const LONG = 1n << 53n;
const typeOf = (descriptor: bigint): bigint => (descriptor >> 40n) & 0xfn;
/** A TSS, available or busy. */
const isTss = (descriptor: bigint): boolean => (descriptor & CODE_OR_DATA) === 0n && (typeOf(descriptor) === 9n || typeOf(descriptor) === 11n);
/** Entries after the launch that are looked at, and how often after those. */
const FIRST = 4;
const EVERY = 4096;

class HostState {
  readonly long: boolean;

  constructor(private readonly sight: Sight) {
    this.long = (sight.field(Encoding.VM_EXIT_CONTROLS) & BigInt(Exit.HOST_ADDRESS_SPACE_SIZE)) !== 0n;
  }

  /** Where the VMM's paging structures put a linear address. */
  private physical(linear: bigint): number | undefined {
    const { field, target } = this.sight;
    const registers = { cr0: field(Encoding.HOST_CR0), cr3: field(Encoding.HOST_CR3), cr4: field(Encoding.HOST_CR4), efer: this.long ? EFER_LMA | EFER_NXE : EFER_NXE };
    return walkPages(registers, linear, (address, size) => target.readInteger('hpa', BigInt(address), size));
  }

  *problems(): Generator<[encoding: number, sentence: string]> {
    const { field, target } = this.sight;
    const rsp = field(Encoding.HOST_RSP);
    if (rsp === 0n) yield [Encoding.HOST_RSP, 'HOST_RSP is 0: the VMM has no stack after the VM exit, so that its first push or interrupt ends in a triple fault. It must hold the VMM\'s RSP'];
    else if (this.physical(BigInt.asUintN(64, rsp - 8n)) === undefined) yield [Encoding.HOST_RSP, `HOST_RSP is ${hex(rsp)}, and HOST_CR3 maps no memory below it: the VMM's first push after the VM exit ends in a triple fault`];
    const rip = field(Encoding.HOST_RIP);
    if (this.physical(rip) === undefined) yield [Encoding.HOST_RIP, `HOST_RIP is ${hex(rip)}, where HOST_CR3 maps nothing: the VM exit ends in a triple fault`];
    for (const encoding of [Encoding.HOST_GDTR_BASE, Encoding.HOST_IDTR_BASE]) {
      const base = field(encoding);
      // A VMM that never takes an interrupt may leave them 0.
      if (base !== 0n && this.physical(base) === undefined) yield [encoding, `${fieldOf(encoding)!.name} is ${hex(base)}, where HOST_CR3 maps nothing: the VMM's first exception or interrupt after the VM exit ends in a triple fault`];
    }
    const descriptorOf = (selector: bigint): bigint | undefined => {
      const physical = this.physical(field(Encoding.HOST_GDTR_BASE) + (selector & ~SELECTOR_RPL_AND_TI));
      return physical === undefined ? undefined : target.readInteger('hpa', BigInt(physical), 8);
    };
    const cs = field(Encoding.HOST_CS_SELECTOR);
    const code = descriptorOf(cs);
    const needed = CODE_OR_DATA | CODE | PRESENT | (this.long ? LONG : 0n);
    if (code !== undefined && (code & needed) !== needed) yield [Encoding.HOST_CS_SELECTOR, `HOST_CS_SELECTOR is ${hex(cs)}, which in the VMM's GDT is no ${this.long ? '64-bit ' : ''}code segment (descriptor ${hex(code)}): the first return from an interrupt after the VM exit ends in #GP`];
    const tr = field(Encoding.HOST_TR_SELECTOR);
    const task = descriptorOf(tr);
    if (task !== undefined && !isTss(task)) yield [Encoding.HOST_TR_SELECTOR, `HOST_TR_SELECTOR is ${hex(tr)}, which in the VMM's GDT is no TSS (descriptor ${hex(task)}): LTR with it will fail`];
  }
}

export const hostState: VmxCheck = {
  id: 'host-state',
  title: 'Host state that cannot survive',
  sentence: 'The host-state area passes the VM-entry checks, but the VMM cannot survive the VM exit that loads it: no stack, unmapped code or tables, wrong selectors.',
  watch(sight) {
    let entries = 0;
    return {
      entry(launch) {
        if (launch) entries = 0;
        if (++entries > FIRST && entries % EVERY !== 0) return;
        for (const [encoding, sentence] of new HostState(sight).problems()) sight.report('entry', encoding, `${sentence}.`, `${fieldOf(encoding)!.name} was ${sight.writer(encoding)}.`);
      },
      reset: () => (entries = 0),
    };
  },
};
