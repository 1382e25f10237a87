/** A handler relies on an exit-information field that the exit's reason leaves undefined (SDM volume 3, "VM-Exit Information Fields"). */
import { Encoding, exitReason, fieldOf } from '../../vmx/tables';
import type { ExitRecord } from '../../vmx/observe';
import type { VmxCheck } from './check';

/** Interruption and IDT-vectoring information: valid, with an error code. */
const VALID_WITH_ERROR = 0x8000_0800n;
/** Exits of one reason that are watched: what a handler does wrong it does from the beginning, and watching makes VMREAD slow. */
const WATCHED = 8;

type ReadField = (encoding: number) => bigint;

/** Encoding -> whether the field means something after an exit. Fields that are not here always do. */
const DEFINED: ReadonlyMap<number, (record: ExitRecord, read: ReadField) => boolean> = new Map([
  // Hardware gives EPT misconfigurations a length although the SDM does not promise one, and VMMs use it.
  [Encoding.VM_EXIT_INSTRUCTION_LENGTH, (r: ExitRecord) => r.instructionLength > 0 || exitReason(r.reason)?.hasInstructionLength !== false || r.name === 'EPT_MISCONFIGURATION'],
  [Encoding.VM_EXIT_INSTRUCTION_INFO, (r: ExitRecord) => exitReason(r.reason)?.hasInstructionInfo !== false],
  [Encoding.GUEST_LINEAR_ADDRESS, (r: ExitRecord) => r.linear !== undefined && exitReason(r.reason)?.hasLinear !== false],
  [Encoding.GUEST_PHYSICAL_ADDRESS, (r: ExitRecord) => r.gpa !== undefined],
  [Encoding.VM_EXIT_INTERRUPTION_ERROR_CODE, (_: ExitRecord, read: ReadField) => (read(Encoding.VM_EXIT_INTERRUPTION_INFO) & VALID_WITH_ERROR) === VALID_WITH_ERROR],
  [Encoding.IDT_VECTORING_ERROR_CODE, (_: ExitRecord, read: ReadField) => (read(Encoding.IDT_VECTORING_INFO) & VALID_WITH_ERROR) === VALID_WITH_ERROR],
]);

export const undefinedField: VmxCheck = {
  id: 'undefined-field',
  title: 'Undefined exit information',
  sentence: 'A handler reads an exit-information field that the exit\'s reason leaves undefined, and resumes the guest.',
  watch({ target, trip, report, field, place, watchReads }) {
    let read: { encoding: number; rip: bigint }[] = [];
    let watched = new Map<number, number>();
    let watching = false;
    return {
      exit({ reason }) {
        if (read.length > 0) read = [];
        const times = watched.get(reason) ?? 0;
        const watches = times < WATCHED;
        if (watches) watched.set(reason, times + 1);
        if (watches !== watching) watchReads((watching = watches));
      },
      fieldRead(encoding) {
        // High halves are odd encodings.
        const defined = DEFINED.get(encoding & ~1);
        const { exit } = trip;
        if (defined && exit && !defined(exit, field) && !read.some((r) => r.encoding === (encoding & ~1))) read.push({ encoding: encoding & ~1, rip: target.cpu.instructionRip });
      },
      entry() {
        if (read.length === 0) return;
        const [first] = read;
        const collects = read.length > 1;
        read = [];
        const { exit } = trip;
        // A VMM that reads several of them collects whatever there is, before it looks at the reason.
        if (!first || !exit || collects) return;
        // The length alone may be collected as well; who uses it writes GUEST_RIP.
        if (first.encoding === Encoding.VM_EXIT_INSTRUCTION_LENGTH && (target.vmx.fieldWriter(Encoding.GUEST_RIP)?.icount ?? 0) < exit.icount) return;
        const name = fieldOf(first.encoding)!.name;
        report(
          'entry',
          `${exit.reason} ${name}`,
          `After VM exit ${exit.n} (${exit.name}) the VMM has read ${name} at ${place(first.rip)}, but this exit leaves that field undefined: it holds what happens to be there.`,
        );
      },
      reset() {
        read = [];
        watched = new Map();
        watchReads((watching = false));
      },
    };
  },
};
