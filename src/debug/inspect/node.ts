/** One line that the debugger shows: a register, a field of the VMCS, a variable, a part of one of them. */
export interface InspectionNode {
  name: string;
  /** In words and hexadecimal; empty for a mere heading. */
  value: string;
  type?: string;
  /** An expression that evaluates to this line, for Watch. */
  evaluateName?: string;
  /** One sentence for the tooltip. */
  description?: string;
  children?: () => InspectionNode[];
  /** Number of children, when they are the elements of an array. */
  indexed?: number;
  /** Sets the value from text that the user typed. Throws a UserError when that is impossible. */
  write?: (text: string) => void;
  /** Where it is in memory, for the memory view: `vmm:0x...`. */
  memoryReference?: string;
}

/** A heading with its lines. */
export interface InspectionGroup {
  name: string;
  /** What to say beside the heading. */
  note?: string;
  nodes: InspectionNode[];
}
