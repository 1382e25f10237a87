/** VS Code's window as a person uses it: keys, clicks, and what can be read on the screen. Every wait is bounded. */
import fs from 'node:fs';
import path from 'node:path';
import { chromium, type Browser, type Locator, type Page } from 'playwright-core';
import { OUT } from './server';

const CHROMIUM_OPTIONS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'];
/** For things that only need VS Code to redraw. */
const SOON_MS = 60_000;
/** For things that start a process: the workbench itself, an extension host, the machine. */
const START_MS = 120_000;
/** A key without effect for so long has been lost. */
const LOST_KEY_MS = 15_000;

export class Workbench {
  readonly #log: string[] = [];

  private constructor(
    readonly browser: Browser,
    readonly page: Page,
    /** Prefix of screenshots. */
    readonly name: string,
  ) {
    page.on('console', (message) => this.#log.push(`[${message.type()}] ${message.text()}`));
    page.on('pageerror', (error) => this.#log.push(`[pageerror] ${error}`));
    page.setDefaultTimeout(SOON_MS);
  }

  /** Opens a folder in a browser of its own. */
  static async open(url: string, folder: string, name: string): Promise<Workbench> {
    const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
    const browser = await chromium.launch({ executablePath, args: CHROMIUM_OPTIONS, timeout: START_MS });
    const page = await browser.newPage({ viewport: { width: 1600, height: 1200 } });
    const workbench = new Workbench(browser, page, name);
    await page.goto(`${url}/?folder=${encodeURIComponent(folder)}`, { waitUntil: 'domcontentloaded', timeout: START_MS });
    await page.waitForSelector('.explorer-folders-view .monaco-list-row', { timeout: START_MS });
    return workbench;
  }

  /** Takes a picture and closes; the page's console goes to a log file. */
  async close(): Promise<void> {
    fs.writeFileSync(path.join(OUT, `${this.name}-console.log`), this.#log.join('\n'));
    await this.browser.close();
  }

  async screenshot(name: string): Promise<void> {
    await this.page.screenshot({ path: path.join(OUT, `${this.name}-${name}.png`) }).catch(() => undefined);
  }

  async press(keys: string): Promise<void> {
    await this.page.keyboard.press(keys);
  }

  /** Runs a command by its title in the command palette, and answers what it asks. */
  async command(title: string, answer?: string): Promise<void> {
    await this.startCommand(title);
    if (answer === undefined) await this.page.waitForSelector('.quick-input-widget', { state: 'hidden' });
    else await this.answer(answer);
  }

  /** Runs a command from the palette, whatever it opens then. */
  private async startCommand(title: string): Promise<void> {
    await this.#pick('F1', `>${title}`, title.replace(/^.*: /, ''));
  }

  /** Opens a file by its name in Go to File. */
  async openFile(name: string): Promise<void> {
    await this.#pick('Control+P', name, path.basename(name));
    await this.page.locator('.tab', { hasText: path.basename(name) }).waitFor();
  }

  /** Opens VS Code's box for commands or files by a key, types, and takes the row that shows the text. */
  async #pick(key: string, typed: string, row: string): Promise<void> {
    const input = this.page.locator('.quick-input-widget input').first();
    // The list changes while it searches: Enter takes the row that is selected then.
    const selected = this.page.locator('.quick-input-list .monaco-list-row.focused', { hasText: row }).first();
    const shows = (element: Locator): Promise<boolean> => element.waitFor({ timeout: LOST_KEY_MS }).then(() => true, () => false);
    await this.until(`"${row}" selected in the box of ${key}`, async () => {
      await this.press(key);
      // The box closes when something that opens meanwhile, as a session does that starts, takes the focus.
      if ((await shows(input)) && (await input.fill(typed, { timeout: LOST_KEY_MS }).then(() => true, () => false)) && (await shows(selected))) return true;
      await this.press('Escape');
      return undefined;
    }, START_MS);
    await this.press('Enter');
  }

  /** Waits until the active editor's tab is that of a file. */
  async showsFile(name: string): Promise<void> {
    const seen = async (): Promise<string> => (await this.page.locator('.editor-group-container.active .tab.active').first().getAttribute('data-resource-name')) ?? '';
    await this.until(`${name} in the active editor`, async () => (await seen()) === name || undefined, SOON_MS, seen);
  }

  /** Steps by a key, and waits until the call stack's first row is another place, and stays. */
  async step(key: string): Promise<void> {
    const top = async (): Promise<string | undefined> => (await this.rows('.debug-call-stack'))[0];
    const before = await top();
    let pressed = 0;
    let last: string | undefined;
    await this.until('another place in the call stack', async () => {
      // A key that comes while VS Code still works at the stop before can be lost.
      if (Date.now() - pressed > LOST_KEY_MS) {
        pressed = Date.now();
        await this.press(key);
      }
      const now = await top();
      const stays = now !== undefined && now !== before && now === last && /\d+:\d+$/.test(now);
      last = now;
      return stays || undefined;
    }, START_MS, async () => JSON.stringify(await this.rows('.debug-call-stack')));
  }

  /** Text of the line that the debugger highlights as the current one, once it stays. Values of variables may stand behind it. */
  async currentLine(): Promise<string> {
    // While another file opens, its lines can already be there and the highlight still be where it was.
    let last: string | undefined;
    return this.until('a highlighted line', async () => {
      const text = await this.#highlighted();
      const stays = text !== undefined && text === last;
      last = text;
      return stays ? text : undefined;
    }, START_MS);
  }

  async #highlighted(): Promise<string | undefined> {
    // The highlight is a decoration laid under the text: the line of text at the same height is the one.
    return this.page.evaluate(() => {
      const mark = document.querySelector('.debug-top-stack-frame-line');
      const row = mark?.closest<HTMLElement>('.view-overlays > div');
      const lines = Array.from(document.querySelectorAll<HTMLElement>('.editor-group-container.active .view-lines .view-line'));
      const line = row && lines.find(({ style }) => style.top === row.style.top);
      // The editor shows blanks as other characters than blanks, and marks of no width beside decorations.
      return line?.textContent?.replace(/[^\x21-\x7e]+/g, ' ').trim();
    });
  }

  /** The visible rows of a list or tree from top to bottom: the parts of each with a blank between them. */
  async rows(container: string): Promise<string[]> {
    return this.page.$$eval(`${container} .monaco-list-row`, (rows) =>
      rows
        .map((row) => {
          const parts: string[] = [];
          const texts = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
          while (texts.nextNode()) parts.push(texts.currentNode.textContent ?? '');
          return { top: parseFloat((row as HTMLElement).style.top), text: parts.join(' ').replace(/\s+/g, ' ').trim() };
        })
        .sort((a, b) => a.top - b.top)
        .map(({ text }) => text),
    );
  }

  /** Waits until a screen reader would say of a row what matches. */
  async spoken(container: string, pattern: RegExp): Promise<void> {
    const labels = (): Promise<string[]> => this.page.$$eval(`${container} .monaco-list-row`, (rows) => rows.map((row) => row.getAttribute('aria-label') ?? ''));
    await this.until(`a row that is read like ${pattern}`, async () => (await labels()).some((label) => pattern.test(label)) || undefined, SOON_MS, async () => JSON.stringify(await labels()));
  }

  /** Waits until one row of the list or tree matches, and gives its text. */
  async row(container: string, pattern: RegExp): Promise<string> {
    return this.until(`a row like ${pattern} in ${container}`, async () => (await this.rows(container)).find((text) => pattern.test(text)), SOON_MS, async () =>
      JSON.stringify(await this.rows(container)),
    );
  }

  /** Opens a row of a tree, if it is collapsed. */
  async expand(container: string, text: string): Promise<void> {
    await this.#toggle(container, text, 'true');
  }

  /** Folds a row of a tree, if it is open. */
  async collapse(container: string, text: string): Promise<void> {
    await this.#toggle(container, text, 'false');
  }

  async #toggle(container: string, text: string, expanded: 'true' | 'false'): Promise<void> {
    const row = this.page.locator(`${container} .monaco-list-row`, { hasText: text }).first();
    const isSo = async (): Promise<boolean> => (await row.getAttribute('aria-expanded', { timeout: 5000 }).catch(() => null)) === expanded;
    await this.until(`${text} ${expanded === 'true' ? 'open' : 'folded'}`, async () => {
      if (!(await row.isVisible())) await this.scrollTo(container, new RegExp(text));
      if (!(await isSo())) await row.locator('.monaco-tl-twistie').click({ timeout: 5000 }).catch(() => undefined);
      // A stop that has just come draws the rows anew, folded or not as it finds them.
      await this.page.waitForTimeout(300);
      return (await isSo()) || undefined;
    }, SOON_MS, async () => JSON.stringify(await this.rows(container)));
  }

