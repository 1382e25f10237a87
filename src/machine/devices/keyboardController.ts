/** The 8042 keyboard controller with keyboard and mouse behind it. It answers at once. */
import { bit } from '../../base/bits';
import { type Device, type DeviceHost, NEVER, type PortDevice } from '../device';
import type { A20Gate } from './a20Gate';
import { mouseAnswer, mouseAtReset } from './mouse';
import { keyOf } from './keySequences';
import { LEFT_CONTROL, LEFT_SHIFT, strokeFor } from './scancodes';

/** Status: output buffer full, system flag, last write was a command, not inhibited. */
const OUTPUT_FULL = 0x01;
const SYSTEM = 0x04;
const COMMAND = 0x08;
const NOT_INHIBITED = 0x10;
/** The byte in the output buffer is the mouse's. */
const FROM_MOUSE = 0x20;
/** Command byte: interrupt, system flag, keyboard disabled, translate to set 1. */
const INTERRUPT = 0x01;
const MOUSE_INTERRUPT = 0x02;
const DISABLED = 0x10;
const MOUSE_DISABLED = 0x20;
const TRANSLATE = 0x40;

/** Goes before the code of a key that the first keyboards lacked. */
const EXTENDED = 0xe0;
const ACKNOWLEDGE = 0xfa;
const RESEND = 0xfe;
const SELF_TEST_PASSED = 0x55;
const KEYBOARD_TEST_PASSED = 0xaa;

const powerOn = () => ({
  commandByte: TRANSLATE | INTERRUPT | SYSTEM | MOUSE_DISABLED,
  /** Controller command that waits for its data byte, or 0. */
  waiting: 0,
  /** Keyboard command that waits for its data byte, or 0. */
  keyboardWaiting: 0,
  lastWasCommand: false,
  /** Bytes for port 0x60; the controller's and the keyboard's answers come before the mouse's bytes, and those before keys. */
  answers: [] as number[],
  mouseBytes: [] as number[],
  keys: [] as number[],
  mouse: mouseAtReset(),
  scanning: true,
  lastRead: 0,
  ram: new Uint8Array(32),
});

export class KeyboardController implements Device, PortDevice {
  readonly name = 'keyboard controller';
  state = powerOn();

  constructor(
    private readonly host: DeviceHost,
    private readonly a20: A20Gate,
    private readonly setIrq1: (level: boolean) => void,
    private readonly setIrq12: (level: boolean) => void,
    private readonly resetMachine: () => void,
  ) {}

