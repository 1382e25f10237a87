/** readMemory, writeMemory, disassemble. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { hex } from '../../base/bits';
import { UserError } from '../../base/errors';
import { disassemble, type Row } from '../../debug/disassembly/rows';
import { innermostFrame } from '../../debug/stack/innermostFrame';
import type { SpaceName } from '../../debug/memory/memorySpace';
import type { World } from '../../debug/world';
import { fromBase64, parseReference, toBase64 } from '../memoryReference';
import type { Handlers } from '../protocol';
import type { Session } from '../session';
import { placeOf } from '../sources';

/** A client that asks for more rows or bytes than this at once has miscounted. */
const MOST_ROWS = 10_000;
const MOST_BYTES = 1 << 26;
const SPACE = 1n << 64n;

/** The first address that a request means; undefined where it lies outside of all addresses. */
function startOf(session: Session, { memoryReference, offset = 0 }: { memoryReference: string; offset?: number }): { space: SpaceName; start: bigint | undefined } {
  const { space, address } = parseReference(memoryReference, session.debugger.target.world);
  const start = address + BigInt(offset);
  return { space, start: start >= 0n && start < SPACE ? start : undefined };
}

async function told(session: Session, world: World, row: Row): Promise<DebugProtocol.DisassembledInstruction> {
  const instruction: DebugProtocol.DisassembledInstruction = { address: hex(row.address), instruction: row.text };
  if (!row.valid) return { ...instruction, presentationHint: 'invalid' };
  instruction.instructionBytes = Array.from(row.bytes, (b) => b.toString(16).padStart(2, '0')).join(' ');
  instruction.symbol = row.symbol;
  const image = session.debugger.target.images.at(world, row.address)?.image;
  if (row.line && image && row.line.line > 0) {
    const place = await placeOf(session, image, row.line.file, row.line.line);
    if (place.source.presentationHint === undefined && place.line > 0) {
      instruction.location = place.source;
      instruction.line = place.line;
    }
  }
  return instruction;
}

export const memoryHandlers = (session: Session): Handlers => ({
  readMemory(args: DebugProtocol.ReadMemoryArguments) {
    session.requireStopped();
    if (args.count > MOST_BYTES) throw new UserError('memory', `${args.count} bytes are too many at once.`);
    const { space, start } = startOf(session, args);
    if (start === undefined) return { address: hex(0), unreadableBytes: args.count };
    session.shownMemory.reads(args.memoryReference, args.offset ?? 0, args.count);
    const bytes = args.count > 0 ? session.debugger.target.read(space, start, args.count) : new Uint8Array();
    return { address: hex(start), data: toBase64(bytes), unreadableBytes: args.count - bytes.length || undefined };
  },

  writeMemory(args: DebugProtocol.WriteMemoryArguments) {
    session.requireStopped();
    const { target } = session.debugger;
    const bytes = fromBase64(args.data);
    const { space, start } = startOf(session, args);
    if (start === undefined) throw new UserError('memory', `${args.memoryReference} and ${args.offset} lead to no address of 64 bits.`);
    const before = target.read(space, start, bytes.length);
    const bytesWritten = target.write(space, start, bytes);
    if (bytesWritten < bytes.length && !args.allowPartial) {
      // All of it or nothing.
      target.write(space, start, before.subarray(0, bytesWritten));
      throw new UserError('memory', `Only ${bytesWritten} of ${bytes.length} bytes at ${hex(start)} are RAM that can be written.`);
    }
    session.shownMemory.reads(args.memoryReference, args.offset ?? 0, bytesWritten);
    session.changed();
    return { bytesWritten };
  },

  async disassemble(args: DebugProtocol.DisassembleArguments) {
    session.requireStopped();
    const { target } = session.debugger;
    const { space, address } = parseReference(args.memoryReference, target.world);
    if (space !== 'vmm' && space !== 'guest') throw new UserError('memory-reference', 'Code is disassembled by linear address: vmm:0x... or guest:0x...');
    if (args.instructionCount > MOST_ROWS) throw new UserError('disassemble', `${args.instructionCount} instructions are too many at once.`);
    const bits = innermostFrame(target, target.registers(space))?.bits ?? 64;
    const rows = disassemble(target, session.host.disassembler, space, bits, BigInt.asUintN(64, address + BigInt(args.offset ?? 0)), args.instructionOffset ?? 0, args.instructionCount);
    const instructions: DebugProtocol.DisassembledInstruction[] = [];
    for (const row of rows) instructions.push(await told(session, space, row));
    return { instructions };
  },
});
