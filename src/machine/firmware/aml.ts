/** A small encoder of ACPI Machine Language: the forms that this machine's DSDT is made of (ACPI Specification, "ACPI Machine Language Specification"). */

export type Aml = readonly number[];

const Op = { ZERO: 0x00, ONE: 0x01, NAME: 0x08, BYTE: 0x0a, WORD: 0x0b, DWORD: 0x0c, STRING: 0x0d, SCOPE: 0x10, BUFFER: 0x11, PACKAGE: 0x12, METHOD: 0x14, EXTENDED: 0x5b, DEVICE: 0x82, ARGUMENT_0: 0x68, STORE: 0x70, IF: 0xa0, RETURN: 0xa4 } as const;
const ROOT = 0x5c;
const DUAL_NAME = 0x2e;

const little = (value: number, bytes: number): number[] => Array.from({ length: bytes }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff);

/** A package length in front of what it covers; it counts itself. */
function withLength(body: Aml): number[] {
  for (let extra = 0; extra <= 3; extra++) {
    const length = body.length + 1 + extra;
    if (extra === 0 ? length < 0x40 : length < 2 ** (4 + 8 * extra)) return extra === 0 ? [length, ...body] : [(extra << 6) | (length & 15), ...little(length >>> 4, extra), ...body];
  }
  throw new Error('An AML package of more than 256 MiB.');
}

/** A name of one or two segments, from the root when it starts with a backslash. */
function nameString(path: string): number[] {
  const root = path.startsWith('\\') ? [ROOT] : [];
  const segments = path.replace('\\', '').split('.').map((segment) => [...segment.padEnd(4, '_')].map((c) => c.charCodeAt(0)));
  if (segments.length > 2) throw new Error(`The AML name ${path} has more than two segments.`);
  return [...root, ...(segments.length === 2 ? [DUAL_NAME] : []), ...segments.flat()];
}

/** An integer of up to 32 bits. */
export function integer(value: number): Aml {
  if (value === 0) return [Op.ZERO];
  if (value === 1) return [Op.ONE];
  if (value < 0x100) return [Op.BYTE, value];
  return value < 0x1_0000 ? [Op.WORD, ...little(value, 2)] : [Op.DWORD, ...little(value, 4)];
}

/** A string of ASCII characters. */
export const string = (text: string): Aml => [Op.STRING, ...[...text].map((c) => c.charCodeAt(0)), 0];
export const name = (path: string, value: Aml): Aml => [Op.NAME, ...nameString(path), ...value];
/** The value of a named object. */
export const reference = (path: string): Aml => nameString(path);
export const packageOf = (...elements: Aml[]): Aml => [Op.PACKAGE, ...withLength([elements.length, ...elements.flat()])];
export const scope = (path: string, ...body: Aml[]): Aml => [Op.SCOPE, ...withLength([...nameString(path), ...body.flat()])];
export const device = (path: string, ...body: Aml[]): Aml => [Op.EXTENDED, Op.DEVICE, ...withLength([...nameString(path), ...body.flat()])];
export const method = (path: string, argumentCount: number, ...body: Aml[]): Aml => [Op.METHOD, ...withLength([...nameString(path), argumentCount, ...body.flat()])];
export const ARGUMENT_0: Aml = [Op.ARGUMENT_0];
export const store = (value: Aml, path: string): Aml => [Op.STORE, ...value, ...nameString(path)];
export const ifTrue = (condition: Aml, ...body: Aml[]): Aml => [Op.IF, ...withLength([...condition, ...body.flat()])];
export const returns = (value: Aml): Aml => [Op.RETURN, ...value];

/** A compressed Plug and Play identifier such as PNP0A03: three letters and four hexadecimal digits. */
export function pnpId(id: string): Aml {
  const [a, b, c] = [...id].map((letter) => letter.charCodeAt(0) - 0x40) as [number, number, number];
  const number = parseInt(id.slice(3), 16);
  const letters = (a << 10) | (b << 5) | c;
  return [Op.DWORD, letters >> 8, letters & 0xff, number >> 8, number & 0xff];
}

/** A buffer of resource descriptors, ended by the end tag. */
export function resources(...descriptors: Aml[]): Aml {
  const bytes = [...descriptors.flat(), 0x79, 0x00];
  return [Op.BUFFER, ...withLength([...integer(bytes.length), ...bytes])];
}

/** ISA ports, decoded in 16 bits. */
export const ports = (first: number, count: number): Aml => [0x47, 1, ...little(first, 2), ...little(first, 2), 1, count];
/** An ISA interrupt line: edge-triggered, not shared. */
export const irq = (line: number): Aml => [0x22, ...little(1 << line, 2)];

/** Ranges that a bridge passes on; the last address is included. */
export const busNumbers = (first: number, last: number): Aml => word(2, 0, first, last);
export const portRange = (first: number, last: number): Aml => word(1, 3, first, last);
/** Memory that a device occupies, and nobody else may. */
export const memory = (first: number, length: number): Aml => [0x86, ...little(9, 2), 1, ...little(first, 4), ...little(length, 4)];
export const memoryRange = (first: number, last: number): Aml => [0x87, ...little(23, 2), 0, FIXED_PRODUCER, 1, ...little(0, 4), ...little(first, 4), ...little(last, 4), ...little(0, 4), ...little(last - first + 1, 4)];
/** General flags: minimum and maximum are fixed, positive decode, the bridge produces the range. */
const FIXED_PRODUCER = 0x0c;
const word = (kind: number, flags: number, first: number, last: number): Aml => [0x88, ...little(13, 2), kind, FIXED_PRODUCER, flags, ...little(0, 2), ...little(first, 2), ...little(last, 2), ...little(0, 2), ...little(last - first + 1, 2)];
