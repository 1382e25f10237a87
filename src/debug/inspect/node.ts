/** What the debugger shows, as lines with parts. */
import type { SourceFile, SymbolImage } from '../../symbols/image';

/** A line of a source file, as the symbols name it. */
export interface SourcePlace {
  image: SymbolImage;
  file: SourceFile;
  line: number;
}

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
  /** Of an array only `count` children from `start` on are asked for; all others give all at once. */
  children?: (start?: number, count?: number) => InspectionNode[];
  /** Number of children, when they are the elements of an array. */
  indexed?: number;
  /** All of it as text with aligned columns, for the Debug Console. */
  table?: () => string;
  /** Where the name is declared. */
  declaration?: () => SourcePlace | undefined;
  /** Where the value comes from: the line that wrote a VMCS field, the function that a pointer points to. */
  origin?: () => SourcePlace | undefined;
  /** Sets the value from text that the user typed. Throws a UserError when that is impossible. */
  write?: (text: string) => void;
  /** Where it is in memory, for the memory view: `vmm:0x...`. */
  memoryReference?: string;
  /** The value means nothing now, as its words say: shown dimmed. */
  notDefined?: boolean;
  /** What a data breakpoint on it watches: see watch/watchable.ts. */
  watch?: string | undefined;
}

/** A heading with its lines. */
export interface InspectionGroup {
  name: string;
  /** What to say beside the heading. */
  note?: string;
  nodes: InspectionNode[];
}
