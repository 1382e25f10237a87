/**
 * The characters that the BIOS draws and lends to software (INT 10h AX=1130h): drawn here as strokes on a grid of 5 columns
 * and 8 lines, whose last one is below the base line, and made into bitmaps of 8 columns and 8, 14 or 16 lines.
 */

const FIRST = 0x20;
/** From space on. Each glyph is strokes with a blank between them, each stroke its corners (column, line) or a single dot. */
const STROKES = [
  '', '2024 26', '1012 3032', '1016 3036 0242 0444', '4111 02 13 33 44 3505 2026', '0046 00 46 40 06', '46021120 31 05163544', '2022', '30121436', '10323416',
  '2125 0145 0541', '2125 0343', '252617', '0343', '26', '4006', '1030413536 301001051636 0541', '112026 1636', '0110304142064646', '00403213 33444536 160516', '30034344 3036', '4000033344453616', '3010010516364544330204', '0040422426', '103041423313020110 3344453616050413', '0516364541301001021343',
  '22 25', '22 2526', '400346', '0242 0444', '004306', '0110304142242426', '43233444404110010516 46', '0602204246 0444', '0006 0030413303 334536 06', '413010010516364545', '000630414536 06 0030 0636', '40000646 0333', '400006 0333', '4130100105163646443424', '0006 4046 0343',
  '1030 2026 1636', '4045361605', '0006 4003 0346', '000646', '0600234046', '06004640', '1030414536160501 10', '0006 00304142330303', '1030414536160501 10 2446', '0006 0030414233 0303 2346', '413010010213334445361605', '0040 2026', '000516364540', '00042640 44', '000623464640', '0046 4006',
  '0023402326 2326', '00400646', '30101636', '0046', '10303616', '022042', '0747', '1021', '1232434646 46160504440404', '0006 0333444536 06', '431303051646', '4046 43130304051646', '044443321203051646', '3020111116 0333', '4647371707 42120304153544', '0006 0333434646',
  '20 222626 1222', '30 3237270617', '0006 4204 0446', '102026 3626', '0602 0212232623 223243', '0602 02323343 4346', '1232434536160503 12', '0207 0232434435 0535', '4247 4212030415 0545', '0602 031232 42', '42120313344536 0636', '1015263635 0232', '020516364642', '022642', '020616242636464202', '0246 4206',
  '0204153544 42473717', '02420646', '30212223132324253626', '2027', '10212223332324251626', '0211314140',
] as const;
const NOT_DRAWN = '00400747 0007 4047';

/** Eight bits for each line, the leftmost column in the highest bit. */
type Bitmap = Uint8Array;

/** A glyph of `lines` lines. */
function glyph(strokes: string, lines: number): Bitmap {
  const bitmap = new Uint8Array(lines);
  const tall = lines > 8;
  const y = (grid: number): number => (tall ? Math.round((grid * (lines - 2)) / 7) + 1 : grid);
  const dot = (column: number, line: number): void => {
    bitmap[Math.min(line, lines - 1)]! |= 0x40 >> column;
  };
  for (const stroke of strokes.split(' ')) {
    let column = NaN;
    let line = NaN;
    for (let i = 0; i < stroke.length; i += 2) {
      const toColumn = Number(stroke[i]);
      const toLine = y(Number(stroke[i + 1]));
      if (i === 0) dot(toColumn, toLine);
      const steps = i === 0 ? 0 : Math.max(Math.abs(toColumn - column), Math.abs(toLine - line));
      for (let step = 1; step <= steps; step++) dot(Math.round(column + ((toColumn - column) * step) / steps), Math.round(line + ((toLine - line) * step) / steps));
      column = toColumn;
      line = toLine;
    }
  }
  return bitmap;
}

/** What is drawn with whole cells: shades, block, its halves. */
const CELLS: Readonly<Record<number, (line: number, lines: number) => number>> = {
  0x00: () => 0,
  0xb0: (line) => (line & 1 ? 0x11 : 0x44),
  0xb1: (line) => (line & 1 ? 0x55 : 0xaa),
  0xb2: (line) => (line & 1 ? 0xee : 0xbb),
  0xb3: () => 0x18,
  0xc4: (line, lines) => (line === lines >> 1 ? 0xff : 0),
  0xdb: () => 0xff,
  0xdc: (line, lines) => (line >= lines >> 1 ? 0xff : 0),
  0xdd: () => 0xf0,
  0xde: () => 0x0f,
  0xdf: (line, lines) => (line < lines >> 1 ? 0xff : 0),
  0xff: () => 0,
};

/** The 256 characters of a font with 8, 14 or 16 lines, one behind the other. Those that are not drawn are a box. */
export function font(lines: 8 | 14 | 16): Uint8Array {
  const bytes = new Uint8Array(256 * lines);
  const box = glyph(NOT_DRAWN, lines);
  for (let code = 0; code < 256; code++) {
    const cell = CELLS[code];
    const strokes = STROKES[code - FIRST];
    bytes.set(cell ? Array.from({ length: lines }, (_, line) => cell(line, lines)) : strokes === undefined ? box : glyph(strokes, lines), code * lines);
  }
  return bytes;
}