  reset(): void {
    this.state = powerOn();
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  /** Presses and releases the keys that type a text; characters that a US keyboard lacks are left out with a warning. Codes above ASCII are keys without characters (keySequences.ts). */
  type(text: string): void {
    if (!(this.state.commandByte & TRANSLATE)) this.host.warn('The guest switched the keyboard to scan code set 2, which Hyperstep does not type in.');
    for (const character of text) {
      const key = keyOf(character.charCodeAt(0));
      if (key) {
        for (const code of [key.code, key.code | 0x80]) this.state.keys.push(...(key.extended ? [EXTENDED] : []), code);
        continue;
      }
      const stroke = strokeFor(character);
      if (!stroke) {
        this.host.warn(`The keyboard has no key for the character ${JSON.stringify(character)}.`);
        continue;
      }
      const modifier = stroke.shift ? LEFT_SHIFT : stroke.control ? LEFT_CONTROL : 0;
      if (modifier) this.state.keys.push(modifier);
      this.state.keys.push(stroke.code, stroke.code | 0x80);
      if (modifier) this.state.keys.push(modifier | 0x80);
    }
    this.update();
  }

  readPort(port: number): number {
    const s = this.state;
    if (port === 0x64) return (this.available() ? OUTPUT_FULL : 0) | (s.commandByte & SYSTEM) | (s.lastWasCommand ? COMMAND : 0) | NOT_INHIBITED | (this.source() === s.mouseBytes ? FROM_MOUSE : 0);
    s.lastRead = this.source()?.shift() ?? s.lastRead;
    this.setIrq1(false);
    this.setIrq12(false);
    this.update();
    return s.lastRead;
  }

  writePort(port: number, value: number): void {
    this.state.lastWasCommand = port === 0x64;
    if (port === 0x64) this.command(value);
    else this.data(value);
    this.update();
  }

  private command(value: number): void {
    const s = this.state;
    s.waiting = 0;
    if (value >= 0xf0) {
      if (!bit(value, 0)) this.resetMachine(); // pulses the output port's low lines; line 0 is the processor's reset
      return;
    }
    if (value >= 0x20 && value < 0x40) return void s.answers.push(value === 0x20 ? s.commandByte : s.ram[value & 31]!);
    if (value >= 0x60 && value < 0x80) return void (s.waiting = value);
    switch (value) {
      case 0xa7: // disable and enable the mouse port
      case 0xa8:
        s.commandByte = value === 0xa7 ? s.commandByte | MOUSE_DISABLED : s.commandByte & ~MOUSE_DISABLED;
        break;
      case 0xa9: // test the mouse port
        s.answers.push(0x00);
        break;
      case 0xaa:
        s.commandByte |= SYSTEM;
        s.answers.push(SELF_TEST_PASSED);
        break;
      case 0xab: // test the keyboard port
        s.answers.push(0x00);
        break;
      case 0xad:
        s.commandByte |= DISABLED;
        break;
      case 0xae:
        s.commandByte &= ~DISABLED;
        break;
      case 0xc0: // input port: keyboard not locked
        s.answers.push(0x80);
        break;
      case 0xd0:
        s.answers.push(0x01 | (this.a20.enabled ? 0x02 : 0) | (this.available() ? 0x10 : 0));
        break;
      case 0xd1: // write output port, to the keyboard's buffer, the mouse's buffer, the mouse
      case 0xd2:
      case 0xd3:
      case 0xd4:
        s.waiting = value;
        break;
      case 0xdd:
        this.a20.set(false);
        break;
      case 0xdf:
        this.a20.set(true);
        break;
      default:
        this.host.warn(`The guest gave the keyboard controller command 0x${value.toString(16)}, which Hyperstep does not know.`);
    }
  }

  private data(value: number): void {
    const s = this.state;
    const command = s.waiting;
    s.waiting = 0;
    if (command === 0) return this.keyboard(value);
    if (command === 0x60) s.commandByte = value;
    else if (command < 0x80) s.ram[command & 31] = value;
    else if (command === 0xd1) {
      this.a20.set(bit(value, 1));
      if (!bit(value, 0)) this.resetMachine();
    } else if (command === 0xd2) s.answers.push(value);
    else if (command === 0xd3) s.mouseBytes.push(value);
    else {
      if (value === 0xff) s.mouseBytes = [];
      s.mouseBytes.push(...mouseAnswer(s.mouse, value));
    }
  }

  /** A command to the keyboard itself. */
  private keyboard(value: number): void {
    const s = this.state;
    const command = s.keyboardWaiting;
    s.keyboardWaiting = 0;
    if (command !== 0) {
      s.answers.push(ACKNOWLEDGE);
      if (command === 0xf0 && value === 0) s.answers.push(0x41); // set 2 seen through the translation
      return;
    }
    switch (value) {
      case 0xed: // lamps, scan code set, repeat rate: one data byte each
      case 0xf0:
      case 0xf3:
        s.keyboardWaiting = value;
        s.answers.push(ACKNOWLEDGE);
        break;
      case 0xee:
        s.answers.push(0xee);
        break;
      case 0xf2:
        s.answers.push(ACKNOWLEDGE, 0xab, s.commandByte & TRANSLATE ? 0x41 : 0x83);
        break;
      case 0xf4:
      case 0xf5:
      case 0xf6:
        s.scanning = value !== 0xf5;
        s.answers.push(ACKNOWLEDGE);
        break;
      case 0xff:
        s.scanning = true;
        s.keys = [];
        s.answers.push(ACKNOWLEDGE, KEYBOARD_TEST_PASSED);
        break;
      default:
        s.answers.push(RESEND);
    }
  }

  /** The queue whose first byte is in the output buffer. */
  private source(): number[] | undefined {
    const s = this.state;
    if (s.answers.length > 0) return s.answers;
    if (s.mouseBytes.length > 0 && !(s.commandByte & MOUSE_DISABLED)) return s.mouseBytes;
    return s.keys.length > 0 && s.scanning && !(s.commandByte & DISABLED) ? s.keys : undefined;
  }
  private available(): boolean {
    return this.source() !== undefined;
  }

  private update(): void {
    const { mouseBytes, commandByte } = this.state;
    const source = this.source();
    if (source === mouseBytes) {
      if (commandByte & MOUSE_INTERRUPT) this.setIrq12(true);
    } else if (source && commandByte & INTERRUPT) this.setIrq1(true);
  }
}
