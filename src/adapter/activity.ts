/** Tells the client what a running machine does, slowly enough to cost nothing: instructions, speed, VM exits, and the VGA screen or picture for who looks at it. */
import type { Scheduler } from '../debug/run/scheduler';
import type { Machine } from '../machine/machineInterface';
import type { PictureMode } from '../machine/devices/display';
import type { Screen } from '../machine/screen';
import { toBase64 } from './memoryReference';
import { HyperstepEvent, type ActivityEvent, type PictureResponse, type ScreenResponse } from './messages';
import { PictureChanges } from './pictureChanges';
import { Repetition } from './repetition';

/** Milliseconds between two events about a machine that runs. */
const PERIOD_MS = 500;
/** The screen is looked at this often, by who watches it. */
const SCREEN_PERIOD_MS = 100;
/** And a picture, which is a thousand times as much. */
const PICTURE_PERIOD_MS = 250;
/** A large picture is looked at so seldom that this share of the time goes to it, at most. */
const PICTURE_SHARE = 0.1;

export const screenBody = ({ columns, rows, cells, cursor, blinks, picture }: Screen): ScreenResponse => ({ columns, rows, cells: toBase64(cells), ...(cursor && { cursor }), blinks, ...(picture && { picture }) });

const sameMode = (a: PictureMode | undefined, b: PictureMode | undefined): boolean => a?.width === b?.width && a?.height === b?.height && a?.words === b?.words;

const same = (a: Screen, b: Screen): boolean => a.cursor?.row === b.cursor?.row && a.cursor?.column === b.cursor?.column && sameMode(a.picture, b.picture) && a.cells.every((cell, i) => cell === b.cells[i]);

export class Activity {
  private readonly telling: Repetition;
  private readonly followingScreen: Repetition;
  private readonly followingPicture: Repetition;
  private told: ActivityEvent | undefined;
  private instructions = 0;
  private at = 0;
  private shown: Screen | undefined;
  private watchesScreen = false;
  /** Who watches the picture has this of it; undefined while nobody does. */
  private pictures: PictureChanges | undefined;
  private running = false;

  constructor(
    private readonly machine: Machine,
    private readonly scheduler: Scheduler,
    private readonly send: (event: string, body: unknown) => void,
  ) {
    this.telling = new Repetition(scheduler, PERIOD_MS, () => this.tell());
    this.followingScreen = new Repetition(scheduler, SCREEN_PERIOD_MS, () => this.showScreen());
    this.followingPicture = new Repetition(scheduler, PICTURE_PERIOD_MS, () => {
      const begin = scheduler.now();
      this.showPicture();
      return Math.max(PICTURE_PERIOD_MS, (scheduler.now() - begin) / PICTURE_SHARE);
    });
  }

  /** The machine runs. */
  started(): void {
    this.running = true;
    this.mark();
    this.telling.start();
    if (this.watchesScreen) this.followingScreen.start(true);
    if (this.pictures) this.followingPicture.start();
  }

  /** The machine stands: what it has done is told a last time. */
  stopped(): void {
    if (!this.running) return;
    this.dispose();
    this.tell();
    if (this.watchesScreen) this.showScreen();
    this.showPicture();
  }

  /** Nothing is told any more. */
  dispose(): void {
    this.running = false;
    for (const repetition of [this.telling, this.followingScreen, this.followingPicture]) repetition.stop();
  }

  /** Sends the screen from now on whenever it has changed, or no longer. */
  watchScreen(on: boolean): void {
    this.watchesScreen = on;
    this.shown = undefined;
    this.followingScreen.stop();
    if (on && this.running) this.followingScreen.start(true);
  }

  /** The whole picture; it is sent from now on whenever it has changed, or no longer, where `live` says so. */
  picture(live: boolean | undefined): PictureResponse {
    const pictures = new PictureChanges(this.machine);
    const now = pictures.changed() ?? {};
    if (live === undefined) return now;
    this.pictures = live ? pictures : undefined;
    this.followingPicture.stop();
    if (live && this.running) this.followingPicture.start();
    return now;
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

  private showScreen(): void {
    const screen = this.machine.screen();
    if (this.shown && same(this.shown, screen)) return;
    this.shown = screen;
    this.send(HyperstepEvent.screen, screenBody(screen));
  }

  private showPicture(): void {
    const body = this.pictures?.changed();
    if (body) this.send(HyperstepEvent.picture, body);
  }
}
