import { Reader } from '../reader';
import { DwarfSections } from './sections';
import { countWhile } from '../sorted';

/** How a register of the caller is found (DWARF 5, "Register Rule Instructions"). Offsets are in bytes from the CFA. */
export type RegisterRule =
  | { readonly kind: 'undefined' }
  | { readonly kind: 'same' }
  | { readonly kind: 'offset'; readonly offset: bigint }
  | { readonly kind: 'valueOffset'; readonly offset: bigint }
  | { readonly kind: 'register'; readonly register: number }
  | { readonly kind: 'expression'; readonly expression: Uint8Array }
  | { readonly kind: 'valueExpression'; readonly expression: Uint8Array };

/** How the canonical frame address is found. */
export type CfaRule =
  | { readonly kind: 'register'; readonly register: number; readonly offset: bigint }
  | { readonly kind: 'expression'; readonly expression: Uint8Array };

/** The row of the unwind table for one address. Register numbers are the image's own. */
export interface FrameRow {
  readonly cfa: CfaRule;
  readonly rules: ReadonlyMap<number, RegisterRule>;
  readonly returnRegister: number;
  /** The frame was made by an interrupt or signal: its caller's pc is no return address. */
  readonly isSignalFrame: boolean;
}

/** Common information entry. */
interface Cie {
  readonly codeAlignment: number;
  readonly dataAlignment: bigint;
  readonly returnRegister: number;
  readonly addressSize: number;
  /** Encoding of addresses in its FDEs (DW_EH_PE). */
  readonly pointerEncoding: number;
  readonly hasAugmentationData: boolean;
  readonly isSignalFrame: boolean;
  readonly start: number;
  readonly end: number;
}

/** Frame description entry: the instructions for one range of code. */
interface Fde {
  readonly low: bigint;
  readonly high: bigint;
  readonly cie: Cie;
  readonly start: number;
  readonly end: number;
}

/** FDEs in the order of their code. */
interface FdeIndex {
  readonly lows: BigUint64Array;
  /** Where each begins in the section. */
  readonly places: Uint32Array;
}

const DW_EH_PE_omit = 0xff;
const DW_EH_PE_pcrel = 0x10;
const DW_EH_PE_indirect = 0x80;

/** Reads a pointer of .eh_frame. `sectionAddress` makes pc-relative ones absolute; undefined where it cannot be known. */
const encodedPointer = (reader: Reader, encoding: number, addressSize: number, sectionAddress: bigint): bigint | undefined => {
  if (encoding === DW_EH_PE_omit) return undefined;
  const here = sectionAddress + BigInt(reader.position);
  let value: bigint;
  switch (encoding & 0x0f) {
    case 0x00: value = reader.unsigned(addressSize); break; // absptr
    case 0x01: value = reader.ulebBig(); break;
    case 0x02: value = BigInt(reader.u16()); break;
    case 0x03: value = BigInt(reader.u32()); break;
    case 0x04: case 0x0c: value = reader.u64(); break;
    case 0x09: value = reader.slebBig(); break;
    case 0x0a: value = BigInt.asIntN(16, BigInt(reader.u16())); break;
    case 0x0b: value = BigInt.asIntN(32, BigInt(reader.u32())); break;
    default: return reader.damaged();
  }
  if (encoding & DW_EH_PE_indirect) return undefined;
  if ((encoding & 0x70) === DW_EH_PE_pcrel) value += here;
  else if ((encoding & 0x70) !== 0) return undefined;
  return BigInt.asUintN(addressSize * 8, value);
};

/** Call frame information of one section: .debug_frame or .eh_frame. */
class FrameTable {
  private readonly cies = new Map<number, Cie | undefined>();
  private known: FdeIndex | undefined;

  constructor(
    private readonly sections: DwarfSections,
    private readonly section: '.debug_frame' | '.eh_frame',
  ) {}

  private get isEh(): boolean {
    return this.section === '.eh_frame';
  }

  private get sectionAddress(): bigint {
    return this.sections.elf.section(this.section)?.address ?? 0n;
  }

  private header(reader: Reader): { end: number; idPosition: number; offsetSize: 4 | 8; id: number } | undefined {
    const head = reader.initialLength();
    const { end } = head;
    const idPosition = reader.position;
    if (end === idPosition) return undefined;
    const offsetSize = this.isEh ? 4 : head.offsetSize;
    if (offsetSize === 4) return { end, idPosition, offsetSize, id: reader.u32() };
    const id = reader.u64();
    return { end, idPosition, offsetSize, id: id > 0xffff_ffffn ? -1 : Number(id) };
  }

  private isCie(id: number, offsetSize: 4 | 8): boolean {
    return this.isEh ? id === 0 : offsetSize === 8 ? id === -1 : id === 0xffffffff;
  }

  private cie(offset: number): Cie | undefined {
    if (this.cies.has(offset)) return this.cies.get(offset);
    const cie = this.readCie(offset);
    this.cies.set(offset, cie);
    return cie;
  }

