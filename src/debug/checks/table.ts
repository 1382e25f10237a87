/** The run-time checks, one row each. A new one is a file beside this one and a row here. */
import { capabilityBits } from './capabilityBits';
import type { VmxCheck } from './check';
import { cpuidVmx } from './cpuidVmx';
import { eptAddress } from './eptAddress';
import { eptExecute } from './eptExecute';
import { eptMisconfiguration } from './eptMisconfiguration';
import { eptStale } from './eptStale';
import { errorUnread } from './errorUnread';
import { exitStorm } from './exitStorm';
import { guestRegisters } from './guestRegisters';
import { hostState } from './hostState';
import { launchOrResume } from './launchOrResume';
import { linearAddress } from './linearAddress';
import { memoryMap } from './memoryMap';
import { ripIsLength } from './ripIsLength';
import { ripNotAdvanced } from './ripNotAdvanced';
import { undefinedField } from './undefinedField';

export const CHECKS: readonly VmxCheck[] = [
  exitStorm,
  ripNotAdvanced,
  ripIsLength,
  guestRegisters,
  launchOrResume,
  errorUnread,
  capabilityBits,
  hostState,
  linearAddress,
  undefinedField,
  cpuidVmx,
  memoryMap,
  eptExecute,
  eptAddress,
  eptMisconfiguration,
  eptStale,
];
