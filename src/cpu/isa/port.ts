/** IN and OUT where nothing can object: at CPL 0 of protected mode, outside VMX non-root operation. TypeScript does the rest. */
import { Offset } from '../state';
import { type Emitter, type Semantics } from './emitter';

const WIDTHS = [1, 2, 4] as const;
const CR0_PE = 1;
const NON_ROOT = 2;

function leaveUnlessFree(e: Emitter): void {
  e.leave(e.stateWord(Offset.CPL).or(e.stateWord(Offset.VMX_MODE).and(NON_ROOT)).or(e.stateWord(Offset.CR0).not().and(CR0_PE)));
}

/** The port is DX or an immediate byte. */
export const ports: Semantics[] = [
  {
    mnemonic: 'in',
    sizes: WIDTHS,
    forms: ['rr', 'ri'],
    emit(e) {
      leaveUnlessFree(e);
      e.write(0, e.portIn(e.read(1, 2)));
    },
  },
  {
    mnemonic: 'out',
    sizes: WIDTHS,
    forms: ['rr', 'ir'],
    sizeFrom: 1,
    emit(e) {
      leaveUnlessFree(e);
      e.portOut(e.read(0, 2), e.read(1));
    },
  },
];
