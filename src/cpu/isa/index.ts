/** The hot instruction set: everything that runs as generated code. The rest is in ../system. */
import { arithmetic } from './arithmetic';
import { avxMoves } from './avxMove';
import { bitInstructions } from './bits';
import { bmiInstructions } from './bmi';
import { branches } from './branch';
import { type Semantics } from './emitter';
import { exchanges } from './exchange';
import { flagInstructions } from './flagInstructions';
import { interruptReturns } from './interruptReturn';
import { moves } from './move';
import { multiplyAndDivide } from './multiply';
import { ports } from './port';
import { segmentLoads } from './segmentLoad';
import { shiftsAndRotates } from './shift';
import { sseArithmetic } from './sseArithmetic';
import { sseConversions } from './sseConvert';
import { sseIntegers } from './sseInteger';
import { sseMoves } from './sseMove';
import { sseShuffles } from './sseShuffle';
import { stackInstructions } from './stack';
import { strings } from './strings';
import { systemCalls } from './systemCalls';
import { timestampInstructions } from './timestamp';
import { translationInstructions } from './translations';
import { vmcsInstructions } from './vmcs';

export const instructionSet: readonly Semantics[] = [
  ...arithmetic,
  ...moves,
  ...shiftsAndRotates,
  ...multiplyAndDivide,
  ...stackInstructions,
  ...branches,
  ...bitInstructions,
  ...bmiInstructions,
  ...exchanges,
  ...flagInstructions,
  ...ports,
  ...timestampInstructions,
  ...translationInstructions,
  ...systemCalls,
  ...interruptReturns,
  ...segmentLoads,
  ...strings,
  ...vmcsInstructions,
  ...sseMoves,
  ...sseIntegers,
  ...sseShuffles,
  ...sseArithmetic,
  ...sseConversions,
  ...avxMoves,
];