  /** Ticks, or clears, the box of a row. */
  async tick(container: string, pattern: RegExp, on = true): Promise<void> {
    const row = this.page.locator(`${container} .monaco-list-row`, { hasText: pattern }).first();
    await row.scrollIntoViewIfNeeded();
    await row.locator('input[type=checkbox], .monaco-custom-toggle').first().setChecked(on);
  }

  /** Waits until a row has its tick, or has none. */
  async ticked(container: string, pattern: RegExp, on: boolean): Promise<void> {
    const box = this.page.locator(`${container} .monaco-list-row`, { hasText: pattern }).first().locator('input[type=checkbox], .monaco-custom-toggle').first();
    await this.until(on ? 'a tick' : 'no tick', async () => (await box.isChecked()) === on || undefined);
  }

  /** Starts debugging; right after the window has opened VS Code does not know the extension yet, and takes no F5. */
  async debug(): Promise<void> {
    // The item of the status bar is there as long as a session.
    const session = this.page.locator('.statusbar-item[id="hyperstep.hyperstep.hyperstep.activity"], .statusbar-item:has-text("instructions")').first();
    await this.until('a debug session', async () => {
      await this.press('F5');
      return session.waitFor({ timeout: START_MS / 8 }).then(() => true, () => undefined);
    }, START_MS);
  }

