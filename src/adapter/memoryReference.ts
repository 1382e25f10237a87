/** Memory references: a space and an address, `vmm:0x8004200000`, `gpa:0x6000`. A bare address belongs to the world that runs. */
import { hex } from '../base/bits';
import { UserError } from '../base/errors';
import type { SpaceName } from '../debug/memory/memorySpace';
import type { World } from '../debug/world';

const PATTERN = /^(?:(vmm|guest|gpa|hpa):)?(0x[0-9a-f]+|[0-9]+)$/i;

export interface MemoryPlace {
  space: SpaceName;
  address: bigint;
}

/** Reads a reference. Throws a UserError that says how one is written. */
export function parseReference(reference: string, world: World): MemoryPlace {
  const match = PATTERN.exec(reference.trim());
  if (!match) throw new UserError('memory-reference', `"${reference}" is not an address: write vmm:0x1000, guest:0x1000, gpa:0x1000 or hpa:0x1000.`);
  return { space: (match[1]?.toLowerCase() as SpaceName | undefined) ?? world, address: BigInt(match[2]!) };
}

export const referenceTo = (space: SpaceName, address: bigint): string => `${space}:${hex(address)}`;

/** Base64 without Node's or the browser's helpers for binary strings, which differ. */
export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

/** Throws a UserError for what is no base64. */
export function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch {
    throw new UserError('base64', 'The bytes to write are not base64.');
  }
}
