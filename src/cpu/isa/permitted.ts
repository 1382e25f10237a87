/** Which of the instructions that can be forbidden, intercepted or watched generated code may execute at present. */
import { Offset } from '../state';
import type { Emitter } from './emitter';

/** Bits of the state word PERMITTED. */
export const Permitted = { RDTSC: 1, RDTSCP: 2, PAUSE: 4, SYSCALL: 8, SYSRET: 16, SWAPGS: 32, IRET: 64 } as const;

/** Leaves the instruction to TypeScript unless it is permitted. */
export const leaveUnless = (e: Emitter, bit: number): void => e.leave(e.stateWord(Offset.PERMITTED).and(bit).eqz());
