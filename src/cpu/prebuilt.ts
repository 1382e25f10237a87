/**
 * What takes time at every start and never changes: the generated modules and the compiled opcode tables. The bundles have
 * them, as webpack.config.js puts a generated module in this one's place; from source there are none, and they are made at
 * first use.
 */
import type { CompiledTables } from './decode/compile';

export interface Prebuilt {
  readonly interpreter: Uint8Array<ArrayBuffer>;
  /** What decodes lines of code: engine/lineCode.ts. */
  readonly lines: Uint8Array<ArrayBuffer>;
  /** What follows from the state: engine/derived.ts. */
  readonly derived: Uint8Array<ArrayBuffer>;
  /** VM entry and VM exit: transfer.ts of VMX. */
  readonly transfer: Uint8Array<ArrayBuffer>;
  readonly tables: CompiledTables;
}

export const prebuilt: Prebuilt | undefined = undefined as Prebuilt | undefined;
