/**
 * Generates the interpreter: every (instruction, width, operand form) of the hot set becomes one case of ONE function,
 * a single loop around a br_table. V8 falls off cliffs when the function has a second loop or exceeds about 250 KB.
 */
import type { CallRoutine, Routine } from '../isa/emitter';
import { FunctionBuilder, type Label } from '../../wasm/function';
import { MAXIMUM_PAGES, ModuleBuilder } from '../../wasm/module';
import { Value } from '../../wasm/value';
import { CTLB_ENTRY_SIZE, Offset, Segment, TLB_ENTRIES, TLB_ENTRY_SIZE } from '../state';
import { walkFunction } from '../mmu/walkCode';
import { segmentCheckFunction } from '../system/segmentationCode';
import { caseOrder } from './caseOrder';
import type { Handler } from './handlers';
import { type HelperFunctions, InterpreterEmitter } from './interpreterEmitter';
import { commitFunction, missesCode, missFunction } from './missCode';
import { ADDRESS_SIZE_4, ADDRESS_SIZE_SHIFT, Exit, Field, Left, Special } from './record';

/** What is called for want of a translation, as `access` and `reach` of mmu/slowPath.ts. */
export type Miss = (cpu: number, low: number, high: number, flags: number, budget: number) => number;

/** Whether limit and type of a segment that is not flat, by the state offset of its cache, permit an access. Returns 0 with the fault filled. */
export type CheckSegment = (cpu: number, segment: number, offset: number, flags: number) => number;

/** What the generated module calls. */
export interface InterpreterImports {
  access: Miss;
  reach: Miss;
  commit(cpu: number): void;
  portIn(cpu: number, port: number, size: number, budget: number): number;
  portOut(cpu: number, port: number, size: number, value: number, budget: number): void;
  /** INVLPG of a linear address. */
  invalidatePage(cpu: number, low: number, high: number): void;
  checkSegment: CheckSegment;
}

export interface Interpreter {
  /** Runs from Offset.RECORD for at most Offset.BUDGET instructions; returns an Exit. */
  run(cpu: number): number;
  /** Functions of translated regions, (cpu, offset in the page) -> Left, by Field.REGION. */
  readonly regions: WebAssembly.Table;
  /** `reach`, behind what lies beside watched bytes. */
  readonly reach: Miss;
  /** `checkSegment`, behind what usual segments permit. */
  readonly checkSegment: CheckSegment;
}

/** Regions that can exist at a time. */
export const REGION_SLOTS = 512;

const PAGE_MASK = ~0xfffn;
const CPU = Value.local(0, 'i32');
const withGeneration = (page: Value): Value => page.or(CPU.load('i64', 8, Offset.GENERATION));

/** The TLB hit test: one comparison that also refuses accesses which cross a page. */
function translateFunction(size: number, write: boolean, accessImport: number): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i64', 'i32', 'i32'], ['i32']);
  const linear = Value.local(1, 'i64');
  const entryLocal = f.local('i32');
  const entry = Value.local(entryLocal, 'i32');
  linear.wrap().shrU(7).and((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE).add(CPU.load('i32', 4, Offset.TLB_BASE)).emit(f);
  f.set(entryLocal);
  withGeneration(linear.add(size - 1).and(PAGE_MASK)).eq(entry.load('i64', 8, write ? 8 : 0)).emit(f);
  f.if();
  linear.wrap().add(entry.load('i32', 4, 16)).emit(f);
  f.return();
  f.end();
  Value.call(accessImport, 'i32', CPU, linear.wrap(), linear.shrU(32).wrap(), Value.local(2, 'i32'), Value.local(3, 'i32')).emit(f);
  return f;
}

/** Entry of the code TLB for a linear address. */
const codeEntry = (linear: Value): Value => linear.wrap().shrU(8).and((TLB_ENTRIES - 1) * CTLB_ENTRY_SIZE).add(CPU.load('i32', 4, Offset.CTLB_BASE));

/** RIP to record by the code TLB. On a miss RIP is stored and 0 returned. */
function lookupFunction(): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i64'], ['i32']);
  const rip = Value.local(1, 'i64');
  const set = (local: number, value: Value): Value => {
    value.emit(f);
    f.set(local);
    return Value.local(local, value.type);
  };
  const linear = set(f.local('i64'), rip.add(CPU.load('i64', 8, Offset.CS_BASE)));
  const entry = set(f.local('i32'), codeEntry(linear));
  const found = f.local('i32');
  withGeneration(linear.and(PAGE_MASK)).eq(entry.load('i64', 8)).emit(f);
  f.if();
  const record = set(found, entry.load('i32', 4, 8).add(linear.wrap().and(0xfff).shl(2)).load('i32', 4));
  record.emit(f);
  f.if();
  CPU.store(f, rip.sub(linear.and(0xfffn)), 8, Offset.RIP_BASE);
  record.emit(f);
  f.return();
  f.end();
  f.end();
  CPU.store(f, rip, 8, Offset.RIP);
  f.i32(0);
  return f;
}

