/** Sentences for the user about what the guest has met, each told once. */
export class Warnings {
  /** Told each sentence. */
  tell: (sentence: string) => void = () => {};
  private readonly said = new Set<string>();
  /** Those from before somebody listens. */
  private early: string[] | undefined = [];

  add(sentence: string): void {
    if (this.said.has(sentence)) return;
    this.said.add(sentence);
    if (this.early) this.early.push(sentence);
    else this.tell(sentence);
  }

  /** From now on somebody listens. */
  listen(): void {
    const { early } = this;
    this.early = undefined;
    for (const sentence of early ?? []) this.tell(sentence);
  }
}
