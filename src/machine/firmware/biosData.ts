/** The BIOS data area at 0x400 and the extended one below 640 KiB: where each thing is, and their first contents. */
import { BASE_MEMORY_KIB, EBDA, FACS } from '../memory/addressMap';
import { facs } from './acpi';
import type { PhysicalMemory } from '../memory/physicalMemory';
import { type MpOptions, mpConfigurationTable, mpFloatingPointer } from './mpTable';

/** Physical addresses. */
export const Bda = {
  COM1: 0x400,
  LPT1: 0x408,
  EBDA_SEGMENT: 0x40e,
  EQUIPMENT: 0x410,
  BASE_MEMORY: 0x413,
  KEYBOARD_FLAGS: 0x417,
  KEY_HEAD: 0x41a,
  KEY_TAIL: 0x41c,
  KEYS: 0x41e,
  FLOPPY_STATE: 0x43e,
  VIDEO_MODE: 0x449,
  COLUMNS: 0x44a,
  PAGE_SIZE: 0x44c,
  PAGE_START: 0x44e,
  /** One word per page: column, row. */
  CURSOR: 0x450,
  CURSOR_SHAPE: 0x460,
  VIDEO_PAGE: 0x462,
  CRTC: 0x463,
  RESET_POINTER: 0x467,
  TICKS: 0x46c,
  MIDNIGHT: 0x470,
  DISK_STATUS: 0x474,
  HARD_DISKS: 0x475,
  KEY_BUFFER_START: 0x480,
  KEY_BUFFER_END: 0x482,
  LAST_ROW: 0x484,
  CHARACTER_HEIGHT: 0x485,
  VIDEO_CONTROL: 0x487,
  KEYBOARD_TYPE: 0x496,
  /** This BIOS's own: 1 while the keyboard's controller holds a code for which the buffer had no room. */
  KEY_WITHHELD: 0x4f6,
  /** This BIOS's own: 1 when somebody has named what the mouse's reports are for. */
  MOUSE_HANDLER: 0x4f7,
  /** This BIOS's own: tick at which the wait of INT 15h 86h is over, 8 bytes; 0 while nobody waits. */
  WAIT_UNTIL: 0x4f8,
} as const;

/** Offsets of the keyboard buffer inside segment 0x40: sixteen words. */
const KEY_BUFFER = 0x1e;
const KEY_BUFFER_LIMIT = 0x3e;
/** Mathematics coprocessor, 80 by 25 colour, PS/2 mouse port, one serial and one parallel port. */
const EQUIPMENT_WORD = 0x4226;
const MP_POINTER = EBDA + 0x10;
const MP_TABLE = EBDA + 0x20;

/** There are floppy disk drives; in bits 7:6 how many more than one. */
const EQUIPMENT_FLOPPY = 0x0001;
const floppyDrives = (count: number): number => (count > 0 ? EQUIPMENT_FLOPPY | ((count - 1) << 6) : 0);

export function fillBiosData(memory: PhysicalMemory, drives: number, floppies: number, mp: MpOptions): void {
  memory.writeBytes(0x400, new Uint8Array(0x100));
  const word = (at: number, value: number): void => memory.store(at, 2, value);
  word(Bda.COM1, 0x3f8);
  word(Bda.LPT1, 0x378);
  word(Bda.EBDA_SEGMENT, EBDA >> 4);
  word(Bda.EQUIPMENT, EQUIPMENT_WORD | floppyDrives(floppies));
  word(Bda.BASE_MEMORY, BASE_MEMORY_KIB);
  word(Bda.KEY_HEAD, KEY_BUFFER);
  word(Bda.KEY_TAIL, KEY_BUFFER);
  word(Bda.KEY_BUFFER_START, KEY_BUFFER);
  word(Bda.KEY_BUFFER_END, KEY_BUFFER_LIMIT);
  word(Bda.COLUMNS, 80);
  word(Bda.PAGE_SIZE, 4096);
  word(Bda.CRTC, 0x3d4);
  word(Bda.CHARACTER_HEIGHT, 16);
  memory.store(Bda.LAST_ROW, 1, 24);
  memory.store(Bda.VIDEO_CONTROL, 1, 0x60);
  memory.store(Bda.KEYBOARD_TYPE, 1, 0x10);
  memory.store(Bda.HARD_DISKS, 1, drives);

  memory.writeBytes(EBDA, new Uint8Array(0x400));
  memory.store(EBDA, 1, 1); // its size in KiB
  memory.writeBytes(MP_POINTER, mpFloatingPointer(MP_TABLE));
  const table = mpConfigurationTable(mp);
  if (MP_TABLE + table.length > FACS) throw new Error('The MP table does not fit into the extended BIOS data area.');
  memory.writeBytes(MP_TABLE, table);
  memory.writeBytes(FACS, facs());
}

/** Appends a key (scan code, character) to the BIOS's keyboard buffer; false when it is full. */
export function pushKey(memory: PhysicalMemory, key: number): boolean {
  if (!hasRoomForKey(memory)) return false;
  const tail = memory.load(Bda.KEY_TAIL, 2);
  memory.store(0x400 + tail, 2, key);
  memory.store(Bda.KEY_TAIL, 2, following(memory, tail));
  return true;
}

/** Whether the buffer has room for another key. */
export const hasRoomForKey = (memory: PhysicalMemory): boolean => following(memory, memory.load(Bda.KEY_TAIL, 2)) !== memory.load(Bda.KEY_HEAD, 2);

/** The oldest key of the buffer, taken out when `take` is set; undefined when there is none. */
export function nextKey(memory: PhysicalMemory, take: boolean): number | undefined {
  const head = memory.load(Bda.KEY_HEAD, 2);
  if (head === memory.load(Bda.KEY_TAIL, 2)) return undefined;
  const key = memory.load(0x400 + head, 2);
  if (take) memory.store(Bda.KEY_HEAD, 2, following(memory, head));
  return key;
}

function following(memory: PhysicalMemory, at: number): number {
  return at + 2 >= memory.load(Bda.KEY_BUFFER_END, 2) ? memory.load(Bda.KEY_BUFFER_START, 2) : at + 2;
}