  /** Clicks a row. */
  async click(container: string, pattern: RegExp): Promise<void> {
    await this.page.locator(`${container} .monaco-list-row`, { hasText: new RegExp(pattern.source.replace(/^\^/, ''), pattern.flags) }).first().click();
  }

  /** Gives an exception breakpoint a condition. */
  async editCondition(container: string, pattern: RegExp, condition: string): Promise<void> {
    const row = this.page.locator(`${container} .monaco-list-row`, { hasText: pattern }).first();
    await row.scrollIntoViewIfNeeded();
    await this.contextMenu(container, pattern, 'Edit Condition');
    await this.until('the box for the condition', async () => (await this.page.evaluate(() => document.activeElement?.getAttribute('aria-label')))?.includes('condition') || undefined);
    await this.page.keyboard.type(condition, { delay: 5 });
    await this.press('Enter');
  }

  /** Types into the input box that a command has opened, in place of what is there. */
  async answer(text: string): Promise<void> {
    // The palette closes first; the box of the command has a title.
    await this.page.waitForSelector('.quick-input-widget .quick-input-titlebar:visible');
    await this.press('Control+A');
    await this.press('Delete');
    await this.page.keyboard.type(text, { delay: 5 });
    await this.press('Enter');
    await this.page.waitForSelector('.quick-input-widget', { state: 'hidden' });
  }

