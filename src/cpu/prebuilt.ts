/**
 * What takes time at every start and never changes: the generated interpreter and the compiled opcode tables. The bundles
 * have both, as webpack.config.js puts a generated module in this one's place; from source there is neither, and they are
 * made at first use.
 */
import type { CompiledTables } from './decode/compile';

export interface Prebuilt {
  readonly interpreter: Uint8Array<ArrayBuffer>;
  readonly tables: CompiledTables;
}

export const prebuilt: Prebuilt | undefined = undefined as Prebuilt | undefined;
