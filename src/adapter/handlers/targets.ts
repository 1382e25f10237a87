/** stepInTargets, gotoTargets, goto, restartFrame: places of the present line, or of another one, to go on at. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { UserError } from '../../base/errors';
import { instructionKind } from '../../debug/run/instructionKind';
import { addressName, type CodeFrame } from '../../debug/stack/callStack';
import type { World } from '../../debug/world';
import { referenceTo } from '../memoryReference';
import type { Handlers } from '../protocol';
import type { Session } from '../session';
import { processorOf } from '../threads';
import { codeFrame } from './stack';

const MOST_BYTES = 15;
/** CALL with a displacement of 32 bits. */
const CALL_REL32 = 0xe8;

/** What the adapter has called a target. They are void when the machine runs. */
interface Place {
  world: World;
  address: bigint;
}

/** Every call of the line that a frame stands in, from where it stands; and the guest, where the line enters it. */
function callsOf(session: Session, frame: CodeFrame): { label: string; address: bigint; line: number; column: number }[] {
  const { target } = session.debugger;
  const image = frame.image?.image;
  const row = image?.lineAt(frame.frame.pc);
  const fn = image?.functionAt(frame.frame.pc) ?? (row && { ranges: [{ low: row.address, high: row.end }] });
  if (!image || !row || !fn) return [];
  const calls = [];
  const rows = fn.ranges.flatMap(({ low, high }) => [...image.rows(low, high)]).filter((r) => r.line === row.line && r.file === row.file && r.end > frame.frame.pc);
  for (const { address, end, column } of rows) {
    const start = address > frame.frame.pc ? address : frame.frame.pc;
    const bytes = target.read(frame.world, start, Number(end - start));
    let at = 0;
    for (const { length, text } of session.host.disassembler.decode(bytes, start, frame.frame.bits, bytes.length)) {
      const code = bytes.subarray(at, at + MOST_BYTES);
      const kind = instructionKind(code, frame.frame.bits === 64);
      const here = start + BigInt(at);
      at += length;
      if (kind === 'vm-entry' && frame.world === 'vmm') calls.push({ label: 'the guest', address: here, line: row.line, column });
      if (kind === 'call') calls.push({ label: code[0] === CALL_REL32 ? addressName(target, frame.world, callee(code, here)) : text, address: here, line: row.line, column });
      if (at >= bytes.length) break;
    }
  }
  return calls;
}

const callee = (code: Uint8Array, at: bigint): bigint => BigInt.asUintN(64, at + 5n + BigInt(new DataView(code.buffer, code.byteOffset).getInt32(1, true)));

export const targetHandlers = (session: Session): Handlers => ({
  stepInTargets({ frameId }: DebugProtocol.StepInTargetsArguments): DebugProtocol.StepInTargetsResponse['body'] {
    session.requireStopped();
    const frame = codeFrame(session, frameId);
    if (frame.level > 0 || frame.world !== session.debugger.target.world) return { targets: [] };
    return {
      targets: callsOf(session, frame).map(({ label, address, line, column }) => ({
        id: session.references.target({ world: frame.world, address }),
        label,
        line: session.format.line(line),
        ...(column > 0 ? { column: session.format.column(column) } : {}),
      })),
    };
  },

  async gotoTargets({ source, line }: DebugProtocol.GotoTargetsArguments): Promise<DebugProtocol.GotoTargetsResponse['body']> {
    session.requireStopped();
    const { target } = session.debugger;
    const path = session.format.fromPath(source.path ?? '');
    const targets: DebugProtocol.GotoTarget[] = [];
    for (const { image, world } of target.images.images) {
      if (world !== undefined && world !== target.world) continue;
      const at = await session.run.sources.toImage(image, path, session.format.fromLine(line));
      for (const file of at.files) {
        for (const { address, line: found } of image.addressesOf(file, at.line)) {
          // Only code that is in memory can be gone on at.
          if (target.images.at(target.world, address)?.image !== image) continue;
          targets.push({
            id: session.references.target({ world: target.world, address }),
            label: `${addressName(target, target.world, address)}, line ${session.format.line(found)}`,
            line: session.format.line(found),
            instructionPointerReference: referenceTo(target.world, address),
          });
        }
      }
    }
    return { targets };
  },

  goto({ targetId, threadId }: DebugProtocol.GotoArguments) {
    session.requireStopped();
    session.debugger.focus(processorOf(session.debugger, threadId));
    const { world, address } = placeOf(session, targetId);
    session.debugger.jump(world, address);
    session.protocol.after(() => session.hasStopped({ kind: 'goto' }));
  },

  restartFrame({ frameId }: DebugProtocol.RestartFrameArguments) {
    session.requireStopped();
    session.debugger.restartFrame(codeFrame(session, frameId));
    session.goes();
  },
});

/** The place that the client was told by a number. Throws a UserError for one of an earlier stop. */
export function placeOf(session: Session, id: number): Place {
  const place = session.references.targetAt(id);
  if (!place) throw new UserError('target', 'That target is of an earlier stop.');
  return place;
}