  /** Names a folder in the file dialog that a command opens. */
  async chooseFolder(commandTitle: string, folder: string, button: string): Promise<void> {
    await this.startCommand(commandTitle);
    const accept = this.page.locator('.quick-input-widget .quick-input-action a', { hasText: button });
    await accept.waitFor();
    const input = this.page.locator('.quick-input-widget input').first();
    // The dialog completes what is typed from folders that it reads meanwhile.
    await this.until(`${folder} in the dialog`, async () => {
      if ((await input.inputValue()) !== folder) await input.fill(folder);
      await this.page.waitForTimeout(500);
      return (await input.inputValue()) === folder || undefined;
    }, SOON_MS, () => input.inputValue());
    await accept.click();
    await this.page.waitForSelector('.quick-input-widget', { state: 'hidden' });
  }

  /** Evaluates in the Debug Console, which is in front. */
  async evaluate(expression: string): Promise<void> {
    await this.page.locator('.repl-input-wrapper .monaco-editor').first().click();
    await this.page.keyboard.type(expression, { delay: 5 });
    // Suggestions would take the Enter key.
    await this.press('Escape');
    await this.press('Enter');
  }

  /** Waits until the Debug Console shows the text. */
  async consoleShows(pattern: RegExp): Promise<void> {
    const seen = async (): Promise<string> => (await this.page.$$eval('.repl .monaco-list-row', (rows) => rows.map((row) => row.textContent ?? ''))).join('\n').replaceAll('\u00a0', ' ');
    await this.until(`${pattern} in the Debug Console`, async () => pattern.test(await seen()) || undefined, SOON_MS, seen);
  }

  /** Waits until the box below the current line, which tells of an exception, matches. */
  async exceptionShows(pattern: RegExp): Promise<void> {
    const seen = async (): Promise<string> => (await this.page.locator('.exception-widget').allInnerTexts()).join('\n').replaceAll('\u00a0', ' ');
    await this.until(`an exception like ${pattern}`, async () => pattern.test(await seen()) || undefined, SOON_MS, seen);
  }

  /** Waits for a dialog whose sentence matches, and presses one of its buttons. */
  async answerDialog(pattern: RegExp, button: string): Promise<void> {
    const seen = async (): Promise<string> => (await this.page.locator('.monaco-dialog-box').allInnerTexts()).join('\n').replaceAll('\u00a0', ' ');
    await this.until(`a dialog like ${pattern}`, async () => pattern.test(await seen()) || undefined, START_MS, seen);
    await this.page.locator('.monaco-dialog-box .monaco-button', { hasText: button }).first().click();
  }

  /** Waits until a notification matches. */
  async notification(pattern: RegExp): Promise<string> {
    const seen = async (): Promise<string[]> => this.page.$$eval('.notification-list-item-message', (items) => items.map((item) => item.textContent ?? ''));
    return this.until(`a notification like ${pattern}`, async () => (await seen()).find((text) => pattern.test(text)), SOON_MS, async () => JSON.stringify(await seen()));
  }

  /** Waits until an item of the status bar matches. */
  async statusBar(pattern: RegExp): Promise<string> {
    return this.until(`${pattern} in the status bar`, async () => (await this.page.$$eval('.statusbar-item', (items) => items.map((item) => item.textContent ?? ''))).find((text) => pattern.test(text)));
  }

  /** Scrolls a tree from its top down until a row matches: rows that are not seen do not exist. */
  async scrollTo(container: string, pattern: RegExp): Promise<void> {
    await this.page.locator(`${container} .monaco-list`).first().focus();
    await this.page.keyboard.press('Home');
    // A hover of a row would take the wheel's turns.
    await this.page.locator(container).first().hover({ position: { x: 4, y: 60 } });
    await this.until(`a row like ${pattern}`, async () => {
      await this.page.waitForTimeout(150);
      if ((await this.rows(container)).some((text) => pattern.test(text))) return true;
      await this.page.mouse.wheel(0, 200);
      return undefined;
    }, SOON_MS, async () => JSON.stringify(await this.rows(container)));
  }

