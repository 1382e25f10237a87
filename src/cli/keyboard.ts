/** Standard input as the serial port's keyboard. */

const CTRL_C = 0x03;

export class Keyboard {
  private readonly raw: boolean;
  /** Nothing more will come. */
  ended = false;

  /** `typed` gets what goes to the serial port, nothing at the end of the input; `interrupt` is called for Ctrl+C, which in raw mode is a mere byte. */
  constructor(
    private readonly input: NodeJS.ReadStream,
    private readonly typed: (bytes: Uint8Array) => void,
    private readonly interrupt: () => void,
  ) {
    // In raw mode each key arrives at once and unechoed: the guest echoes.
    this.raw = input.isTTY === true;
    if (this.raw) input.setRawMode(true);
    input.on('data', this.data);
    // A closed or unreadable standard input is a keyboard on which nobody types.
    input.on('error', this.end);
    input.on('end', this.end);
  }

  private readonly data = (chunk: Buffer): void => {
    if (this.raw && chunk.includes(CTRL_C)) this.interrupt();
    else this.typed(chunk);
  };

  private readonly end = (): void => {
    this.ended = true;
    this.typed(new Uint8Array());
  };

  /** Gives the terminal back as it was. */
  close(): void {
    this.input.off('data', this.data);
    this.input.off('end', this.end);
    if (this.raw) this.input.setRawMode(false);
    this.input.pause();
  }
}
