/** What `--break-on-exit` prints: the exit in words, the VMCS, and the stack of both worlds. */
import { writerPlace } from '../debug/exits/fieldWriter';
import { exitLines, exitTitle } from '../debug/exits/exitWords';
import { vmcsGroups } from '../debug/inspect/vmcs';
import { callStack, type StackEntry } from '../debug/stack/callStack';
import { fileWords } from '../debug/stack/fileWords';
import type { Target } from '../debug/target';
import { hex } from '../base/bits';
import type { ExitRecord } from '../vmx/observe';

function stackLine(entry: StackEntry): string {
  if (entry.kind === 'label') return `  -- ${entry.name} --`;
  const place = entry.file ? ` at ${fileWords(entry.file)}:${entry.line}` : '';
  return `  ${entry.world.padEnd(5)} ${hex(entry.frame.pc)} ${entry.name}${place}`;
}

/** The whole report. The machine has stopped right after the exit. */
export function exitReport(target: Target, record: ExitRecord): string {
  const lines = [exitTitle(record), ...exitLines(record).map((line) => `  ${line}`)];
  for (const group of vmcsGroups(target.vmx, { describe: (rip, returns) => writerPlace(target, { rip, returns }) })) {
    const width = Math.max(0, ...group.nodes.map((node) => node.name.length));
    lines.push('', group.name, ...group.nodes.map((node) => `  ${node.name.padEnd(width)}  ${node.value}`));
  }
  lines.push('', 'Stack', ...callStack(target).map(stackLine));
  return lines.join('\n') + '\n';
}
