/** A PC with several processors that runs a program of test/fixtures/smp. */
import fs from 'node:fs';
import path from 'node:path';
import { readFlags } from '../../src/cpu/flags';
import { createMachine } from '../../src/machine/machine';
import type { Machine } from '../../src/machine/machineInterface';
import { STAGE1 } from './machinePrograms';

const PROGRAMS = JSON.parse(fs.readFileSync(path.join(__dirname, '../fixtures/smp/programs.json'), 'utf8')) as Record<string, string>;
const PROGRAM = 0x10_0000;
const RESULTS = 0x9100;

/** The machine, about to execute the program's first instruction on its first processor. */
export function smpMachine(program: string, cpus: number, without: string[] = []): Machine {
  const disk = new Uint8Array(16 * 512);
  disk.set(STAGE1);
  disk.set([0x55, 0xaa], 510);
  const machine = createMachine({ memory: 2 ** 21, cpus, without, drives: [{ name: 'disk', bytes: disk }], boot: { kind: 'disk' } });
  const [first] = machine.cpus;
  first!.setBreakpoints(new Set([BigInt(PROGRAM)]));
  if (machine.run(1e6) !== 'breakpoint') throw new Error('The boot sector did not come to its program.');
  first!.setBreakpoints(new Set());
  machine.writeMemory(PROGRAM, Buffer.from(PROGRAMS[program]!, 'base64'));
  return machine;
}

export const word = (machine: Machine, address: number): number => Buffer.from(machine.readMemory(address, 4)!).readUInt32LE();
/** The nth result of a program. */
export const result = (machine: Machine, n: number): number => word(machine, RESULTS + n * 4);

/** Everything architectural of every processor, and the low memory, as text to compare. */
export function wholeState(machine: Machine): string {
  const cpus = machine.cpus.map(({ state: s }) => [s.rip, readFlags(s), s.get32(0x420), ...Array.from({ length: 16 }, (_, n) => s.reg(n))].map((v) => v.toString(16)).join(' '));
  return [machine.icount, machine.instructions, ...cpus, Buffer.from(machine.readMemory(0x8000, 0x8000)!).toString('base64')].join('\n');
}
