/** Hyperstep's own requests: what the extension's views and terminal ask for (messages.ts). */
import { hex } from '../../base/bits';
import { UserError } from '../../base/errors';
import type { Debugger } from '../../debug/debugger';
import { blameOf } from '../../debug/exits/blame';
import { isLogPoint, type ExitBreakpointOwner } from '../../debug/exits/exitBreakpoints';
import { exitWords } from '../../debug/exits/exitWords';
import { exitNodes } from '../../debug/inspect/exits';
import type { InspectionGroup, InspectionNode, SourcePlace } from '../../debug/inspect/node';
import { registerGroups } from '../../debug/inspect/registers';
import { symbolFiles } from '../../debug/inspect/symbolFiles';
import { CHANGED_ENTRY, STOP_MARK, translationNode } from '../../debug/inspect/translation';
import { vmcsAt, vmcsGroups, vmxOf, WRITTEN_NOTE } from '../../debug/inspect/vmcs';
import { mapFindings } from '../../debug/memory/mapFindings';
import { memoryAccounts } from '../../debug/memory/memoryAccounts';
import type { SpaceName } from '../../debug/memory/memorySpace';
import { translate } from '../../debug/memory/translation';
import { addressName, addressPlace, sourcePlace } from '../../debug/stack/callStack';
import type { ProcessorRecord } from '../../debug/processorRecord';
import { otherWorld } from '../../debug/world';
import type { E820Entry } from '../../machine/machineInterface';
import type { ExitRecord } from '../../vmx/observe';
import { Encoding, EXIT_REASONS } from '../../vmx/tables';
import { screenBody } from '../activity';
import {
  HyperstepRequest, type BreakOnDataArguments, type BreakOnDataResponse, type BreakOnExitsArguments, type BreakOnExitsResponse, type CpuArguments, type E820Response, type Entry, type EntryGroup, type ExitArguments, type ExitResponse, type ExitsArguments, type ExitsResponse, type FormatArguments,
  type MemoryRange, type PictureArguments, type PictureResponse, type RegistersResponse, type ScreenArguments, type ScreenResponse, type SourceArguments, type SourceLine, type SourceResponse, type SymbolsResponse, type TranslationsArguments, type TranslationsResponse, type TypeArguments,
  type VmcsArguments, type VmcsResponse,
} from '../messages';
import type { Handlers } from '../protocol';
import type { Session } from '../session';
import { placeOf } from '../sources';
import { processorOf, threadOf } from '../threads';
import { breakMarks, breakOnData } from '../viewBreaks';
import { frameOf } from './variables';

const DEFAULT_EXITS = 100;

/** A line for the views. Its source is told where the client can open it. */
async function entry(session: Session, node: InspectionNode): Promise<Entry> {
  const { name, evaluateName, description, memoryReference } = node;
  const wrong = node.value.startsWith(STOP_MARK);
  const value = wrong ? node.value.slice(STOP_MARK.length) : node.value;
  const changed = value.includes(WRITTEN_NOTE) || value.includes(CHANGED_ENTRY);
  // A line that can be asked for later is not looked up for each of two hundred fields.
  const later = node.origin !== undefined && evaluateName !== undefined;
  const place = later ? undefined : node.origin?.();
  const source = place && (await sourceLine(session, place));
  const list = node.children?.() ?? [];
  const children: Entry[] = [];
  for (const child of list) children.push(await entry(session, child));
  return {
    name,
    value,
    ...(evaluateName && { evaluateName }),
    ...(description && { description }),
    ...(children.length && { children }),
    ...(memoryReference && { memoryReference }),
    ...(changed && { changed }),
    ...(wrong && { wrong }),
    ...(node.notDefined && { notDefined: true }),
    ...breakMarks(session, node),
    ...(later && { hasSource: true }),
    ...(source && { source }),
  };
}

async function entries(session: Session, nodes: readonly InspectionNode[]): Promise<Entry[]> {
  const list: Entry[] = [];
  for (const node of nodes) list.push(await entry(session, node));
  return list;
}

