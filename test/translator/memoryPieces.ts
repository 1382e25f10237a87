/** What reaches memory in other ways than by a ModRM operand, and what changes how memory is reached: the stack, strings, segment bases, page tables. */
import { type Encoder, Register, word } from './encoder';
import { DATA, FLUSH, INTERRUPT, Place, Selector, WINDOW } from './rig';

const { C, SI, DI } = Register;

/** Pages whose entries programs change: data, its aliases, the second page of code's alias, the stack's and the missing one. */
const REMAPPED = [Place.DATA, Place.DATA, Place.DATA + 0x1000, Place.DATA + 0x2000, Place.DATA + 0x3000, Place.ALIAS, Place.ALIAS, Place.READ_ONLY, Place.READ_ONLY, Place.CODE_ALIAS, Place.MISSING] as const;
/** What they are mapped to. */
const TARGETS = [DATA, DATA + 0x1000, DATA + 0x2000, DATA + 0x3000, WINDOW + Place.CODE, WINDOW + Place.CODE + 0x1000, WINDOW + Place.MISSING, WINDOW + Place.DEVICE] as const;
/** Not present; read-only; writable; accessed and dirty set or not; global. */
const BITS = [0x0, 0x6, 0x5, 0x25, 0x65, 0x7, 0x7, 0x27, 0x67, 0x107] as const;

/** MOV of an address to a register that holds addresses, or a step of one. */
export function pointerPiece(e: Encoder, pointers: readonly number[]): number[] {
  const { r, mode } = e;
  const register = r.of(pointers);
  const step = r.of([0x1000, -0x1000, 8, -8, 1, 0x40, 0x800, 3]);
  if (r.chance(70) || mode === 16) return e.set(register, e.somewhere());
  const rex = mode === 64 ? [0x48 | (register >= 8 ? 1 : 0)] : [];
  return r.chance(60) ? [...rex, 0x81, 0xc0 | (register & 7), step & 0xff, (step >> 8) & 0xff, (step >> 16) & 0xff, (step >> 24) & 0xff] : e.modrm([0x8d], register, mode === 64 ? 8 : 4, true);
}

export function stackPiece(e: Encoder): number[] {
  const { r, mode } = e;
  const size = mode === 64 ? 0 : e.r.of([0, 0, 2, 4]);
  const free = r.of([0, 1, 2, 5]);
  switch (r.below(14)) {
    case 0: case 1: case 2:
      return [...e.sizePrefix(size).slice(0, size ? 1 : 0), 0x50 + free];
    case 3: case 4: case 5:
      return [...e.sizePrefix(size).slice(0, size ? 1 : 0), 0x58 + free];
    case 6:
      return e.modrm([0xff], 6, 0, true);
    case 7:
      return e.modrm([0x8f], 0, 0, true);
    case 8:
      return r.of([[0x6a, r.below(256)], [0x68, ...e.immediate(mode === 16 ? 2 : 4)]]);
    case 9: {
      // enter, something between, leave
      const level = r.chance(80) ? 0 : r.below(4);
      return [0xc8, ...word(r.below(64) * 4), level, ...(r.chance(50) ? [0x50 + free] : []), 0xc9];
    }
    case 10:
      return e.set(4, e.address(Place.STACK_TOP - r.of([0x100, 0x200, 0x400, 0xff8, 0xffc, 0xffe, 0xf00, 4, 6])));
    case 11:
      return mode === 64 ? [0x48, 0x83, r.of([0xc4, 0xec]), r.of([8, 16, 4, 2, 0x78])] : r.of([[0x60], [0x61], [0x60, 0x61]]); // add and sub rsp; pusha, popa
    case 12:
      return mode === 64 ? [0x48, 0x87, 0xdc, 0x48, 0x87, 0xdc] : [...e.sizePrefix(4), 0x87, 0xdc, ...e.sizePrefix(4), 0x87, 0xdc]; // xchg rbx, rsp twice
    default:
      return mode === 64 ? [0x48, 0x8d, 0x64, 0x24, r.of([8, 0xf8, 0x10, 0xf0])] : [0x50 + free, 0x58 + free];
  }
}

export function stringPiece(e: Encoder): number[] {
  const { r } = e;
  const size = e.size();
  const wide = size === 1 ? 0 : 1;
  const operation = r.of([0xa4, 0xa4, 0xaa, 0xaa, 0xac, 0xa6, 0xae]);
  const repeated = r.chance(60);
  const direction = r.chance(15) ? [r.of([0xfc, 0xfd])] : [];
  const count = repeated ? e.set(C, r.of([0, 1, 2, 3, 7, 16, 40, 300, r.below(600)])) : [];
  const prefixes = [...(repeated ? [r.of([0xf3, 0xf3, 0xf2])] : []), ...(r.chance(12) ? [r.of([0x64, 0x65, 0x26])] : []), ...(r.chance(8) ? [0x67] : [])];
  const place = r.chance(40) ? [...e.set(DI, e.somewhere()), ...e.set(SI, e.somewhere())] : [];
  return [...place, ...direction, ...count, ...prefixes, ...e.sizePrefix(size), operation + wide, ...(direction[0] === 0xfd && r.chance(80) ? [0xfc] : [])];
}

