/** FINIT, FCLEX, FLDCW, FSTCW, FSTSW, FLDENV, FSTENV, FSAVE, FRSTOR, FFREE, FINCSTP, FDECSTP, FNOP, FWAIT. */
import { Cr0 } from '../controlBits';
import { Vector } from '../fault';
import type { SlowOperation } from '../processor';
import { requireFeature } from '../system/privilege';
import { writeOperand } from '../system/operands';
import { environmentSize, initialize, loadEnvironment, storeEnvironment } from './environment';
import { begin, checkAvailable, reportPending, settle, simple } from './frame';
import { loadAt, loadRegister, pack80, probeStore, storeRegister, unpack80 } from './memoryOperand';
import { controlWord, physical, pop, readStack, setControlWord, setStatusWord, setTagBits, setTop, statusWord, tagBits, top, writeRegister } from './registers';
import { EXCEPTIONS, Status } from './statusWord';

const REGISTER_SIZE = 10;
const CLEARED = EXCEPTIONS | Status.STACK_FAULT | Status.SUMMARY | Status.BUSY;

const free: SlowOperation = simple((cpu, insn) => {
  const s = cpu.state;
  setTagBits(s, tagBits(s) & ~(1 << physical(s, insn.operands[0].number)));
});

/** FNENI, FNDISI and FNSETPM: no-operations since the 80387 and 80287. */
const obsolete: SlowOperation = (cpu) => checkAvailable(cpu);

export const controlOperations: Record<string, SlowOperation> = {
  fninit(cpu) {
    checkAvailable(cpu);
    initialize(cpu.state);
  },
  fnclex(cpu) {
    checkAvailable(cpu);
    setStatusWord(cpu.state, statusWord(cpu.state) & ~CLEARED);
  },
  fldcw(cpu, insn) {
    checkAvailable(cpu);
    reportPending(cpu);
    setControlWord(cpu.state, Number(loadAt(cpu, insn, 0, 2)));
  },
  fnstcw(cpu, insn) {
    checkAvailable(cpu);
    writeOperand(cpu, insn, 0, BigInt(controlWord(cpu.state)), 2);
  },
  fnstsw(cpu, insn) {
    checkAvailable(cpu);
    writeOperand(cpu, insn, 0, BigInt(statusWord(cpu.state)), 2);
  },
  fldenv(cpu, insn) {
    checkAvailable(cpu);
    reportPending(cpu);
    loadEnvironment(cpu, insn)();
  },
  fnstenv(cpu, insn) {
    checkAvailable(cpu);
    probeStore(cpu, insn, environmentSize(insn));
    storeEnvironment(cpu, insn);
    // All exceptions are masked after the environment is saved.
    setControlWord(cpu.state, controlWord(cpu.state) | EXCEPTIONS);
  },
  fnsave(cpu, insn) {
    checkAvailable(cpu);
    const s = cpu.state;
    const registers = environmentSize(insn);
    probeStore(cpu, insn, registers + 8 * REGISTER_SIZE);
    storeEnvironment(cpu, insn);
    for (let i = 0; i < 8; i++) {
      storeRegister(cpu, insn, registers + i * REGISTER_SIZE, pack80(readStack(s, i)));
    }
    initialize(s);
  },
  frstor(cpu, insn) {
    checkAvailable(cpu);
    reportPending(cpu);
    const s = cpu.state;
    const install = loadEnvironment(cpu, insn);
    const registers = environmentSize(insn);
    const values = Array.from({ length: 8 }, (_, i) => unpack80(loadRegister(cpu, insn, registers + i * REGISTER_SIZE)));
    install();
    values.forEach((value, i) => writeRegister(s, physical(s, i), value));
  },
  ffree: free,
  /** Undocumented: FFREE, then a pop. */
  ffreep: simple((cpu, insn) => {
    const s = cpu.state;
    setTagBits(s, tagBits(s) & ~(1 << physical(s, insn.operands[0].number)));
    pop(s);
  }),
  fincstp: simple((cpu) => setTop(cpu.state, top(cpu.state) + 1)),
  fdecstp: simple((cpu) => setTop(cpu.state, top(cpu.state) - 1)),
  fnop(cpu, insn) {
    const env = begin(cpu);
    env.keepsC1 = true;
    settle(cpu, insn, env);
  },
  fneni: obsolete,
  fndisi: obsolete,
  fnsetpm: obsolete,
  /** WAIT asks for MP and TS together: the one instruction that CR0.EM does not concern. */
  fwait(cpu) {
    requireFeature(cpu, 'fpu');
    const wanted = Cr0.MP | Cr0.TS;
    if ((cpu.state.cr0 & wanted) === wanted) throw cpu.fault.exception(Vector.NM);
    reportPending(cpu);
  },
};
