/** Random encodings for random programs: prefixes, ModRM and what follows it, over the registers that programs keep addresses in. */
import { Random as Numbers } from '../silicon/random';
import { CONFLICT, type Mode, Place, WINDOW } from './rig';

/** What programs are made of by chance. */
export class Random extends Numbers {
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

export const word = (n: number): number[] => [n & 0xff, (n >>> 8) & 0xff];
export const dword = (n: number): number[] => [...word(n), ...word(n >>> 16)];

export const Register = { A: 0, C: 1, D: 2, B: 3, SP: 4, BP: 5, SI: 6, DI: 7 } as const;
const { A, C, D, B, SP, BP, SI, DI } = Register;
/** Registers that hold addresses; instructions change the others freely. */
export const POINTERS: Record<Mode, readonly number[]> = { 64: [B, SI, DI, 13, 14], 32: [B, SI, DI], 16: [B, SI, DI] };
const FREE: Record<Mode, readonly number[]> = { 64: [A, C, D, BP, 8, 9, 10, 11, 12, 15], 32: [A, C, D, BP], 16: [A, C, D, BP] };

export class Encoder {
  constructor(
    readonly r: Random,
    readonly mode: Mode,
    /** The program runs in user mode. */
    readonly user: boolean,
    /** Only instructions that are generated code: behind others, loops are entered in their middle. */
    readonly pure = false,
  ) {}

  /** A register that instructions may change; rarely one with an address. */
  register(): number {
    return this.r.chance(1) ? this.r.of(POINTERS[this.mode]) : this.r.of(FREE[this.mode]);
  }
  /** 1, 2, 4 or 8 bytes. */
  size(): number {
    return this.r.of(this.mode === 64 ? [1, 2, 4, 4, 8, 8, 8] : [1, 2, 4, 4]);
  }
  /** 2, 4 or 8 bytes. */
  wideSize(): number {
    return this.r.of(this.mode === 64 ? [2, 4, 4, 8, 8] : [2, 4, 4]);
  }
  immediate(size: number): number[] {
    const value = this.r.of([this.r.next(), this.r.below(256) - 128, 1, -1, 0x7fffffff, 0]);
    return size === 1 ? [value & 0xff] : size === 2 ? word(value) : dword(value);
  }
  /** The operand-size prefix, or REX.W, of an operand of `size` bytes. */
  sizePrefix(size: number): number[] {
    if (size === 8) return [0x48];
    return (size === 2 && this.mode !== 16) || (size === 4 && this.mode === 16) ? [0x66] : [];
  }
  /** The prefix of 32-bit addressing in 16-bit code. */
  get wideAddress(): number[] {
    return this.mode === 16 ? [0x67] : [];
  }
  /** A place of the window as software addresses it through DS. */
  address(place: number): number {
    return (this.mode === 16 ? 0 : WINDOW) + place;
  }
  /** MOV of a number to a register: 32 bits, zero-extended in 64-bit code. */
  set(register: number, value: number): number[] {
    return [...this.sizePrefix(4), ...(register >= 8 ? [0x41] : []), 0xb8 + (register & 7), ...dword(value)];
  }

  /** ADD of a small number to a whole register. */
  step(register: number, by: number): number[] {
    return [...(this.mode === 64 ? [0x48 | (register >= 8 ? 1 : 0)] : []), 0x83, 0xc0 | (register & 7), by & 0xff];
  }
  /** In front of the end of a page of data. */
  beforeEnd(distance: number): number {
    return this.address(this.r.of([Place.DATA, Place.DATA + 0x1000, Place.DATA + 0x2000, Place.ALIAS]) + 0x1000 - distance);
  }

  /** Somewhere that pointers point to: mostly data, at edges of pages, in aliases; rarely code, the page table or the device. */
  somewhere(): number {
    const { r } = this;
    const page = r.of([0, 0, 0x1000, 0x2000]);
    if (r.chance(10)) return this.beforeEnd(1 + r.below(8));
    const place = r.of([
      Place.DATA + page + r.below(0x40) * 0x10, Place.DATA + page + 0xfe0 + r.below(0x20), Place.DATA + page + 0x100, Place.DATA + page + 0x400 + r.below(0x100), Place.ALIAS + r.below(0xf00),
      r.chance(60) ? Place.READ_ONLY + r.below(0xf00) : Place.DATA + 0x800, r.chance(25) ? Place.DEVICE + r.below(0x40) : Place.DATA, r.chance(20) ? Place.MISSING + 0x800 : Place.DATA + 0x1000,
      r.chance(8) ? r.of([Place.CODE, Place.CODE_ALIAS]) + r.below(0x400) : Place.DATA + 0x200,
    ]); // prettier-ignore
    return (this.address(place) & (r.chance(70) ? ~15 : ~0)) + (this.mode !== 16 && r.chance(25) ? CONFLICT : 0);
  }

