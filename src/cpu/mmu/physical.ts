/** Host-physical memory for TypeScript callers: RAM directly, devices through the bus, little endian, any alignment. */
import type { Processor } from '../processor';

/** One byte. */
export function readPhysicalByte(cpu: Processor, address: number): number {
  const frame = cpu.bus.frameForRead(Math.floor(address / 0x1000));
  return frame !== 0 ? cpu.views.u8[frame + (address % 0x1000)]! : cpu.bus.read(address, 1) & 0xff;
}

/** Up to 8 bytes. Inside one page of RAM it is one access; elsewhere byte by byte. */
export function readPhysical(cpu: Processor, address: number, size: number): bigint {
  const offset = address % 0x1000;
  if (size === 8 && offset <= 0xff8) {
    const frame = cpu.bus.frameForRead(Math.floor(address / 0x1000));
    if (frame !== 0) return cpu.views.data.getBigUint64(frame + offset, true);
  }
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(readPhysicalByte(cpu, address + i));
  return value;
}

/** Up to 8 bytes; decoded instructions that they overwrite are dropped. */
export function writePhysical(cpu: Processor, address: number, size: number, value: bigint): void {
  for (let i = 0; i < size; i++, value >>= 8n) {
    const at = address + i;
    const page = Math.floor(at / 0x1000);
    const frame = cpu.bus.frameForWrite(page);
    const byte = Number(value & 0xffn);
    if (frame === 0) {
      cpu.bus.write(at, 1, byte);
      continue;
    }
    cpu.views.u8[frame + (at % 0x1000)] = byte;
    if (cpu.codePages.has(page)) cpu.codePages.written(page, at % 0x1000, 1);
  }
}
