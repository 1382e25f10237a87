/** What happens in the machine while it runs: recorded, told to whoever waits for it, and made a stop where somebody wants one. */
import type { Instruction } from '../cpu/decode/instruction';
import type { MachineStop } from '../machine/machineInterface';
import type { PassingExit, VmxFailure } from '../vmx/observe';
import type { Finding } from './checks/check';
import { VmxChecks } from './checks/vmxChecks';
import type { ExitBreakpoints } from './exits/exitBreakpoints';
import { ExitRecorder } from './exits/exitRecorder';
import { deliveryEvent, entryEvent, type SystemEvent } from './exits/systemEvents';
import { SystemMonitor } from './exits/systemMonitor';
import { FAILURES, failureKind } from './failures';
import { asksForMap, readGuestMap, type GuestMap } from './memory/guestMap';
import type { ProcessorRecord } from './processorRecord';
import type { Processors } from './processors';
import type { RunControl } from './run/runControl';
import type { StopCause } from './run/stopCause';
import type { Target } from './target';
import type { DataBreakpoints } from './watch/dataBreakpoints';

/** The parts of the debugger that are told, or asked whether somebody waits. */
export interface HappeningsEnvironment {
  readonly all: Processors;
  readonly run: RunControl;
  readonly exitBreakpoints: ExitBreakpoints;
  readonly data: DataBreakpoints;
  /** The VMM has given its guest a memory map. */
  guestMapRead(): void;
}

export class Happenings {
  /** False: nothing stops the machine ("Run Without Debugging"). */
  enabled = true;
  /** The memory map that the guest was told. */
  guestMap: GuestMap | undefined;
  /** Failures that do not stop the machine. */
  private readonly ignored = new Set<string>();
  /** What the checks have found about the failure or end that is being told. */
  private readonly findings: Finding[] = [];
  private waitsForDelivery = false;
  private waitsForEntry = false;

  constructor(private readonly env: HappeningsEnvironment) {}

  private get target(): Target {
    return this.env.all.target;
  }

  /** Listens to a processor. `checksOff`: ids of run-time checks that are switched off. */
  listen(record: ProcessorRecord, checksOff: ReadonlySet<string>): void {
    const { env } = this;
    const { target } = record;
    const of = <T extends unknown[]>(action: (...what: T) => void) => (...what: T) => {
      env.all.focus(target.index);
      action(...what);
    };
    record.recorder = target.recorder = new ExitRecorder(target.cpu, target.vmx, {
      exit: of((exit) => this.exited(exit)),
      entry: of(() => this.entered()),
      failure: of((failure) => this.failed(failure)),
      fieldAccessed: (encoding, write) => {
        env.all.focus(target.index);
        env.data.fieldAccessed(encoding, write);
      },
      vmcsLoaded: of((address) => env.data.vmcsLoaded(address)),
      delivering: of((event) => {
        record.delivered(event);
        env.run.delivering();
        if (this.waitsForDelivery) this.happened(deliveryEvent(event));
      }),
    }, new VmxChecks(target, checksOff, (finding) => this.found(finding)));
    target.vmx.observer = record.recorder;
    record.monitor = new SystemMonitor(target.cpu, target.vmx, of((event) => this.happened(event)));
  }

  /** Which failures stop the machine. */
  setFailures(ids: ReadonlySet<string>): void {
    this.ignored.clear();
    for (const { id } of FAILURES) if (!ids.has(id)) this.ignored.add(id);
  }

  /** Watches for what somebody waits for, and for nothing else. */
  watchSystem(): void {
    const { exitBreakpoints: b, data, all } = this.env;
    this.waitsForDelivery = b.watches('guest-exception') || b.watches('vmm-exception') || b.watches('interrupt');
    this.waitsForEntry = b.watches('entry');
    for (const { target, monitor } of all.records) {
      const monitors = monitor.watch({ mode: b.watches('mode'), cr3: b.watches('cr3') });
      const operation = data.watchesSystem ? (insn: Instruction): void => (all.focus(target.index), data.operation(insn)) : undefined;
      const modes = monitors ? monitor.operation : undefined;
      target.cpu.onOperation = modes && operation ? (insn) => (modes(insn), operation(insn)) : (modes ?? operation);
    }
  }

  /** Why the machine stops that came to its end. */
  ended(how: MachineStop, debugExit: number | undefined): StopCause {
    if (how === 'shutdown') return { kind: 'triple-fault', world: this.target.world, record: undefined, exceptions: [...this.env.all.at.events], findings: this.findingsAtEnd('shutdown') };
    return { kind: 'ended', how: how === 'power-off' ? 'power-off' : 'debug-exit', value: debugExit };
  }

  /** What the checks say to a machine that halts for ever or shuts down. */
  findingsAtEnd(how: 'halt' | 'shutdown'): Finding[] {
    this.env.all.at.recorder.checks?.ended(how);
    return this.takeFindings();
  }

  /** The machine is at another instant. */
  forgetFindings(): void {
    this.findings.length = 0;
  }

  private happened(event: SystemEvent): void {
    const { exitBreakpoints, run } = this.env;
    if (this.enabled && exitBreakpoints.watches(event.kind) && exitBreakpoints.matchesEvent(event)) run.requestStop({ kind: 'event', event });
  }

  private exited(record: PassingExit): void {
    const { run, all, data, exitBreakpoints } = this.env;
    run.worldChanged('exit', all.index);
    all.at.translations.exited();
    if (this.target.cpu.onOperation) all.at.monitor.worldChanged();
    data.worldChanged('exit');
    if (asksForMap(record)) all.at.mapExit = record.copy();
    if (!this.enabled) return;
    if (record.name === 'TRIPLE_FAULT') this.fail({ kind: 'triple-fault', world: 'guest', record: record.copy(), exceptions: [...all.at.events] });
    if (exitBreakpoints.matches(record)) run.requestStop({ kind: 'exit', record: record.copy() });
  }

  private entered(): void {
    const { run, all, data } = this.env;
    run.worldChanged('entry', all.index);
    if (this.target.cpu.onOperation) all.at.monitor.worldChanged();
    data.worldChanged('entry');
    if (this.waitsForEntry) this.happened(entryEvent(this.target.recorder.lastEntry!, this.target.vmx, this.target.cpu.state.rip));
    const exit = all.at.mapExit;
    if (!exit) return;
    all.at.mapExit = undefined;
    // RBX is the guest's by now.
    const map = readGuestMap(this.target, this.target.cpu.state.reg(3), exit);
    if (!map) return;
    this.guestMap = map;
    this.env.guestMapRead();
  }

  private failed(failure: VmxFailure): void {
    const findings = this.takeFindings();
    this.fail({ kind: 'vmx-failure', failure, findings });
    // Without the stop for failures the checks stop by themselves.
    for (const finding of findings) this.fail({ kind: 'check', finding });
  }

  /** A finding about a failure or the end belongs to the stop that comes at once; the others are stops of their own. */
  private found(finding: Finding): void {
    if (finding.at === 'failure' || finding.at === 'end') this.findings.push(finding);
    else this.fail({ kind: 'check', finding });
  }

  private takeFindings(): Finding[] {
    return this.findings.splice(0).filter(() => !this.ignored.has('vmx-checks'));
  }

  private fail(cause: StopCause): void {
    const kind = failureKind(cause);
    if (this.enabled && kind && !this.ignored.has(kind.id)) this.env.run.requestStop(cause);
  }
}
