/** INVLPG where nothing can object: at CPL 0 of 64-bit code outside VMX non-root operation. TypeScript does the rest. */
import { Offset } from '../state';
import type { Semantics } from './emitter';

const NON_ROOT = 2;

export const translationInstructions: readonly Semantics[] = [
  {
    mnemonic: 'invlpg',
    sizes: [1],
    forms: ['m'],
    sizeFrom: -2,
    variant: 'stack',
    variants: [1],
    emit(e) {
      e.leave(e.stateWord(Offset.CPL).or(e.stateWord(Offset.VMX_MODE).and(NON_ROOT)));
      e.invalidatePage(e.let(e.address()));
    },
  },
];
