/**
 * Writes docs/vm-entry-checks.md from the tables of VM-entry checks: `npx tsx test/rules/vmEntryChecksDocs.ts`.
 * test/unit/vmxRules.test.ts holds the file to the tables.
 */
import fs from 'node:fs';
import path from 'node:path';
import { BASIC_CHECKS, ENTRY_CHECKS, type EntryCheck, MSR_LOAD_CHECKS, MSR_VALUE_CHECK } from '../../src/vmx/tables';

export const DOCUMENT = path.resolve(__dirname, '../../docs/vm-entry-checks.md');

const INTRODUCTION = `# VM-entry checks

Every check that VMLAUNCH and VMRESUME make, in the order in which Hyperstep's processor makes them. When a VM entry fails, the debugger and \`hyperstep run\` tell every one of these rules that is broken, not only the first that the processor finds: its identifier, the values of its fields, what must be so, and the line that wrote each field last.

The sections are those of the Intel SDM, volume 3. The first field of a rule is the one to blame first. A rule with a feature exists only on a processor that has it (\`machine.cpu.without\` withholds features).

This file is generated from \`src/vmx/tables/entryChecks*.ts\` by \`npx tsx test/rules/vmEntryChecksDocs.ts\`. Each rule has two tests that carry its identifier, for an entry that fails and one that does not.
`;

const RESULTS: Record<EntryCheck['stage'], string> = {
  control: 'VMfailValid with VM-instruction error 7 (VM entry with invalid control fields).',
  host: 'VMfailValid with VM-instruction error 8 (VM entry with invalid host-state fields).',
  guest: 'A VM exit with reason 33 (VM-entry failure due to invalid guest state), qualification 0 where no other is given.',
};

const cell = (text: string): string => text.replaceAll('|', '\\|');
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

/** Runs of rows with the same section. */
function sections(): EntryCheck[][] {
  const runs: EntryCheck[][] = [];
  for (const check of ENTRY_CHECKS) {
    const last = runs.at(-1);
    if (last && last[0]!.section === check.section) last.push(check);
    else runs.push([check]);
  }
  return runs;
}

function sectionText(checks: readonly EntryCheck[]): string {
  const qualified = checks.some((c) => c.qualification !== undefined);
  const featured = checks.some((c) => c.feature !== undefined);
  const rows = checks.map((c) => [`\`${c.id}\``, c.condition, c.fields.join(', '), ...(qualified ? [String(c.qualification ?? 0)] : []), ...(featured ? [c.feature ?? ''] : [])]);
  const head = ['Rule', 'What must be so', 'Fields', ...(qualified ? ['Qualification'] : []), ...(featured ? ['Feature'] : [])];
  return `## ${checks[0]!.section}\n\n${RESULTS[checks[0]!.stage]}\n\n${table(head, rows)}\n`;
}

/** The whole document. */
export function documentText(): string {
  const basic = BASIC_CHECKS.map((c) => [`\`${c.id}\``, c.condition, c.error === 0 ? 'VMfailInvalid' : `error ${c.error}`]);
  const msrs = [...MSR_LOAD_CHECKS, MSR_VALUE_CHECK].map((c) => [`\`${c.id}\``, c.condition]);
  return [
    INTRODUCTION,
    `## ${BASIC_CHECKS[0]!.section}\n\n${table(['Rule', 'What must be so', 'Result'], basic)}\n`,
    ...sections().map(sectionText),
    `## ${MSR_VALUE_CHECK.section}\n\nA VM exit with reason 34 (VM-entry failure due to MSR loading). The qualification is the number of the entry of the VM-entry MSR-load area, from 1.\n\n${table(['Rule', 'What must be so'], msrs)}\n`,
    '## Machine checks\n\nExit reason 41 (VM-entry failure due to machine-check event) does not occur: the machine has no machine checks.\n',
  ].join('\n');
}

if (require.main === module) fs.writeFileSync(DOCUMENT, documentText());
