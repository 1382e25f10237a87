/** What the firmware does to the floppy disk controller before anything boots: software that does not reset it finds it ready. */
import type { FloppyController } from '../devices/floppyController';

const OUTPUT = 0x3f2;
const DATA = 0x3f5;
const RUNS = 0x04;
const RUNS_WITH_INTERRUPTS = 0x0c;
const SENSE_INTERRUPT = 0x08;
const SPECIFY = 0x03;
/** Each has to be asked once after a reset. */
const DRIVES = 4;

/** `times` are SPECIFY's two bytes, as the diskette parameters have them. */
export function setUpFloppies(controller: FloppyController, times: readonly [number, number]): void {
  controller.writePort(OUTPUT, RUNS);
  for (let n = 0; n < DRIVES; n++) {
    controller.writePort(DATA, SENSE_INTERRUPT);
    for (let byte = 0; byte < 2; byte++) controller.readPort(DATA);
  }
  for (const byte of [SPECIFY, ...times]) controller.writePort(DATA, byte);
  controller.writePort(OUTPUT, RUNS_WITH_INTERRUPTS);
}