async function sourceLine(session: Session, { image, file, line }: SourcePlace): Promise<SourceLine | undefined> {
  const { source, line: shown } = await placeOf(session, image, file, line);
  return source.presentationHint === undefined && source.path !== undefined && shown > 0 ? { path: source.path, line: session.format.fromLine(shown) } : undefined;
}

const groups = async (session: Session, list: readonly InspectionGroup[]): Promise<EntryGroup[]> => {
  const told: EntryGroup[] = [];
  for (const { name, nodes } of list) told.push({ name, entries: await entries(session, nodes) });
  return told;
};

const range = ({ base, length, type }: E820Entry): MemoryRange => ({ base: hex(base), length: hex(length), type });

/** Looks at the processor that a request names; without one, at the one that is looked at already. */
function lookedAt(session: Session, cpu: number | undefined): Debugger {
  const d = session.debugger;
  if (cpu !== undefined) d.focus(processorOf(d, threadOf(cpu)));
  return d;
}

/** The VMCSs that have been current on any processor and still are VMCSs. */
function vmcsList({ target, processors }: Debugger): VmcsResponse['list'] {
  const { currentVmcs } = target.vmx;
  const known = new Set(processors.flatMap(({ recorder, target: { vmx } }) => [...recorder.knownVmcs, ...(vmx.currentVmcs === undefined ? [] : [vmx.currentVmcs])]));
  return [...known].flatMap((address) => {
    const on = address === currentVmcs ? -1 : processors.findIndex(({ target: { vmx } }) => vmx.currentVmcs === address);
    const vmx = vmxOf(target, address);
    const launched = vmx.launched(address);
    if (launched === undefined) return [];
    const rip = vmx.readFieldOf(address, Encoding.GUEST_RIP);
    return [{ address: hex(address), current: address === currentVmcs, ...(on >= 0 && { currentOn: on }), launched, ...(rip !== undefined && { guestRip: hex(rip) }) }];
  });
}

/** The latest exits of all processors, oldest first. */
const lastExits = (processors: readonly ProcessorRecord[], count: number): ExitRecord[] =>
  processors.flatMap(({ recorder }) => recorder.last(count)).sort((a, b) => a.icount - b.icount || a.cpu - b.cpu).slice(-count);

/** Exits of all processors by reason, the most frequent first. */
function countsOf(processors: readonly ProcessorRecord[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { recorder } of processors) for (const [name, n] of recorder.counts) counts.set(name, (counts.get(name) ?? 0) + n);
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a));
}