  /** Chooses an item of a row's context menu. */
  async contextMenu(container: string, pattern: RegExp, item: string): Promise<void> {
    await this.page.locator(`${container} .monaco-list-row`, { hasText: pattern }).first().click({ button: 'right' });
    const choice = this.page.locator('.monaco-menu .action-item', { hasText: item }).first();
    await choice.hover();
    // A menu takes no click right after it has opened, so that the one that opened it does not count.
    await this.page.waitForTimeout(300);
    await choice.click();
    await choice.waitFor({ state: 'hidden' });
  }

  /** Waits for a squiggle in the editor. */
  async marked(severity: 'error' | 'warning'): Promise<void> {
    await this.page.waitForSelector(`.squiggly-${severity}`, { timeout: START_MS });
  }

  /** Holds the mouse over a word in the editor until what appears matches. */
  async hoverShows(word: string, pattern: RegExp): Promise<void> {
    const target = this.page.locator('.view-lines .view-line span span', { hasText: word }).last();
    const seen = async (): Promise<string> => (await this.page.locator('.monaco-hover:visible').allInnerTexts()).join('\n').replaceAll('\u00a0', ' ');
    await target.hover();
    await this.until(`a hover like ${pattern}`, async () => pattern.test(await seen()) || undefined, START_MS, seen);
  }

  /** Opens a view's pane in the side bar by its title, and yields a selector for its body. */
  async pane(title: string): Promise<string> {
    const header = this.page.locator(`.pane-header[aria-label^="${title}"]`);
    await header.waitFor({ timeout: START_MS });
    if ((await header.getAttribute('aria-expanded')) === 'false') await header.click();
    return `.pane:has(.pane-header[aria-label^="${title}"])`;
  }

  /** Makes the side bar wide enough for a VMCS field and its value. */
  async widenSideBar(by: number): Promise<void> {
    const bar = await this.page.locator('.part.sidebar').boundingBox();
    if (!bar) return;
    const [x, y] = [bar.x + bar.width, bar.y + bar.height / 2];
    await this.page.mouse.move(x, y);
    await this.page.mouse.down();
    await this.page.mouse.move(x + by, y, { steps: 5 });
    await this.page.mouse.up();
  }

  /** Folds a view's pane, to leave room for others. */
  async fold(title: string): Promise<void> {
    const header = this.page.locator(`.pane-header[aria-label^="${title}"]`);
    if ((await header.count()) && (await header.getAttribute('aria-expanded')) === 'true') await header.click();
  }

  /** Waits until the terminal in front shows the text. */
  async terminalShows(text: string | RegExp, ms = START_MS): Promise<void> {
    const visible = async (): Promise<string> =>
      (await this.page.$$eval('.terminal-wrapper.active .xterm-rows > div, .terminal-wrapper .xterm-rows > div', (rows) => rows.map((row) => (row.textContent ?? '').trimEnd()))).join('\n').replaceAll('\u00a0', ' ');
    const found = (screen: string): boolean => (typeof text === 'string' ? screen.includes(text) : text.test(screen));
    await this.until(`"${text}" in the terminal`, async () => (found(await visible()) || undefined), ms, visible);
  }

  /** Clicks into the terminal and types. */
  async typeInTerminal(text: string): Promise<void> {
    await this.page.locator('.terminal-wrapper.active .xterm-screen').first().click();
    await this.page.keyboard.type(text, { delay: 20 });
  }

  /** Looks again and again until there is something. */
  async until<T>(what: string, look: () => Promise<T | undefined>, ms = SOON_MS, seen?: () => Promise<string>): Promise<T> {
    const deadline = Date.now() + ms;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (Date.now() > deadline) throw new Error(`${what} did not appear within ${ms / 1000} s.${seen ? ` There was: ${await seen()}` : ''}`);
      await this.page.waitForTimeout(100);
    }
  }
}
