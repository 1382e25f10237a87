/** Every instruction that TypeScript performs, by the decoder's mnemonic. A new one goes into the file of its group. */
import { Vector } from '../fault';
import { fpuOperations } from '../fpu/index';
import type { Processor, SlowOperation } from '../processor';
import { bmiOperations } from './bmiOperations';
import { controlOperations } from './controlOperations';
import { debugRegisterOperations } from './debugRegisters';
import { decimalOperations } from './decimalOperations';
import { fxsaveOperations } from './fxsave';
import { integerOperations } from './integerOperations';
import { ioOperations } from './ioOperations';
import { monitorOperations } from './monitorOperations';
import { msrOperations } from './msrOperations';
import { requireFeature, undefinedOpcode } from './privilege';
import { protectionKeyOperations } from './protectionKeys';
import { randomOperations } from './random';
import { segmentOperations } from './segmentOperations';
import { stackOperations } from './stackOperations';
import { stringOperations } from './stringOperations';
import { tableOperations } from './tableOperations';
import { transferOperations } from './transferOperations';
import { xsaveOperations } from './xsave';

/** VMX instructions: all their checks are VMX's own, but without the feature they do not exist. */
const VMX = ['vmxon', 'vmxoff', 'vmclear', 'vmptrld', 'vmptrst', 'vmread', 'vmwrite', 'vmlaunch', 'vmresume', 'vmcall', 'vmfunc', 'invept', 'invvpid'];
const vmxOperations: Record<string, SlowOperation> = Object.fromEntries(
  VMX.map((mnemonic): [string, SlowOperation] => [
    mnemonic,
    (cpu, insn) => {
      requireFeature(cpu, 'vmx');
      return cpu.intercepts.execute(mnemonic, insn);
    },
  ]),
);

/** #UD by definition, or because CPUID does not announce the feature: RSM outside SMM, GETSEC without SMX. */
const UNDEFINED = ['ud0', 'ud1', 'ud2', 'rsm', 'getsec'];
const undefinedOperations: Record<string, SlowOperation> = Object.fromEntries(UNDEFINED.map((mnemonic): [string, SlowOperation] => [mnemonic, (cpu: Processor) => undefinedOpcode(cpu)]));

/** What the decoder yields for bytes that are no instruction: #UD; longer than 15 bytes: #GP(0). */
const noInstruction: Record<string, SlowOperation> = {
  invalid: (cpu) => undefinedOpcode(cpu),
  too_long: (cpu) => {
    throw cpu.fault.exception(Vector.GP, 0);
  },
};

export const slowOperations: Record<string, SlowOperation> = {
  ...noInstruction,
  ...segmentOperations,
  ...tableOperations,
  ...controlOperations,
  ...debugRegisterOperations,
  ...transferOperations,
  ...stackOperations,
  ...stringOperations,
  ...ioOperations,
  ...monitorOperations,
  ...msrOperations,
  ...decimalOperations,
  ...integerOperations,
  ...bmiOperations,
  ...fpuOperations,
  ...fxsaveOperations,
  ...xsaveOperations,
  ...randomOperations,
  ...protectionKeyOperations,
  ...vmxOperations,
  ...undefinedOperations,
};
