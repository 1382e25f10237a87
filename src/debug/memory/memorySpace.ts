/** Address spaces the debugger reads and writes: a world's linear addresses, guest-physical, host-physical. */
import { PAGE_SIZE } from '../../base/address';
import type { Machine } from '../../machine/machineInterface';

export type SpaceName = 'vmm' | 'guest' | 'gpa' | 'hpa';

export interface MemorySpace {
  readonly name: SpaceName;
  /** Host-physical address behind `address`, or undefined. Contiguous within a 4-KiB page. */
  translate(address: bigint): number | undefined;
}

const PAGE = BigInt(PAGE_SIZE);

/** Cuts [address, address + length) at page boundaries; stops where `visit` returns false. */
function forEachPage(space: MemorySpace, address: bigint, length: number, visit: (hpa: number, offset: number, length: number) => boolean): number {
  let done = 0;
  while (done < length) {
    const at = BigInt.asUintN(64, address + BigInt(done));
    const chunk = Math.min(length - done, Number(PAGE - (at % PAGE)));
    const hpa = space.translate(at);
    if (hpa === undefined || !visit(hpa, done, chunk)) break;
    done += chunk;
  }
  return done;
}

/** Reads as many of `length` bytes as are mapped from `address` on without a gap; may be empty. */
export function readBytes(machine: Machine, space: MemorySpace, address: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const done = forEachPage(space, address, length, (hpa, offset, chunk) => {
    const part = machine.readMemory(hpa, chunk);
    if (part) bytes.set(part, offset);
    return part !== undefined;
  });
  return bytes.subarray(0, done);
}

/** Writes as many bytes as are mapped to RAM from `address` on; yields their number. */
export function writeBytes(machine: Machine, space: MemorySpace, address: bigint, bytes: Uint8Array): number {
  return forEachPage(space, address, bytes.length, (hpa, offset, chunk) => machine.writeMemory(hpa, bytes.subarray(offset, offset + chunk)));
}

/** Little-endian unsigned integer of 1 to 8 bytes, or undefined where memory is not mapped. */
export function readInteger(machine: Machine, space: MemorySpace, address: bigint, size: number): bigint | undefined {
  const bytes = readBytes(machine, space, address, size);
  if (bytes.length < size) return undefined;
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}