/** An address that somebody wants translated: its lines, and its place for the watch. */
function translation(session: Session, expression: string): { place?: { space: SpaceName; address: bigint }; node: InspectionNode } {
  const d = session.debugger;
  const evaluator = d.evaluator(frameOf(session, undefined));
  const inspection = /^\s*(walk|ept|maps)\s*\(/.test(expression);
  if (inspection) {
    const { node } = evaluator.evaluate(expression, false).result;
    if (node) return { node };
  }
  const place = evaluator.addressOf(expression);
  return { place, node: translationNode(translate(d.target, place.space, place.address), d.translations.entriesAtExit(place.space, place.address)) };
}

export const isExitName = (name: string): boolean => EXIT_REASONS.some((r) => r.name === name);

/** The exits that are ticked in the view. Yields what is wrong with their conditions. */
export function breakOnExits(session: Session, { names, conditions }: BreakOnExitsArguments): BreakOnExitsResponse {
  const complaints = session.debugger.exitBreakpoints.set(names.map((name) => ({ name, condition: conditions?.[name] })), 'view');
  return { complaints: Object.fromEntries(names.flatMap((name, i) => (complaints[i] === undefined ? [] : [[name, complaints[i]]]))) };
}

export const customHandlers = (session: Session): Handlers => ({
  [HyperstepRequest.type]({ text, device }: TypeArguments) {
    if (typeof text !== 'string') throw new UserError('type', 'hyperstep/type needs the key "text".');
    if (device !== 'keyboard') return session.debugger.type(new TextEncoder().encode(text));
    session.debugger.machine.typeKeyboard?.(text);
    session.debugger.run.wake();
  },

  [HyperstepRequest.e820](): E820Response {
    const d = session.debugger;
    const machine = d.machine.e820();
    const guest = d.guestMap && { ranges: d.guestMap.ranges.map(range), source: d.guestMap.source };
    const told = { ...(guest && { guest }), machine: { ranges: machine.map(range), source: d.machine.options.boot.kind === 'firmware' ? 'the board, before the firmware makes its map' : 'INT 15h, AX=E820h of the machine\'s BIOS' } };
    // EPT belongs to a processor that stands.
    if (d.run.running) return { ...told, findings: [] };
    const accounts = memoryAccounts(d.target, d.guestMap);
    return {
      ...told,
      ...(accounts.ept && {
        ept: {
          ranges: accounts.ept.map((r) => ({ base: hex(r.base), length: hex(r.length), hpa: hex(r.hpa), rights: r.rights, memoryType: r.memoryType })),
          complete: accounts.complete,
          source: `EPTP ${hex(accounts.eptp!)}`,
        },
      }),
      findings: mapFindings(accounts).map((f) => ({ rule: f.rule, severity: f.severity, base: hex(f.base), sentence: f.sentence })),
    };
  },

  async [HyperstepRequest.vmcs]({ address, cpu }: VmcsArguments): Promise<VmcsResponse> {
    session.requireStopped();
    const d = lookedAt(session, cpu);
    const { vmx } = d.target;
    const list = vmcsList(d);
    const { currentVmcs } = vmx;
    const wanted = address === undefined ? currentVmcs : Number(address);
    if (wanted === undefined) return { list, groups: [] };
    const blame = wanted === currentVmcs ? blameOf(session.stopped?.cause) : undefined;
    const lines = vmcsGroups(vmcsAt(d.target, wanted), { ...d.vmcsFacts(), pinned: true }, blame);
    return { list, address: hex(wanted), groups: await groups(session, lines) };
  },

  async [HyperstepRequest.registers]({ cpu }: CpuArguments): Promise<RegistersResponse> {
    session.requireStopped();
    const { target, recorder } = lookedAt(session, cpu);
    const here = target.world;
    const there = otherWorld(here);
    const worlds = recorder.lastEntry && target.exists(there) ? [here, there] : [here];
    const told: RegistersResponse['worlds'] = [];
    for (const world of worlds) {
      const lines = registerGroups(target.registers(world), true, (address, size) => target.readInteger(world, address, size));
      told.push({ world, live: world === here, groups: await groups(session, lines) });
    }
    return { worlds: told };
  },

  [HyperstepRequest.format]({ hexadecimal }: FormatArguments) {
    if (session.format.hexadecimal === (hexadecimal === true)) return;
    session.format.hexadecimal = hexadecimal === true;
    session.protocol.after(() => session.invalidate(['variables']));
  },

  async [HyperstepRequest.exits]({ count, reasons }: ExitsArguments): Promise<ExitsResponse> {
    const { target, processors, exitBreakpoints } = session.debugger;
    // The guest may have other programs and page tables than when the symbols were last looked up.
    if (session.debugger.run.running) target.images.forget();
    const asked = (owner: ExitBreakpointOwner): { name: string; stops: boolean }[] => exitBreakpoints.of(owner).flatMap((b) => (b.event === undefined && b.name !== undefined ? [{ name: b.name, stops: !isLogPoint(b) }] : []));
    const last: ExitsResponse['last'] = [];
    for (const r of lastExits(processors, count ?? DEFAULT_EXITS)) {
      const { target: of } = processors[r.cpu]!;
      const name = addressName(of, 'guest', r.guestRip);
      const symbol = name.startsWith('0x') ? undefined : name;
      const line = sourcePlace(of, 'guest', r.guestRip);
      const source = line && (await sourceLine(session, line));
      last.push({
        n: r.n, cpu: r.cpu, icount: r.icount, reason: r.reason, name: r.name, qualification: hex(r.qualification), guestRip: hex(r.guestRip), ...(symbol && { symbol }), details: r.details,
        words: exitWords(r), place: addressPlace(of, 'guest', r.guestRip), ...(r.linear !== undefined && { linear: hex(r.linear) }), ...(r.gpa !== undefined && { gpa: hex(r.gpa) }), ...(source && { source }),
      });
    }
    return {
      total: processors.reduce((sum, { target: { vmx } }) => sum + vmx.exits, 0),
      byName: countsOf(processors),
      ...(reasons && { reasons: EXIT_REASONS.map(({ name, sentence }) => ({ name, sentence })) }),
      ticked: asked('view').map(({ name }) => name),
      filtered: [...new Set([...asked('launch'), ...asked('filters')].flatMap(({ name, stops }) => (stops ? [name] : [])))],
      last,
    };
  },

  async [HyperstepRequest.exit]({ n, cpu }: ExitArguments): Promise<ExitResponse> {
    const { processors } = session.debugger;
    const record = lastExits(processors, Infinity).find((r) => r.n === n && (cpu === undefined || r.cpu === cpu));
    if (!record) throw new UserError('exit', `VM exit ${n} is not among those that are kept.`);
    return { entries: await entries(session, exitNodes(processors[record.cpu]!.target, record)) };
  },

  [HyperstepRequest.breakOnExits](args: BreakOnExitsArguments): BreakOnExitsResponse {
    const wrong = args.names.find((name) => !isExitName(name));
    if (wrong !== undefined) throw new UserError('exit', `There is no VM exit named ${wrong}.`);
    return breakOnExits(session, args);
  },

  [HyperstepRequest.breakOnData](args: BreakOnDataArguments): BreakOnDataResponse {
    return breakOnData(session, args);
  },

  async [HyperstepRequest.translations]({ expressions, cpu }: TranslationsArguments): Promise<TranslationsResponse> {
    session.requireStopped();
    lookedAt(session, cpu);
    const items: TranslationsResponse['items'] = [];
    const places: { space: SpaceName; address: bigint }[] = [];
    for (const expression of expressions) {
      try {
        const { place, node } = translation(session, expression);
        if (place) places.push(place);
        const { value, wrong, children } = await entry(session, node);
        items.push({ expression, value: place && `${place.space}:${hex(place.address)}` !== expression ? `${place.space}:${hex(place.address)} ${value}` : value, wrong: wrong === true, entries: children ?? [] });
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        items.push({ expression, value: error.message, wrong: true, entries: [] });
      }
    }
    session.debugger.translations.set(places);
    return { items };
  },

  async [HyperstepRequest.source]({ expression }: SourceArguments): Promise<SourceResponse> {
    session.requireStopped();
    const place = session.debugger.evaluator(frameOf(session, undefined)).evaluate(expression, false).result.node?.origin?.();
    const source = place && (await sourceLine(session, place));
    return source ? { source } : {};
  },

  [HyperstepRequest.symbols](): SymbolsResponse {
    const d = session.debugger;
    return {
      files: symbolFiles(d.target).map((f) => ({ name: f.name, path: session.format.path(f.path), sources: f.hasDebugInformation ? f.sources : 0, address: hex(f.address), ...(d.run.running ? undefined : { appliesIn: f.appliesIn }) })),
    };
  },

  [HyperstepRequest.screen]({ live }: ScreenArguments): ScreenResponse {
    if (live !== undefined) session.run.activity.watchScreen(live);
    return screenBody(session.debugger.machine.screen());
  },

  [HyperstepRequest.picture]({ live }: PictureArguments): PictureResponse {
    return session.run.activity.picture(live);
  },
});