/** The records that are no instructions. */
function specialHandlers(e: InterpreterEmitter, helpers: HelperFunctions): (() => void)[] {
  const f = e.f;
  const sum = (): Value => e.effectiveAddress(e.field(Field.LONG_DISPLACEMENT, 8, 'i64'));
  const isShort = (): Value => e.field(Field.SCALE, 1).shrU(ADDRESS_SIZE_SHIFT).eq(ADDRESS_SIZE_4);
  const segmentField = (offset: number, size: number): Value => e.cpu.add(e.field(Field.SEGMENT, 2)).load(size === 8 ? 'i64' : 'i32', size, offset);
  const finishAddress = (linear: Value): void => {
    e.cpu.store(f, linear, 8, Offset.EFFECTIVE_ADDRESS);
    e.uncount();
    e.goOn();
  };
  const handlers: (() => void)[] = [];
  handlers[Special.BREAK] = () => e.exit(Exit.BREAK, false);
  handlers[Special.STALE] = () => e.exit(Exit.STALE, false);
  handlers[Special.GLUE] = () => {
    e.uncount();
    e.goTo(e.field(Field.LINK, 4));
  };
  handlers[Special.CONTINUE] = () => {
    e.uncount();
    e.jumpTo(e.let(e.ripBase().add(e.field(Field.OFFSET, 2, 'i64'))));
  };
  handlers[Special.CROSS] = () => {
    const next = e.let(e.ripBase().add(e.cpu.load('i64', 8, Offset.CS_BASE)).add(0x1000n));
    const entry = e.let(codeEntry(next));
    const same = withGeneration(next).eq(entry.load('i64', 8)).and(entry.load('i32', 4, 8).eq(e.field(Field.LINK, 4)));
    e.when(same, () => {
      e.uncount();
      e.goOn();
    });
    e.exit(Exit.CROSS, false);
  };
  handlers[Special.ADDRESS_LONG] = () => {
    const address = e.let(sum());
    const masked = Value.select(isShort(), address.and(0xffff_ffffn), address);
    finishAddress(masked.add(segmentField(Segment.BASE, 8)));
  };
  handlers[Special.ADDRESS_LEGACY] = () => {
    const mask = Value.select(isShort(), Value.i64(0xffff_ffffn), Value.i64(0xffffn));
    const offset = e.let(sum().and(mask));
    e.when(segmentField(Segment.FLAT, 4).eqz(), () => {
      const check = Value.call(helpers.checkSegment, 'i32', e.cpu, e.field(Field.SEGMENT, 2), offset.wrap(), e.field(Field.ACCESS, 2));
      e.when(check.eqz(), () => e.exit(Exit.FAULT, false));
    });
    finishAddress(segmentField(Segment.BASE, 8).add(offset).and(0xffff_ffffn));
  };
  handlers[Special.SLOW] = () => e.exit(Exit.SLOW, true);
  handlers[Special.ENTER] = () => {
    e.uncount();
    e.storeProgress();
    const left = f.temporary('i32');
    for (const value of [e.cpu, e.field(Field.OFFSET, 2), e.field(Field.REGION, 2)]) value.emit(f);
    f.callIndirect(helpers.regionType);
    f.set(left);
    e.loadProgress();
    e.set(e.locals.record, e.cpu.load('i32', 4, Offset.RECORD));
    e.when(Value.local(left, 'i32').eq(Left.AT_RIP), () => e.jumpTo(e.let(e.cpu.load('i64', 8, Offset.RIP))));
    f.branch(e.loopLabel);
  };
  for (const [special, size] of [[Special.LOAD_1, 1], [Special.LOAD_2, 2], [Special.LOAD_4, 4], [Special.LOAD_8, 8], [Special.LOAD_16, 16]] as const) {
    handlers[special] = () => {
      e.requireSimd(e.field(Field.SIMD, 2));
      const linear = e.let(e.address());
      if (size === 16) e.requireAligned(linear);
      e.cpu.store(f, e.load(linear, size), size, Offset.SIMD_OPERAND);
      e.uncount();
      e.goOn();
    };
  }
  return handlers;
}

