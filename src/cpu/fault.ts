/**
 * How an instruction that cannot complete leaves the processor's TypeScript: it fills the processor's one Fault object
 * and throws it (or, below generated code, returns 0 with the Fault filled). Not an Error: no stack is captured.
 */
export const Vector = { DE: 0, DB: 1, NMI: 2, BP: 3, OF: 4, BR: 5, UD: 6, NM: 7, DF: 8, TS: 10, NP: 11, SS: 12, GP: 13, PF: 14, MF: 16, AC: 17, MC: 18, XM: 19, VE: 20, CP: 21 } as const;

export class Fault {
  /** What happened: an exception of the processor, or an exit that second-level translation asks for. */
  kind: 'exception' | 'second-level' = 'exception';
  vector = 0;
  hasErrorCode = false;
  errorCode = 0;
  /** #PF: the linear address for CR2. #DB: the bits for DR6. Second-level: the linear address. */
  address = 0n;
  /** For `second-level`: filled and read by vmx alone. */
  detail: unknown = undefined;

  exception(vector: number, errorCode?: number): this {
    this.kind = 'exception';
    this.vector = vector;
    this.hasErrorCode = errorCode !== undefined;
    this.errorCode = errorCode ?? 0;
    this.address = 0n;
    return this;
  }
  pageFault(address: bigint, errorCode: number): this {
    this.exception(Vector.PF, errorCode);
    this.address = BigInt.asUintN(64, address);
    return this;
  }
}

/** Thrown after a VM exit (or entry) has replaced the processor's state: the instruction that was executing is over. */
export const STATE_REPLACED = Symbol('state replaced');
