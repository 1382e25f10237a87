/** The x87 and MMX instructions, by the decoder's mnemonic. A new one goes into the file of its group. */
import type { SlowOperation } from '../processor';
import { arithmeticOperations } from './arithmeticOperations';
import { compareOperations } from './compareOperations';
import { constantOperations } from './constantOperations';
import { controlOperations } from './controlOperations';
import { loadStoreOperations } from './loadStoreOperations';
import { mmxOperations } from './mmxOperations';
import { remainderOperations } from './remainderOperations';
import { scaleOperations } from './scaleOperations';
import { transcendentalOperations } from './transcendentalOperations';

export const fpuOperations: Record<string, SlowOperation> = {
  ...loadStoreOperations,
  ...arithmeticOperations,
  ...compareOperations,
  ...constantOperations,
  ...controlOperations,
  ...remainderOperations,
  ...scaleOperations,
  ...transcendentalOperations,
  ...mmxOperations,
};
