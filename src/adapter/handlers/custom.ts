/** Hyperstep's own requests: what the extension's views and terminal ask for (messages.ts). */
import { hex } from '../../base/bits';
import { UserError } from '../../base/errors';
import type { InspectionGroup, InspectionNode } from '../../debug/inspect/node';
import { registerGroups } from '../../debug/inspect/registers';
import { blameOf } from '../../debug/exits/blame';
import { vmcsGroups } from '../../debug/inspect/vmcs';
import { addressName } from '../../debug/stack/callStack';
import { otherWorld } from '../../debug/world';
import type { E820Entry } from '../../machine/machineInterface';
import { HyperstepRequest, type E820Response, type Entry, type EntryGroup, type ExitsArguments, type ExitsResponse, type FormatArguments, type MemoryRange, type RegistersResponse, type TypeArguments, type VmcsResponse } from '../messages';
import type { Handlers } from '../protocol';
import type { Session } from '../session';

const DEFAULT_EXITS = 100;

function entry(node: InspectionNode): Entry {
  const { name, value, evaluateName, description } = node;
  const children = node.children?.().map(entry);
  return { name, value, ...(evaluateName && { evaluateName }), ...(description && { description }), ...(children?.length && { children }) };
}

const group = ({ name, nodes }: InspectionGroup): EntryGroup => ({ name, entries: nodes.map(entry) });

const range = ({ base, length, type }: E820Entry): MemoryRange => ({ base: hex(base), length: hex(length), type });

export const customHandlers = (session: Session): Handlers => ({
  [HyperstepRequest.type]({ text }: TypeArguments) {
    if (typeof text !== 'string') throw new UserError('type', 'hyperstep/type needs the key "text".');
    session.debugger.type(new TextEncoder().encode(text));
  },

  [HyperstepRequest.e820](): E820Response {
    const d = session.debugger;
    return {
      ...(d.guestMap && { guest: { ranges: d.guestMap.ranges.map(range), source: d.guestMap.source } }),
      machine: { ranges: d.machine.e820().map(range), source: 'INT 15h, AX=E820h of the machine\'s BIOS' },
    };
  },

  [HyperstepRequest.vmcs](): VmcsResponse {
    session.requireStopped();
    const d = session.debugger;
    const { currentVmcs } = d.target.vmx;
    if (currentVmcs === undefined) return { groups: [] };
    return { address: hex(currentVmcs), groups: vmcsGroups(d.target.vmx, d.vmcsFacts(), blameOf(session.stopped?.cause)).map(group) };
  },

  [HyperstepRequest.registers](): RegistersResponse {
    session.requireStopped();
    const { target, recorder } = session.debugger;
    const here = target.world;
    const there = otherWorld(here);
    const worlds = recorder.lastEntry && target.exists(there) ? [here, there] : [here];
    return { worlds: worlds.map((world) => ({ world, live: world === here, groups: registerGroups(target.registers(world), true, (address, size) => target.readInteger(world, address, size)).map(group) })) };
  },

  [HyperstepRequest.format]({ hexadecimal }: FormatArguments) {
    session.format.hexadecimal = hexadecimal === true;
    session.protocol.after(() => session.protocol.event('invalidated', { areas: ['variables'] }));
  },

  [HyperstepRequest.exits]({ count }: ExitsArguments): ExitsResponse {
    const { target, recorder } = session.debugger;
    return {
      total: target.vmx.exits,
      byName: Object.fromEntries([...recorder.counts].sort(([, a], [, b]) => b - a)),
      last: recorder.last(count ?? DEFAULT_EXITS).map((r) => {
        const name = addressName(target, 'guest', r.guestRip);
        const symbol = name.startsWith('0x') ? undefined : name;
        return { n: r.n, icount: r.icount, reason: r.reason, name: r.name, qualification: hex(r.qualification), guestRip: hex(r.guestRip), ...(symbol && { symbol }), details: r.details };
      }),
    };
  },
});
