/**
 * What stepping asks about the instructions that it executes one by one. They are mostly those of a loop, and finding out
 * takes longer than executing them: so it is kept until something may be elsewhere.
 */
import type { Processor } from '../../cpu/processor';
import type { CallSite, CodeLine, CodeMap } from '../symbols/codeMap';
import { instructionKind, type InstructionKind } from './instructionKind';
import { codeBitsOf, type Position } from './position';

/** Where it gets that. */
export interface CodeEnvironment {
  readonly cpu: Processor;
  readonly code: CodeMap;
  /** Bytes at a linear address of the world that runs. */
  readCode(pc: bigint, length: number): Uint8Array;
  /** Symbols are about to be asked for: those of the processor that is stepped. */
  focus(): void;
}

/** The longest instruction, in bytes. */
const MOST_BYTES = 15;

/** As far as somebody has asked. */
interface Known {
  line?: CodeLine | 'none';
  calls?: readonly CallSite[];
  kind?: InstructionKind;
}

export class KnownCode {
  /** By linear address. */
  private readonly known = new Map<bigint, Known>();

  constructor(private readonly env: CodeEnvironment) {}

  /** The machine has run, another world does, or linear addresses mean others. */
  forget(): void {
    this.known.clear();
  }

  private at(pc: bigint): Known {
    let known = this.known.get(pc);
    if (!known) this.known.set(pc, (known = {}));
    return known;
  }

  /** What the instruction at a linear address of the world that runs is. */
  kind(pc: bigint): InstructionKind {
    return (this.at(pc).kind ??= instructionKind(this.env.readCode(pc, MOST_BYTES), codeBitsOf(this.env.cpu.state) === 64));
  }

  /** The line of an address; undefined where there is none. */
  line(at: Position): CodeLine | undefined {
    const known = this.at(at.pc);
    if (known.line === undefined) {
      this.env.focus();
      known.line = this.env.code.lineAt(at.world, at.pc) ?? 'none';
    }
    return known.line === 'none' ? undefined : known.line;
  }

  /** Calls inlined whose code begins at an address, outermost first. */
  callsBeginning(at: Position): readonly CallSite[] {
    return (this.at(at.pc).calls ??= this.env.code.callsBeginning(at.world, at.pc));
  }
}
