/** Memory images of several hundred bytes, as FXSAVE and XSAVE write them: page by page, whole or not at all. */
import { plainHost, probeWrite, readLinear, writeLinear } from '../mmu/linear';
import type { Processor } from '../processor';

const PAGE = 0x1000;

const wrap = (linear: bigint, at: number): bigint => BigInt.asUintN(64, linear + BigInt(at));

/** Calls `piece` for each part of bytes `from` to `to` that lies in one page. */
function byPage(linear: bigint, from: number, to: number, piece: (from: number, to: number) => void): void {
  for (let at = from; at < to; ) {
    const inPage = Number(wrap(linear, at) & BigInt(PAGE - 1));
    const end = Math.min(to, at + PAGE - inPage);
    piece(at, end);
    at = end;
  }
}

/** Reads bytes `from` to `to` (multiples of 8) of the area at a linear address into the same places of `image`. Throws the fault. */
export function readArea(cpu: Processor, linear: bigint, image: DataView, from: number, to: number): void {
  byPage(linear, from, to, (first, end) => {
    const host = plainHost(cpu, wrap(linear, first), false, end - first);
    if (host !== 0) new Uint8Array(image.buffer, image.byteOffset + first, end - first).set(cpu.views.u8.subarray(host, host + end - first));
    else for (let at = first; at < end; at += 8) image.setBigUint64(at, readLinear(cpu, wrap(linear, at), 8), true);
  });
}

/** Throws the fault that writing bytes `from` to `to` of the area would raise. */
export function probeArea(cpu: Processor, linear: bigint, from: number, to: number): void {
  byPage(linear, from, to, (first, end) => {
    if (plainHost(cpu, wrap(linear, first), true, end - first) === 0) probeWrite(cpu, wrap(linear, first), end - first);
  });
}

/** Writes bytes `from` to `to` (multiples of 8) of `image` to the same places of the area. The caller has probed all that it writes. */
export function writeArea(cpu: Processor, linear: bigint, image: DataView, from: number, to: number): void {
  byPage(linear, from, to, (first, end) => {
    const host = plainHost(cpu, wrap(linear, first), true, end - first);
    if (host !== 0) cpu.views.u8.set(new Uint8Array(image.buffer, image.byteOffset + first, end - first), host);
    else for (let at = first; at < end; at += 8) writeLinear(cpu, wrap(linear, at), 8, image.getBigUint64(at, true));
  });
}
