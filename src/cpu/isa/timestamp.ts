/** RDTSC, RDTSCP and PAUSE where nobody intercepts, scales or forbids them; the rest is TypeScript's. Kernels wait by them. */
import { Gpr, Offset } from '../state';
import type { Emitter, Semantics } from './emitter';
import { leaveUnless, Permitted } from './permitted';

const plain = (mnemonic: string, emit: (e: Emitter) => void): Semantics => ({ mnemonic, sizes: [1], forms: [''], sizeFrom: -2, emit });

function readTimestamp(e: Emitter): void {
  const tsc = e.let(e.clock().add(e.state().load('i64', 8, Offset.TSC_ADJUST)).add(e.state().load('i64', 8, Offset.GUEST_TSC_OFFSET)));
  e.setFixed(Gpr.RAX, tsc.and(0xffff_ffffn));
  e.setFixed(Gpr.RDX, tsc.shrU(32n));
}

export const timestampInstructions: readonly Semantics[] = [
  plain('rdtsc', (e) => {
    leaveUnless(e, Permitted.RDTSC);
    readTimestamp(e);
  }),
  plain('rdtscp', (e) => {
    leaveUnless(e, Permitted.RDTSCP);
    readTimestamp(e);
    e.setFixed(Gpr.RCX, e.stateWord(Offset.TSC_AUX).extendU());
  }),
  plain('pause', (e) => leaveUnless(e, Permitted.PAUSE)),
];