/** Changes of FS and GS. */
export function segmentPiece(e: Encoder): number[] {
  const { r, mode } = e;
  const load = (selector: number, sreg: number): number[] => [0x66, 0xb8, ...word(selector | (e.user ? 3 : 0)), 0x8e, 0xc0 | (sreg << 3)].slice(mode === 16 ? 1 : 0);
  if (mode !== 64) {
    // Mostly back to what DS and ES are, as else little is reached.
    const other = r.of([Selector.FS, Selector.GS, Selector.DATA]);
    return r.of([load(other, r.of([4, 5])), [0x0f, 0xa0, 0x0f, 0xa9], load(Selector.DATA, r.of([0, 3])), load(Selector.DATA, r.of([0, 3])), load(other, r.of([0, 3])), load(Selector.DATA, 2)]);
  }
  const base = DATA + r.of([0, 0x800, 0xff0, 0x1804, 0x2000, 0x1ffd, 0x300]);
  const set = e.set(0, base);
  switch (r.below(e.user ? 5 : 6)) {
    case 0: case 1:
      return [...set, 0xf3, 0x48, 0x0f, 0xae, 0xd0]; // wrfsbase rax
    case 2:
      return [...set, 0xf3, 0x48, 0x0f, 0xae, 0xd8]; // wrgsbase rax
    case 3:
      return e.user ? [0x0f, 0x05] : [0x0f, 0x01, 0xf8]; // syscall; swapgs
    case 4:
      return [0xf3, 0x48, 0x0f, 0xae, r.of([0xc0, 0xc8])]; // rdfsbase rax, rdgsbase rax
    default:
      return [...e.set(C, r.of([0xc000_0100, 0xc000_0101, 0xc000_0102]) | 0), 0x31, 0xd2, ...set, 0x0f, 0x30]; // wrmsr
  }
}

/** Changes an entry of the page table; mostly what the TLB has of it is dropped. */
export function pagingPiece(e: Encoder): number[] {
  const { r, mode } = e;
  const page = r.of(REMAPPED);
  const entry = Place.TABLE + ((WINDOW + page) >>> 12) * 8;
  const target = r.chance(50) ? (page === Place.ALIAS || page === Place.READ_ONLY ? DATA : WINDOW + page) : r.of(TARGETS);
  const change = r.chance(75) ? e.absolute([0xc7], 0, 4, entry, [...word((target & 0xf000) | r.of(BITS)), ...word(target >>> 16)]) : r.of([e.absolute([0x80], r.of([1, 4, 6]), 1, entry, [r.of([1, 2, 0x60, 0x9f])]), e.absolute([0x0f, 0xba], 5 + r.below(3), 4, entry, [r.of([0, 1, 1, 5, 6])])]);
  const address = e.absolute([0x0f, 0x01], 7, 0, page + r.below(0x1000)); // invlpg
  if (e.user) return [...change, ...(r.chance(80) ? [0xcd, FLUSH] : [])];
  const reload = [0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8];
  const toggle = [0x0f, 0x20, 0xe0, ...(mode === 64 ? [0x48] : []), ...e.sizePrefix(mode === 64 ? 0 : 4), 0x0f, 0xba, 0xf8, 7, 0x0f, 0x22, 0xe0]; // btc CR4.PGE
  const drop = r.chance(60) ? address : r.chance(70) ? reload : r.chance(30) ? toggle : [];
  return r.chance(70) ? [...change, ...drop] : r.chance(50) ? drop : change;
}

/** The clock, devices, interrupts of software, divisions, and what does nothing. */
export function otherPiece(e: Encoder): number[] {
  const { r } = e;
  switch (r.below(12)) {
    case 0:
      return [0x0f, 0x31]; // rdtsc
    case 1:
      return r.of([[0xe4, 0x40], [0xec], [0xf3, 0x90], [0x0f, 0xa2], [0x9b]]); // in, pause, cpuid, fwait
    case 2:
      return e.user && e.mode === 64 ? [0x0f, 0x05] : r.of([[0xfa], [0xfb], [0xfb]]); // syscall; cli, sti
    case 3:
      return r.of([[0xcd, INTERRUPT], [0xcc]]);
    case 4:
      return e.absolute([0xc7], 0, 4, Place.DEVICE + r.of([0, 0x10, 0x40]), [0, 0, 0, 0]);
    case 5:
      return e.absolute([0x8b], 0, 4, Place.DEVICE + r.below(0x80));
    case 6: case 7:
      return e.modrm([0xf6 + r.below(2)], 6 + r.below(2), 4, r.chance(30)); // div, idiv
    case 8:
      return r.of([[0x98], [0x99], [0xd7], [0x0f, 0xae, 0xf0]]); // cbw, cwd, xlat, mfence
    case 9:
      return r.chance(10) ? [0x0f, 0x0b] : [0x90]; // ud2
    default:
      return e.modrm([0x0f, 0x1f], 0, 0, true); // nop
  }
}