function interpreterFunction(handlers: readonly Handler[], helpers: HelperFunctions): FunctionBuilder {
  const f = new FunctionBuilder(['i32'], ['i32'], 1 << 18);
  const locals = { cpu: 0, record: f.local('i32'), budget: f.local('i32'), res: f.local('i64'), aux: f.local('i32'), exitCode: f.local('i32'), tlb: f.local('i32'), generation: f.local('i64') };
  const e = new InterpreterEmitter(f, helpers, locals);
  e.set(locals.record, e.cpu.load('i32', 4, Offset.RECORD));
  e.loadProgress();
  e.loadTranslations();

  e.exitLabel = f.block();
  e.slowLabel = f.block();
  e.loopLabel = f.loop();
  e.when(e.budget.eqz(), () => {
    e.set(locals.exitCode, Value.i32(Exit.BUDGET));
    f.branch(e.exitLabel);
  });
  e.set(locals.budget, e.budget.sub(1));

  const cases: (() => void)[] = specialHandlers(e, helpers);
  for (const h of handlers) {
    cases.push(() => {
      e.size = h.size;
      e.form = h.form;
      e.variant = h.variant;
      if (h.semantics.simd) e.requireSimd(Value.i32(h.semantics.simd));
      h.semantics.emit(e);
      if (!h.semantics.ends) e.goOn();
    });
  }
  const labels: Label[] = [];
  const order = caseOrder(handlers);
  for (let i = cases.length - 1; i >= 0; i--) labels[order[i]!] = f.block();
  e.field(Field.HANDLER, 2).emit(f);
  f.branchTable(labels, labels[Special.STALE]!);
  for (const number of order) {
    f.end();
    f.releaseTemporaries();
    cases[number]!();
  }
  f.end(); // loop
  f.unreachable();
  f.end(); // slow block
  e.set(locals.exitCode, Value.i32(Exit.SLOW));
  f.end(); // exit block
  e.storeProgress();
  e.cpu.store(f, e.record, 4, Offset.RECORD);
  f.get(locals.exitCode);
  return f;
}

/** Adds routines to a module as they are first called. */
export function routines(module: ModuleBuilder): CallRoutine {
  const indices = new Map<string, number>();
  const call: CallRoutine = (routine: Routine, ...args: Value[]) => {
    let index = indices.get(routine.name);
    if (index === undefined) {
      const f = new FunctionBuilder(routine.parameters, [routine.result]);
      routine.build(f, call);
      index = module.add(f);
      indices.set(routine.name, index);
    }
    return Value.call(index, routine.result, ...args);
  };
  return call;
}

/** Generates the interpreter for these handlers (numbered after the special ones). */
export function generateInterpreter(handlers: readonly Handler[]): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.importMemory(1, MAXIMUM_PAGES);
  const accessImport = module.importFunction('access', ['i32', 'i32', 'i32', 'i32', 'i32'], ['i32']);
  const reachImport = module.importFunction('reach', ['i32', 'i32', 'i32', 'i32', 'i32'], ['i32']);
  const commitImport = module.importFunction('commit', ['i32'], []);
  const portIn = module.importFunction('portIn', ['i32', 'i32', 'i32', 'i32'], ['i32']);
  const portOut = module.importFunction('portOut', ['i32', 'i32', 'i32', 'i32', 'i32'], []);
  const invalidatePage = module.importFunction('invalidatePage', ['i32', 'i32', 'i32'], []);
  const checkSegmentImport = module.importFunction('checkSegment', ['i32', 'i32', 'i32', 'i32'], ['i32']);
  const missHelpers = { walk: module.add(walkFunction()), misses: module.add(missesCode()) };
  const access = module.add(missFunction(accessImport, missHelpers, true));
  module.add(missFunction(reachImport, missHelpers, false), 'reach');
  const commit = module.add(commitFunction(commitImport));
  const checkSegment = module.add(segmentCheckFunction(checkSegmentImport), 'checkSegment');
  const helpers: HelperFunctions = { access, translate: {}, commit, portIn, portOut, invalidatePage, checkSegment, lookup: 0, regionType: module.signature(['i32', 'i32'], ['i32']), call: routines(module) };
  module.exportTable(REGION_SLOTS, 'regions');
  helpers.translate['r16'] = module.add(translateFunction(16, false, access));
  helpers.translate['w16'] = module.add(translateFunction(16, true, access));
  helpers.lookup = module.add(lookupFunction());
  module.add(interpreterFunction(handlers, helpers), 'run');
  return module.encode();
}

/** Connects the interpreter with a memory and with the TypeScript that it calls. */
export function createInterpreter(module: WebAssembly.Module, memory: WebAssembly.Memory, imports: InterpreterImports): Interpreter {
  const { access, reach, commit, portIn, portOut, invalidatePage, checkSegment } = imports;
  const instance = new WebAssembly.Instance(module, { env: { memory, access, reach, commit, portIn, portOut, invalidatePage, checkSegment } });
  return { run: instance.exports.run as (cpu: number) => number, regions: instance.exports.regions as WebAssembly.Table, reach: instance.exports.reach as Miss, checkSegment: instance.exports.checkSegment as CheckSegment };
}