  private readCie(offset: number): Cie | undefined {
    const reader = this.sections.reader(this.section, offset);
    const header = this.header(reader);
    if (!header || !this.isCie(header.id, header.offsetSize)) return undefined;
    const version = reader.u8();
    const augmentation = reader.string();
    let addressSize = this.sections.elf.bits / 8;
    if (version >= 4) {
      addressSize = reader.u8();
      reader.u8(); // segment selector size
    }
    const codeAlignment = reader.uleb();
    const dataAlignment = reader.slebBig();
    const returnRegister = version === 1 ? reader.u8() : reader.uleb();
    let pointerEncoding = 0;
    let isSignalFrame = false;
    if (augmentation.startsWith('z')) {
      const next = reader.uleb() + reader.position;
      for (const letter of augmentation.slice(1)) {
        if (letter === 'R') pointerEncoding = reader.u8();
        else if (letter === 'L') reader.u8();
        else if (letter === 'P') encodedPointer(reader, reader.u8(), addressSize, 0n);
        else if (letter === 'S') isSignalFrame = true;
        else break;
      }
      reader.position = next;
    } else if (augmentation !== '') return undefined; // unknown augmentation: its layout cannot be known
    return { codeAlignment, dataAlignment, returnRegister, addressSize, pointerEncoding, hasAugmentationData: augmentation !== '', isSignalFrame, start: reader.position, end: header.end };
  }

  /** Where each FDE begins, and the code it is about, in the order of that: a kernel has sixty thousand, of which few are needed. */
  private get index(): FdeIndex {
    if (this.known) return this.known;
    const lows: bigint[] = [];
    const places: number[] = [];
    const reader = this.sections.reader(this.section);
    while (!reader.atEnd) {
      const place = reader.position;
      const header = this.header(reader);
      if (!header) {
        if (this.isEh) break; // a zero length ends .eh_frame
        continue;
      }
      const low = this.isCie(header.id, header.offsetSize) ? undefined : this.begin(reader, header)?.low;
      if (low !== undefined && this.sections.elf.isCode(low)) {
        lows.push(low);
        places.push(place);
      }
      reader.position = header.end;
    }
    let sorted = true;
    for (let i = 1; i < lows.length && sorted; i++) sorted = lows[i - 1] <= lows[i];
    const order = sorted ? undefined : Uint32Array.from(lows, (_, i) => i).sort((a, b) => (lows[a] < lows[b] ? -1 : lows[a] > lows[b] ? 1 : a - b));
    return (this.known = { lows: BigUint64Array.from(order ? Array.from(order, (i) => lows[i]) : lows), places: Uint32Array.from(order ? Array.from(order, (i) => places[i]) : places) });
  }

  /** Reads an FDE's CIE and where its code begins, from behind its header. */
  private begin(reader: Reader, { idPosition, id }: { idPosition: number; id: number }): { cie: Cie; low: bigint } | undefined {
    const cie = this.cie(this.isEh ? idPosition - id : id);
    const low = cie && encodedPointer(reader, this.isEh ? cie.pointerEncoding : 0, cie.addressSize, this.sectionAddress);
    return cie && low !== undefined ? { cie, low } : undefined;
  }

  private fdeAt(place: number): Fde | undefined {
    const reader = this.sections.reader(this.section, place);
    const header = this.header(reader);
    const begun = header && this.begin(reader, header);
    if (!begun) return undefined;
    const { cie, low } = begun;
    // The length has the format of the address but is not relative to anything.
    const length = encodedPointer(reader, this.isEh ? cie.pointerEncoding & 0x0f : 0, cie.addressSize, 0n) ?? 0n;
    if (cie.hasAugmentationData) reader.skip(reader.uleb());
    return { low, high: low + length, cie, start: reader.position, end: header.end };
  }

  private find(address: bigint): Fde | undefined {
    const { lows, places } = this.index;
    const count = countWhile(lows.length, (i) => lows[i] <= address);
    const candidate = count > 0 ? this.fdeAt(places[count - 1]) : undefined;
    return candidate && address < candidate.high ? candidate : undefined;
  }

  row(address: bigint): FrameRow | undefined {
    const fde = this.find(address);
    if (!fde) return undefined;
    const program = new RowProgram(fde.cie, this.sections, this.section, this.sectionAddress);
    program.run(fde.cie.start, fde.cie.end, fde.low, undefined);
    program.initial = new Map(program.rules);
    program.run(fde.start, fde.end, fde.low, address);
    return program.cfa && { cfa: program.cfa, rules: program.rules, returnRegister: fde.cie.returnRegister, isSignalFrame: fde.cie.isSignalFrame };
  }
}

/** Executes call frame instructions up to an address. */
class RowProgram {
  cfa: CfaRule | undefined;
  rules = new Map<number, RegisterRule>();
  initial = new Map<number, RegisterRule>();
  private readonly saved: { cfa: CfaRule | undefined; rules: Map<number, RegisterRule> }[] = [];

  constructor(
    private readonly cie: Cie,
    private readonly sections: DwarfSections,
    private readonly section: string,
    private readonly sectionAddress: bigint,
  ) {}

  private restore(register: number): void {
    const rule = this.initial.get(register);
    if (rule) this.rules.set(register, rule);
    else this.rules.delete(register);
  }

