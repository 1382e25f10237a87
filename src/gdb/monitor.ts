/** What `monitor` understands: the things that GDB has no word for. */
import { hex } from '../base/bits';
import { nearest } from '../base/nearest';
import { UserError } from '../base/errors';
import type { Debugger } from '../debug/debugger';
import { exitTitle } from '../debug/exits/exitWords';
import { vmcsGroups } from '../debug/inspect/vmcs';
import { codeBitsOf } from '../debug/run/position';
import type { E820Entry } from '../machine/machineInterface';
import { FIELDS } from '../vmx/tables';
import type { WorldChoice } from './worldChoice';

export interface MonitorContext {
  debugger: Debugger;
  worlds: WorldChoice;
  restart(): void;
}

interface MonitorCommand {
  words: string;
  help: string;
  run(context: MonitorContext, args: readonly string[]): string;
}

const EXITS_SHOWN = 10;
/** GDB keeps registers, frames and the stack's memory of a stop; nothing in its protocol tells it that they have changed. */
const FLUSH = 'GDB still has what it has read before: type "maintenance flush dcache" and "maintenance flush register-cache".';
const CHOICES = ['vmm', 'guest', 'auto'] as const;
const TYPES: Readonly<Record<number, string>> = { 1: 'usable', 2: 'reserved', 3: 'ACPI reclaimable', 4: 'ACPI NVS', 5: 'bad' };

function world({ worlds, debugger: d }: MonitorContext, [word]: readonly string[]): string {
  const before = worlds.shown;
  if (word !== undefined) {
    const choice = CHOICES.find((c) => c === word);
    if (!choice) throw new UserError('monitor', `There is no world ${word}: vmm, guest, or auto for the one that runs.`);
    worlds.choice = choice;
  }
  const lines = [`Registers and memory are the ${worlds.shown === 'vmm' ? "VMM's" : "guest's"}; the processor is in the ${d.target.world === 'vmm' ? 'VMM' : 'guest'}; new breakpoints are for the ${worlds.choice === 'auto' ? 'world that runs' : worlds.choice === 'vmm' ? 'VMM' : 'guest'}.`];
  if (worlds.choice !== 'auto' && worlds.choice !== worlds.shown) lines.push('The guest does not run yet: its registers can be seen after its first VM exit.');
  if (before !== worlds.shown) lines.push(FLUSH);
  return lines.join('\n');
}

function exits({ debugger: d }: MonitorContext, [count]: readonly string[]): string {
  const { recorder } = d;
  const n = count === undefined ? EXITS_SHOWN : Number(count);
  if (!Number.isInteger(n) || n < 0) throw new UserError('monitor', `exits takes a number of exits, not ${count}.`);
  const last = n === 0 ? [] : recorder.last(n);
  if (!recorder.lastExit) return 'There was no VM exit.';
  const counts = [...recorder.counts].sort((a, b) => b[1] - a[1]).map(([name, times]) => `${String(times).padStart(10)}  ${name}`);
  return [...counts, '', ...last.map(exitTitle)].join('\n');
}

function vmcs({ debugger: d }: MonitorContext, [name]: readonly string[]): string {
  const groups = vmcsGroups(d.target.vmx, d.vmcsFacts());
  if (groups.length === 0) return 'There is no current VMCS.';
  if (name === undefined) {
    return groups.map((group) => [group.name, ...group.nodes.map((node) => `  ${node.name.padEnd(Math.max(...group.nodes.map((n) => n.name.length)))}  ${node.value}`)].join('\n')).join('\n\n');
  }
  const wanted = name.toUpperCase();
  const node = groups.flatMap((group) => group.nodes).find((n) => n.name === wanted);
  if (node) return [`${node.name}  ${node.value}`, node.description ?? '', ...(node.children?.() ?? []).map((bit) => `  ${bit.name}: ${bit.value}`)].filter((line) => line !== '').join('\n');
  if (FIELDS.some((f) => f.name === wanted)) throw new UserError('monitor', `This processor's VMCS has no field ${wanted}.`);
  const near = nearest(wanted, FIELDS.map((f) => f.name));
  throw new UserError('monitor', `There is no VMCS field ${name}${near ? `; did you mean ${near}?` : '.'}`);
}

const rangeLine = ({ base, length, type }: E820Entry): string => `  ${hex(base, 16)} - ${hex(base + length - 1n, 16)}  ${TYPES[type] ?? `type ${type}`}`;

function e820({ debugger: d }: MonitorContext): string {
  const lines = ['The firmware reports:', ...d.machine.e820().map(rangeLine)];
  if (d.guestMap) lines.push('', `The guest was told (${d.guestMap.source}):`, ...d.guestMap.ranges.map(rangeLine));
  return lines.join('\n');
}

function info(context: MonitorContext): string {
  const { target, machine, recorder } = context.debugger;
  const { vmx } = target;
  return [
    world(context, []),
    `icount ${machine.icount}, ${machine.instructions} instructions, ${vmx.exits} VM exits, ${vmx.entries} VM entries.`,
    `The processor executes ${codeBitsOf(target.cpu.state)}-bit code at ${hex(target.cpu.state.rip)}.`,
    vmx.currentVmcs === undefined ? 'There is no current VMCS.' : `Current VMCS at host-physical ${hex(vmx.currentVmcs)}.`,
    ...(recorder.lastExit ? [`Last: ${exitTitle(recorder.lastExit)}.`] : []),
    ...target.images.images.map((image) => `Symbols: ${image.name}${image.world ? ` (${image.world})` : ''}.`),
  ].join('\n');
}

function restart(context: MonitorContext): string {
  context.restart();
  return `The machine is at power-on. ${FLUSH}`;
}

const COMMANDS: Readonly<Record<string, MonitorCommand>> = {
  world: { words: 'world [vmm|guest|auto]', help: 'whose registers, memory and breakpoints these are', run: world },
  exits: { words: 'exits [N]', help: 'VM exits by reason, and the last N', run: exits },
  vmcs: { words: 'vmcs [FIELD]', help: 'the current VMCS in words, or one field with its bits', run: vmcs },
  e820: { words: 'e820', help: 'the memory maps of firmware and guest', run: e820 },
  info: { words: 'info', help: 'where the machine stands', run: info },
  restart: { words: 'restart', help: 'puts the machine back to power-on', run: restart },
  help: { words: 'help', help: 'this list', run: help },
};

function help(): string {
  return Object.values(COMMANDS).map(({ words, help }) => `monitor ${words.padEnd(24)} ${help}`).join('\n');
}

/** Performs the words behind `monitor`; yields what to print, with its last line's end. */
export function monitor(context: MonitorContext, line: string): string {
  const [name = 'help', ...args] = line.trim().split(/\s+/).filter((word) => word !== '');
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name]! : undefined;
  if (!command) {
    const near = nearest(name, Object.keys(COMMANDS));
    return `There is no monitor command ${name}${near ? `; did you mean ${near}?` : '; "monitor help" lists them.'}\n`;
  }
  try {
    return command.run(context, args) + '\n';
  } catch (error) {
    if (error instanceof UserError) return error.message + '\n';
    throw error;
  }
}