  /** Prefixes, REX and opcode, ModRM with what follows it. `reg` is the field's number, `size` 1, 2, 4, 8, or 0 where no operand-size prefix may be. */
  modrm(opcode: readonly number[], reg: number, size: number, memory: boolean, immediate: readonly number[] = [], mandatory: readonly number[] = [], aligned = false): number[] {
    const { r, mode } = this;
    const prefixes: number[] = [];
    let rex = 0;
    if (size === 2 && mode !== 16) prefixes.push(0x66);
    if (size === 4 && mode === 16) prefixes.push(0x66);
    if (size === 8) rex |= 0x48;
    if (reg >= 8) rex |= 0x44;
    const field = (reg & 7) << 3;
    let rest: number[];
    if (!memory) {
      const rm = this.register();
      if (rm >= 8) rex |= 0x41;
      rest = [0xc0 | field | (rm & 7)];
    } else {
      const segment = r.chance(10) ? r.of([0x64, 0x65, 0x64, 0x65, 0x26, 0x3e, 0x36]) : 0;
      if (segment !== 0) prefixes.push(segment);
      const whole = r.chance(20) ? r.of([0, 4, 6, 7, 8, 12, 14, 15]) : r.chance(4) ? r.of([0xf00, 0xffd, 0x1000, -0x1000, CONFLICT - 1, 0x2000]) : r.chance(40) ? r.below(16) * 8 : r.below(0x180) - 0x20;
      const displacement = aligned ? whole & ~15 : whole;
      if ((segment === 0x64 || segment === 0x65) && r.chance(85)) {
        // Their bases lie in the data.
        const offset = aligned ? r.below(0x70) * 16 : r.below(0x700);
        rest = mode === 64 ? [field | 4, 0x25, ...dword(offset)] : mode === 32 ? [field | 5, ...dword(offset)] : [field | 6, ...word(offset)];
      } else if (!aligned && r.chance(5)) {
        // Over the end of a page.
        const address = this.address(r.of([Place.DATA + 0x1000, Place.DATA + 0x2000, Place.DATA + 0x3000, Place.ALIAS + 0x1000, Place.CODE_ALIAS]) - 1 - r.below(r.of([1, 8])));
        rest = mode === 64 ? [field | 4, 0x25, ...dword(address)] : mode === 32 ? [field | 5, ...dword(address)] : [field | 6, ...word(address)];
      } else if (mode === 16 && !r.chance(25)) {
        const rm = r.of([4, 5, 7, 6, 2, 0]); // [si], [di], [bx], [disp16], [bp+si], [bx+si] by mod 2 or 0
        rest = rm === 6 ? [field | 6, ...word(Place.DATA + (aligned ? r.below(0x200) * 16 : r.below(0x2000)))] : rm === 0 && !r.chance(20) ? [field | 7] : rm === 2 && !r.chance(10) ? [0x40 | field | 4, r.below(0x70)] : [0x80 | field | rm, ...word(displacement)];
      } else {
        if (mode === 16 || (mode === 64 && r.chance(6))) prefixes.push(0x67);
        const base = r.of(r.chance(12) ? [SP, BP] : POINTERS[mode]);
        if (base === BP && mode !== 16) {
          // RIP-relative in 64-bit code, absolute in 32-bit code.
          rest = [field | 5, ...dword(mode === 64 ? Place.DATA - r.below(0x300) + r.below(0x800) : this.address(Place.DATA + r.below(0x1ff0)))];
        } else {
          const low = base === BP ? B : base & 7;
          if (base >= 8) rex |= 0x41;
          const near = r.chance(50);
          const tail = near ? [displacement & 0x7f] : dword(displacement);
          if (low === 4) rest = [(near ? 0x44 : 0x84) | field, 0x24, ...(near ? [displacement & 0x78] : dword(displacement & 0xff))];
          else if (!aligned && r.chance(20)) {
            if (mode === 64 && r.chance(30)) rex |= 0x42;
            rest = [(near ? 0x44 : 0x84) | field, (r.below(4) << 6) | (r.of([4, 4, 4, 4, C, D]) << 3) | low, ...tail];
          } else if (r.chance(20) && low !== 5) rest = [field | low];
          else rest = [(near ? 0x40 : 0x80) | field | low, ...tail];
        }
      }
    }
    if (size === 1 && mode === 64 && r.chance(50)) rex |= 0x40;
    const all = [...prefixes, ...mandatory];
    if (rex !== 0 && mode === 64) all.push(rex);
    return [...all, ...opcode, ...rest, ...immediate];
  }

  /** An operand at a fixed place of the window, by its whole address. */
  absolute(opcode: readonly number[], reg: number, size: number, place: number, immediate: readonly number[] = []): number[] {
    const { mode } = this;
    const prefixes = this.sizePrefix(size).filter((byte) => byte !== 0x48);
    const rex = mode === 64 && (size === 8 || reg >= 8) ? [0x40 | (size === 8 ? 8 : 0) | (reg >= 8 ? 4 : 0)] : [];
    const field = (reg & 7) << 3;
    const address = this.address(place);
    const rest = mode === 64 ? [field | 4, 0x25, ...dword(address)] : mode === 32 ? [field | 5, ...dword(address)] : [field | 6, ...word(address)];
    return [...prefixes, ...rex, ...opcode, ...rest, ...immediate];
  }
}
