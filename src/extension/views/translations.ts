/** The view of address translation: addresses that the user asks for, each with its walk through page tables and EPT. */
import * as vscode from 'vscode';
import { HyperstepRequest, type TranslationsResponse } from '../../adapter/messages';
import type { StopViewKind } from './stopView';

/** What is shown before the user has asked for anything: where the guest stands. */
const AT_FIRST = ['$guest.rip'];
const STORED = 'hyperstep.translations';

export class Translations {
  readonly #changed = new vscode.EventEmitter<void>();
  #expressions: string[];

  constructor(private readonly state: vscode.Memento) {
    this.#expressions = state.get<string[]>(STORED, AT_FIRST);
  }

  /** The view's row in STOP_VIEWS. */
  get kind(): StopViewKind {
    return {
      view: 'hyperstep.translation',
      request: HyperstepRequest.translations,
      arguments: () => ({ expressions: this.#expressions }),
      branches: (response) =>
        (response as TranslationsResponse).items.map(({ expression, value, wrong, entries }, i) => ({ name: expression, note: value, wrong, entries, open: i === 0 && entries.length > 0, context: 'translation' })),
      onChange: this.#changed.event,
    };
  }

  /** Asks for an address, or takes what a row of a view stands for. */
  async add(proposed?: string): Promise<void> {
    const expression =
      proposed ??
      (await vscode.window.showInputBox({
        title: 'Translate an Address',
        prompt: 'An expression, or an address of a space: guest:0x8004200000, gpa:0x6000, vmm:0xffffffff80100000, hpa:0x1000. maps(...) tells who maps a frame.',
        placeHolder: '$guest.rsp',
      }));
    if (!expression?.trim()) return;
    await this.#set([expression.trim(), ...this.#expressions.filter((e) => e !== expression.trim())]);
  }

  remove(expression: string): Promise<void> {
    return this.#set(this.#expressions.filter((e) => e !== expression));
  }

  async #set(expressions: string[]): Promise<void> {
    this.#expressions = expressions;
    await this.state.update(STORED, expressions);
    this.#changed.fire();
  }
}
