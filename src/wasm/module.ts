/** Builds a WebAssembly module: imported memory and functions, own functions, exports. */
import { ByteWriter } from './bytes';
import { type FunctionBuilder, TYPE_CODE, type ValueType } from './function';

const FUNCREF = 0x70;
/** A memory of any size up to this, in 64-KiB pages, suits a module that imports one. */
export const MAXIMUM_PAGES = 0x1_0000;

interface Signature {
  key: string;
  parameters: readonly ValueType[];
  results: readonly ValueType[];
}

export class ModuleBuilder {
  private readonly signatures: Signature[] = [];
  private readonly imported: { name: string; signature: number }[] = [];
  private readonly functions: { body: FunctionBuilder; name: string | undefined }[] = [];
  private memory: { minimum: number; maximum: number } | undefined;
  private table: { size: number; name: string } | undefined;

  /** The memory is imported as `env.memory`; sizes in 64-KiB pages. */
  importMemory(minimum: number, maximum: number): void {
    this.memory = { minimum, maximum };
  }

  /** Imports `env.name`. All imports come before the first `add`. */
  importFunction(name: string, parameters: readonly ValueType[], results: readonly ValueType[]): number {
    this.imported.push({ name, signature: this.signature(parameters, results) });
    return this.imported.length - 1;
  }

  /** Adds a function and yields its index; with a name it is exported. */
  add(body: FunctionBuilder, name?: string): number {
    this.functions.push({ body, name });
    return this.imported.length + this.functions.length - 1;
  }

  /** A table of functions, exported with this name; nothing is in it at first. */
  exportTable(size: number, name: string): void {
    this.table = { size, name };
  }

  /** Index of a function type, for `FunctionBuilder.callIndirect`. */
  signature(parameters: readonly ValueType[], results: readonly ValueType[]): number {
    const key = parameters.join() + '>' + results.join();
    const found = this.signatures.findIndex((s) => s.key === key);
    return found >= 0 ? found : this.signatures.push({ key, parameters, results }) - 1;
  }

  encode(): Uint8Array<ArrayBuffer> {
    const bodies = this.functions.map(({ body }) => ({ signature: this.signature(body.parameters, body.results), bytes: body.encode() }));
    const out = new ByteWriter(1 << 18);
    out.bytes(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    const section = (id: number, write: (s: ByteWriter) => unknown): void => {
      const s = new ByteWriter(4096);
      write(s);
      out.u8(id).u32(s.length).bytes(s.result());
    };
    section(1, (s) => {
      s.u32(this.signatures.length);
      for (const { parameters, results } of this.signatures) {
        s.u8(0x60).u32(parameters.length);
        for (const t of parameters) s.u8(TYPE_CODE[t]);
        s.u32(results.length);
        for (const t of results) s.u8(TYPE_CODE[t]);
      }
    });
    section(2, (s) => {
      s.u32(this.imported.length + (this.memory ? 1 : 0));
      for (const i of this.imported) s.name('env').name(i.name).u8(0).u32(i.signature);
      if (this.memory) s.name('env').name('memory').u8(2).u8(1).u32(this.memory.minimum).u32(this.memory.maximum);
    });
    section(3, (s) => {
      s.u32(bodies.length);
      for (const b of bodies) s.u32(b.signature);
    });
    const { table } = this;
    if (table) section(4, (s) => s.u32(1).u8(FUNCREF).u8(0).u32(table.size));
    section(7, (s) => {
      const exported = this.functions.map((f, i) => ({ name: f.name, index: this.imported.length + i })).filter((f) => f.name !== undefined);
      s.u32(exported.length + (table ? 1 : 0));
      for (const e of exported) s.name(e.name!).u8(0).u32(e.index);
      if (table) s.name(table.name).u8(1).u32(0);
    });
    section(10, (s) => {
      s.u32(bodies.length);
      for (const b of bodies) s.u32(b.bytes.length).bytes(b.bytes);
    });
    return out.result();
  }
}
