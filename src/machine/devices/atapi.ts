/** A CD-ROM drive's packet commands (SFF-8020i, MMC-3): what each yields for the disc in the drive. */
import { type Drive, SECTOR_SIZE } from '../disk/drive';

export const CD_BLOCK = 2048;
export const PACKET_SIZE = 12;
const PER_BLOCK = CD_BLOCK / SECTOR_SIZE;

/** Sense key, additional sense code and its qualifier. */
export type Sense = readonly [key: number, code: number, qualifier: number];
export const NO_SENSE: Sense = [0, 0, 0];
const INVALID_COMMAND: Sense = [5, 0x20, 0];
export const BEYOND_END: Sense = [5, 0x21, 0];
const INVALID_FIELD: Sense = [5, 0x24, 0];

/** What a command comes to: data for the host (perhaps none), or an error. */
export type PacketResult = { data: Uint8Array } | { sense: Sense };

/** Complete blocks of a disc. */
export const cdBlocks = (drive: Drive): number => Math.ceil(drive.sectors / PER_BLOCK);

/** Blocks of a disc in a row; what the image lacks of the last one is zeros. Must not be modified. */
export const readCdBlocks = (drive: Drive, first: number, count = 1): Uint8Array => drive.readRun(first * PER_BLOCK, count * PER_BLOCK);

const NOTHING: PacketResult = { data: new Uint8Array() };
const upTo = (length: number, bytes: ArrayLike<number>): PacketResult => ({ data: Uint8Array.from(bytes).subarray(0, length) });
const big16 = (v: number): number[] => [(v >> 8) & 0xff, v & 0xff];
const big32 = (v: number): number[] => [...big16(v >>> 16), ...big16(v & 0xffff)];
const ascii = (text: string, length: number): number[] => [...text.padEnd(length)].map((c) => c.charCodeAt(0));

/** Mode pages: error recovery; capabilities (reads CD-R and CD-RW, tray, lock, 24 times CD speed). */
const MODE_PAGES = new Map<number, readonly number[]>([
  [0x01, [0x01, 0x06, 0x00, 0x05, 0, 0, 0, 0]],
  [0x2a, [0x2a, 0x12, 0x03, 0x00, 0x71, 0x60, 0x29, 0x00, ...big16(4234), ...big16(2), ...big16(512), ...big16(4234), 0, 0, 0, 0]],
]);
/** Medium type of a data disc. */
const DATA_DISC = 0x01;
const TRACK_DATA = 0x14;
const LEAD_OUT = 0xaa;

function read(drive: Drive, first: number, count: number): PacketResult {
  if (first + count > cdBlocks(drive)) return { sense: BEYOND_END };
  return { data: readCdBlocks(drive, first, count).slice() };
}

function modeSense(packet: DataView, length: number, headerSize: 4 | 8): PacketResult {
  const page = packet.getUint8(2) & 0x3f;
  const pages = page === 0x3f ? [...MODE_PAGES.values()].flat() : MODE_PAGES.get(page);
  if (!pages) return { sense: INVALID_FIELD };
  const header = headerSize === 8 ? [...big16(pages.length + 6), DATA_DISC, 0, 0, 0, 0, 0] : [pages.length + 3, DATA_DISC, 0, 0];
  return upTo(length, [...header, ...pages]);
}

/** Table of contents: one data track, and the lead-out behind it. */
function tableOfContents(drive: Drive, packet: DataView, length: number): PacketResult {
  const minutes = (packet.getUint8(1) & 2) !== 0;
  const format = packet.getUint8(2) & 15 || packet.getUint8(9) >> 6;
  const address = (block: number): number[] => {
    const frame = block + 150;
    return minutes ? [0, Math.floor(frame / 4500), Math.floor(frame / 75) % 60, frame % 75] : big32(block);
  };
  if (format === 1) return upTo(length, [...big16(10), 1, 1, 0, TRACK_DATA, 1, 0, ...address(0)]); // sessions: one
  if (format !== 0) return { sense: INVALID_FIELD };
  const start = packet.getUint8(6);
  if (start > 1 && start !== LEAD_OUT) return { sense: INVALID_FIELD };
  const tracks = [...(start <= 1 ? [0, TRACK_DATA, 1, 0, ...address(0)] : []), 0, TRACK_DATA, LEAD_OUT, 0, ...address(cdBlocks(drive))];
  return upTo(length, [...big16(tracks.length + 2), 1, 1, ...tracks]);
}

type Command = (drive: Drive, packet: DataView, sense: Sense) => PacketResult;
const COMMANDS = new Map<number, Command>([
  [0x00, () => NOTHING], // TEST UNIT READY: the disc is always in
  [0x03, (_drive, packet, [key, code, qualifier]) => upTo(packet.getUint8(4), [0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, code, qualifier, 0, 0, 0, 0])], // REQUEST SENSE
  [0x12, (_drive, packet) => upTo(packet.getUint8(4), [0x05, 0x80, 0, 0x21, 31, 0, 0, 0, ...ascii('HYPRSTEP', 8), ...ascii('CD-ROM', 16), ...ascii('1.0', 4)])], // INQUIRY
  [0x1a, (_drive, packet) => modeSense(packet, packet.getUint8(4), 4)],
  [0x1b, () => NOTHING], // START STOP UNIT
  [0x1e, () => NOTHING], // PREVENT ALLOW MEDIUM REMOVAL
  [0x25, (drive) => upTo(8, [...big32(cdBlocks(drive) - 1), ...big32(CD_BLOCK)])], // READ CAPACITY
  [0x28, (drive, packet) => read(drive, packet.getUint32(2), packet.getUint16(7))],
  [0x2b, () => NOTHING], // SEEK
  [0x43, (drive, packet) => tableOfContents(drive, packet, packet.getUint16(7))],
  [0x46, (_drive, packet) => upTo(packet.getUint16(7), [...big32(12), 0, 0, ...big16(0x0008), ...big16(0), 0x03, 4, ...big16(0x0008), 1, 0])], // GET CONFIGURATION: profile CD-ROM
  [0x4a, (_drive, packet) => (packet.getUint8(1) & 1 ? upTo(packet.getUint16(7), packet.getUint8(4) & 0x10 ? [0, 6, 4, 0x10, 0, 2, 0, 0] : [0, 2, 0x80, 0x10]) : { sense: INVALID_FIELD })], // GET EVENT STATUS: media present
  [0x51, (_drive, packet) => upTo(packet.getUint16(7), [0, 32, 0x0e, 1, 1, 1, 1, 0x20, ...new Array<number>(26).fill(0)])], // READ DISC INFORMATION: finalised, one session
  [0x5a, (_drive, packet) => modeSense(packet, packet.getUint16(7), 8)],
  [0xa8, (drive, packet) => read(drive, packet.getUint32(2), packet.getUint32(6))],
  [0xbb, () => NOTHING], // SET CD SPEED
  [0xbd, (_drive, packet) => upTo(packet.getUint16(8), [0, 0, 0, 0, 0, 0, 0, 0])], // MECHANISM STATUS
]);

/** Carries out the command in 12 bytes. `sense` is what the command before it left. */
export function packetCommand(drive: Drive, packet: Uint8Array, sense: Sense): PacketResult {
  const command = COMMANDS.get(packet[0]!);
  return command ? command(drive, new DataView(packet.buffer, packet.byteOffset, packet.length), sense) : { sense: INVALID_COMMAND };
}
