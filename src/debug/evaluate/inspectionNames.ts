/** The functions of inspection by name: what they take and tell, for the parser, the completions and the messages. */
export interface InspectionSignature {
  name: string;
  /** As shown in completions. */
  signature: string;
  sentence: string;
  /** Least and most arguments. */
  least: number;
  most: number;
}

export const INSPECTION_FUNCTIONS: readonly InspectionSignature[] = [
  { name: 'walk', signature: 'walk(address)', sentence: 'The translation of an address, level by level, through page tables and EPT.', least: 1, most: 1 },
  { name: 'ept', signature: 'ept(gpa)', sentence: 'EPT\'s walk of a guest-physical address; without one, all that EPT maps.', least: 0, most: 1 },
  { name: 'maps', signature: 'maps(address)', sentence: 'Every linear and guest-physical address that maps the same frame.', least: 1, most: 1 },
  { name: 'pages', signature: 'pages()', sentence: 'All that the page tables map, as ranges with their rights; guest:pages() are the guest\'s.', least: 0, most: 0 },
  { name: 'idt', signature: 'idt()', sentence: 'Where exceptions and interrupts lead: the IDT, or the vectors of real mode.', least: 0, most: 0 },
  { name: 'gdt', signature: 'gdt()', sentence: 'The segment descriptors of the GDT.', least: 0, most: 0 },
  { name: 'tss', signature: 'tss()', sentence: 'The stacks in the task-state segment that TR points to.', least: 0, most: 0 },
  { name: 'e820', signature: 'e820()', sentence: 'The memory map that the guest was given, what EPT maps and what the firmware reports.', least: 0, most: 0 },
  { name: 'exits', signature: 'exits(count)', sentence: 'The number of VM exits by reason, and the last of them.', least: 0, most: 1 },
  { name: 'vmcs', signature: 'vmcs("name")', sentence: 'The fields of the current VMCS whose names contain a text.', least: 0, most: 1 },
  { name: 'symbols', signature: 'symbols()', sentence: 'The symbol files, and in which world each applies now.', least: 0, most: 0 },
];

export const INSPECTION_NAMES: ReadonlySet<string> = new Set(INSPECTION_FUNCTIONS.map((f) => f.name));
