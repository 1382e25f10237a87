/** Tells the client what a running machine does, slowly enough to cost nothing: instructions, speed, VM exits, and the VGA screen for who looks at it. */
import type { Scheduler } from '../debug/run/scheduler';
import type { Machine } from '../machine/machineInterface';
import type { Screen } from '../machine/screen';
import { toBase64 } from './memoryReference';
import { HyperstepEvent, type ActivityEvent, type ScreenResponse } from './messages';

/** Milliseconds between two events about a machine that runs. */
const PERIOD_MS = 500;
/** The screen is looked at this often, by who watches it. */
const SCREEN_PERIOD_MS = 100;

export const screenBody = ({ columns, rows, cells, cursor, blinks }: Screen): ScreenResponse => ({ columns, rows, cells: toBase64(cells), ...(cursor && { cursor }), blinks });

const same = (a: Screen, b: Screen): boolean => a.cursor?.row === b.cursor?.row && a.cursor?.column === b.cursor?.column && a.cells.every((cell, i) => cell === b.cells[i]);

export class Activity {
  private turn = 0;
  private screenTurn = 0;
  private told: ActivityEvent | undefined;
  private instructions = 0;
  private at = 0;
  private shown: Screen | undefined;
  private watchesScreen = false;
  private running = false;

  constructor(
    private readonly machine: Machine,
    private readonly scheduler: Scheduler,
    private readonly send: (event: string, body: unknown) => void,
  ) {}

  /** The machine runs. */
  started(): void {
    this.running = true;
    this.mark();
    const turn = ++this.turn;
    const again = (): void => {
      if (turn !== this.turn) return;
      this.tell();
      this.scheduler.soon(again, PERIOD_MS);
    };
    this.scheduler.soon(again, PERIOD_MS);
    if (this.watchesScreen) this.followScreen();
  }

  /** The machine stands: what it has done is told a last time. */
  stopped(): void {
    if (!this.running) return;
    this.running = false;
    this.turn++;
    this.screenTurn++;
    this.tell();
    if (this.watchesScreen) this.showScreen();
  }

  /** Nothing is told any more. */
  dispose(): void {
    this.running = false;
    this.turn++;
    this.screenTurn++;
  }

  /** Sends the screen from now on whenever it has changed, or no longer. */
  watchScreen(on: boolean): void {
    this.watchesScreen = on;
    this.shown = undefined;
    this.screenTurn++;
    if (on && this.running) this.followScreen();
  }

  private mark(): void {
    this.instructions = this.machine.instructions;
    this.at = this.scheduler.now();
  }

  private tell(): void {
    const { machine } = this;
    const { instructions } = machine;
    const milliseconds = this.scheduler.now() - this.at;
    // A machine that was put back to an earlier instant has done nothing less for it.
    const done = Math.max(0, instructions - this.instructions);
    const mips = milliseconds > 0 ? done / milliseconds / 1000 : 0;
    const exits = machine.vmx.reduce((sum, vmx) => sum + vmx.exits, 0);
    const body: ActivityEvent = { instructions, mips: Math.round(mips * 10) / 10, exits, idle: this.running && mips < 1 };
    this.mark();
    // A machine that waits has nothing new to tell.
    if (this.told && this.told.instructions === instructions && this.told.mips === body.mips) return;
    this.told = body;
    this.send(HyperstepEvent.activity, body);
  }

  private followScreen(): void {
    const turn = ++this.screenTurn;
    const again = (): void => {
      if (turn !== this.screenTurn) return;
      this.showScreen();
      this.scheduler.soon(again, SCREEN_PERIOD_MS);
    };
    again();
  }

  private showScreen(): void {
    const screen = this.machine.screen();
    if (this.shown && same(this.shown, screen)) return;
    this.shown = screen;
    this.send(HyperstepEvent.screen, screenBody(screen));
  }
}
