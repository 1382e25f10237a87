/** Packets that read and write registers and memory of the world that GDB looks at. GDB manual, "Packets". */
import type { Debugger } from '../debug/debugger';
import { fromLittleEndian, littleEndian, parseNumber, toHex } from './hexText';
import { GDB_REGISTERS } from './registers';
import { RegisterView } from './registerView';
import { ERROR, MOST_MEMORY, OK } from './replies';
import type { WorldChoice } from './worldChoice';

export class StatePackets {
  constructor(
    private readonly d: Debugger,
    private readonly worlds: WorldChoice,
  ) {}

  get view(): RegisterView {
    return new RegisterView(this.d.target, this.worlds.shown);
  }

  readRegisters(): string {
    const { view } = this;
    return GDB_REGISTERS.map((r) => littleEndian(r.read(view), r.bits)).join('');
  }

  writeRegisters(text: string): string {
    const { view } = this;
    let at = 0;
    for (const register of GDB_REGISTERS) {
      const value = fromLittleEndian(text.slice(at, (at += register.bits / 4)));
      // Whole sets are written to restore them: what has not changed need not be writable.
      if (value !== undefined && value !== register.read(view)) register.write(view, value);
    }
    this.d.modified();
    return OK;
  }

  readRegister(text: string): string {
    const register = GDB_REGISTERS[parseInt(text, 16)];
    return register ? littleEndian(register.read(this.view), register.bits) : ERROR;
  }

  writeRegister(text: string): string {
    const [number, digits = ''] = text.split('=');
    const register = GDB_REGISTERS[parseInt(number!, 16)];
    const value = fromLittleEndian(digits);
    if (!register || value === undefined) return ERROR;
    const written = register.write(this.view, value);
    this.d.modified();
    return written ? OK : `E.${register.name} of this world cannot be set now.`;
  }

  readMemory(text: string): string {
    const [address, length] = text.split(',').map(parseNumber);
    if (address === undefined || length === undefined) return ERROR;
    const wanted = Math.min(Number(length), MOST_MEMORY);
    const bytes = this.d.target.read(this.worlds.shown, address, wanted);
    return bytes.length === 0 && wanted > 0 ? ERROR : toHex(bytes);
  }

  writeMemory(text: string, bytes: Uint8Array | undefined): string {
    const [address, length] = text.slice(0, text.indexOf(':')).split(',').map(parseNumber);
    if (address === undefined || !bytes || BigInt(bytes.length) !== length) return ERROR;
    const written = this.d.target.write(this.worlds.shown, address, bytes);
    this.d.modified();
    return written === bytes.length ? OK : ERROR;
  }
}
