/** PUSH, POP, LEAVE. The stack's width is that of the code in 64-bit mode (variant 1), else that of SS. */
import { Gpr } from '../state';
import { type Semantics, stacked } from './emitter';

export const stackInstructions: Semantics[] = [
  ...stacked({ mnemonic: 'push', forms: ['r', 'm', 'i'], emit: (e) => e.push(e.read(0)) }),
  ...stacked({
    mnemonic: 'pop',
    forms: ['r'],
    emit(e) {
      const v = e.top();
      e.dropStack(e.size); // before the write: POP rSP loads the value popped
      e.write(0, v);
    },
  }),
  ...stacked({
    mnemonic: 'leave',
    forms: [''],
    emit(e) {
      const frame = e.let(e.fixed(Gpr.RBP));
      const v = e.load(e.let(e.stackLinear(frame, e.size, false)), e.size);
      if (e.longStack) {
        e.setFixed(Gpr.RSP, frame.add(e.size));
      } else {
        const mask = e.let(e.stackMask());
        e.setFixed(Gpr.RSP, e.let(e.fixed(Gpr.RSP).and(mask.not()).or(frame.add(e.size).and(mask))));
      }
      e.setFixedPart(Gpr.RBP, v);
    },
  }),
];
