// As much of ELF as the disk images need: the loadable segments of a linked 64-bit file.

const PT_LOAD = 1;

/** The loadable segments of an ELF64 file, in file order: `{ physical, linear, flags, memorySize, bytes }`, and its entry. */
export function readElf(file, name) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 64 || view.getUint32(0) !== 0x7f454c46 || file[4] !== 2 || view.getUint16(18, true) !== 62)
    throw new Error(`${name} is not an ELF file for x86-64.`);
  const segments = [];
  const start = Number(view.getBigUint64(32, true));
  for (let i = 0; i < view.getUint16(56, true); i++) {
    const header = start + i * view.getUint16(54, true);
    if (view.getUint32(header, true) !== PT_LOAD) continue;
    const u64 = (offset) => view.getBigUint64(header + offset, true);
    const offset = Number(u64(8));
    const fileSize = Number(u64(32));
    if (u64(40) === 0n) continue;
    segments.push({
      flags: view.getUint32(header + 4, true),
      linear: u64(16),
      physical: u64(24),
      memorySize: u64(40),
      bytes: file.subarray(offset, offset + fileSize),
    });
  }
  return { entry: view.getBigUint64(24, true), segments };
}

/**
 * The same program without sections and symbols, each segment on a sector boundary: what the boot sectors of the lab
 * can load without a file system and without moving anything.
 */
export function bootableElf({ entry, segments }, sectorSize) {
  const align = (n) => Math.ceil(n / sectorSize) * sectorSize;
  const headers = 64 + 56 * segments.length;
  if (headers > sectorSize) throw new Error('The kernel has more segments than the boot sector can read.');
  const offsets = [];
  let end = align(headers);
  for (const segment of segments) {
    offsets.push(end);
    end += align(segment.bytes.length);
  }
  const file = Buffer.alloc(end);
  file.write('\x7fELF', 'latin1');
  file.set([2, 1, 1], 4); // 64-bit, little endian, version 1
  file.writeUInt16LE(2, 16); // executable
  file.writeUInt16LE(62, 18); // x86-64
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(entry, 24);
  file.writeBigUInt64LE(64n, 32); // program headers
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(segments.length, 56);
  segments.forEach((segment, i) => {
    const header = 64 + 56 * i;
    file.writeUInt32LE(PT_LOAD, header);
    file.writeUInt32LE(segment.flags, header + 4);
    file.writeBigUInt64LE(BigInt(offsets[i]), header + 8);
    file.writeBigUInt64LE(segment.linear, header + 16);
    file.writeBigUInt64LE(segment.physical, header + 24);
    file.writeBigUInt64LE(BigInt(segment.bytes.length), header + 32);
    file.writeBigUInt64LE(segment.memorySize, header + 40);
    file.writeBigUInt64LE(BigInt(sectorSize), header + 48);
    file.set(segment.bytes, offsets[i]);
  });
  return file;
}