  private moveCfa(change: { register?: number; offset?: bigint }, reader: Reader): void {
    const old = this.cfa?.kind === 'register' ? this.cfa : undefined;
    const register = change.register ?? old?.register;
    const offset = change.offset ?? old?.offset;
    if (register === undefined || offset === undefined) reader.damaged();
    this.cfa = { kind: 'register', register, offset };
  }

  run(start: number, end: number, low: bigint, until: bigint | undefined): void {
    const { cie, rules } = this;
    const reader: Reader = this.sections.reader(this.section, start, end);
    const { codeAlignment, dataAlignment } = cie;
    let location = low;
    const scaled = (factor: bigint): bigint => factor * dataAlignment;
    while (!reader.atEnd) {
      const opcode = reader.u8();
      const operand = opcode & 0x3f;
      let advance: number | undefined;
      switch (opcode & 0xc0) {
        case 0x40: advance = operand; break; // DW_CFA_advance_loc
        case 0x80: rules.set(operand, { kind: 'offset', offset: scaled(reader.ulebBig()) }); continue; // offset
        case 0xc0: this.restore(operand); continue; // restore
      }
      if (advance === undefined) {
        switch (opcode) {
          case 0x00: continue; // nop
          case 0x01: { // set_loc
            const next = encodedPointer(reader, this.section === '.eh_frame' ? cie.pointerEncoding : 0, cie.addressSize, this.sectionAddress) ?? reader.damaged();
            if (until !== undefined && next > until) return;
            location = next;
            continue;
          }
          case 0x02: advance = reader.u8(); break; // advance_loc1
          case 0x03: advance = reader.u16(); break; // advance_loc2
          case 0x04: advance = reader.u32(); break; // advance_loc4
          case 0x05: rules.set(reader.uleb(), { kind: 'offset', offset: scaled(reader.ulebBig()) }); continue; // offset_extended
          case 0x06: this.restore(reader.uleb()); continue; // restore_extended
          case 0x07: rules.set(reader.uleb(), { kind: 'undefined' }); continue; // undefined
          case 0x08: rules.set(reader.uleb(), { kind: 'same' }); continue; // same_value
          case 0x09: rules.set(reader.uleb(), { kind: 'register', register: reader.uleb() }); continue; // register
          case 0x0a: this.saved.push({ cfa: this.cfa, rules: new Map(rules) }); continue; // remember_state
          case 0x0b: { // restore_state
            const state = this.saved.pop() ?? reader.damaged();
            this.cfa = state.cfa;
            rules.clear();
            for (const [register, rule] of state.rules) rules.set(register, rule);
            continue;
          }
          case 0x0c: this.moveCfa({ register: reader.uleb(), offset: reader.ulebBig() }, reader); continue; // def_cfa
          case 0x0d: this.moveCfa({ register: reader.uleb() }, reader); continue; // def_cfa_register
          case 0x0e: this.moveCfa({ offset: reader.ulebBig() }, reader); continue; // def_cfa_offset
          case 0x0f: this.cfa = { kind: 'expression', expression: reader.block(reader.uleb()) }; continue; // def_cfa_expression
          case 0x10: rules.set(reader.uleb(), { kind: 'expression', expression: reader.block(reader.uleb()) }); continue; // expression
          case 0x11: rules.set(reader.uleb(), { kind: 'offset', offset: scaled(reader.slebBig()) }); continue; // offset_extended_sf
          case 0x12: this.moveCfa({ register: reader.uleb(), offset: scaled(reader.slebBig()) }, reader); continue; // def_cfa_sf
          case 0x13: this.moveCfa({ offset: scaled(reader.slebBig()) }, reader); continue; // def_cfa_offset_sf
          case 0x14: rules.set(reader.uleb(), { kind: 'valueOffset', offset: scaled(reader.ulebBig()) }); continue; // val_offset
          case 0x15: rules.set(reader.uleb(), { kind: 'valueOffset', offset: scaled(reader.slebBig()) }); continue; // val_offset_sf
          case 0x16: rules.set(reader.uleb(), { kind: 'valueExpression', expression: reader.block(reader.uleb()) }); continue; // val_expression
          case 0x2e: reader.skipLeb(); continue; // GNU_args_size
          case 0x2f: rules.set(reader.uleb(), { kind: 'offset', offset: -scaled(reader.ulebBig()) }); continue; // GNU_negative_offset_extended
          default: reader.damaged();
        }
      }
      location += BigInt(advance * codeAlignment);
      if (until !== undefined && location > until) return;
    }
  }
}

/** Unwind tables of an image: .debug_frame where it covers an address, else .eh_frame. */
export class CallFrames {
  private readonly tables: FrameTable[];

  constructor(sections: DwarfSections) {
    this.tables = (['.debug_frame', '.eh_frame'] as const).map((section) => new FrameTable(sections, section));
  }

  /** The row for an address, undefined where the image has no call frame information for it. */
  row(address: bigint): FrameRow | undefined {
    for (const table of this.tables) {
      const row = table.row(address);
      if (row) return row;
    }
    return undefined;
  }
}
