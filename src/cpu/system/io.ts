/** Port input and output: the I/O permission checks (SDM volume 1, "Protected-Mode I/O") and the access itself. */
import { Vector } from '../fault';
import { readLinear } from '../mmu/linear';
import type { Processor } from '../processor';
import { Seg } from '../state';
import { ioplOf, isProtected, isVirtual8086 } from './mode';

/** Offset of the I/O map base address in a 32-bit or 64-bit TSS. */
const IO_MAP_BASE = 0x66;

/** Throws #GP(0) unless CPL or the TSS's permission bitmap lets `size` bytes of ports be used. */
export function checkPorts(cpu: Processor, port: number, size: number): void {
  const s = cpu.state;
  if (!isProtected(s) || (!isVirtual8086(s) && s.cpl <= ioplOf(s))) return;
  const limit = s.limit(Seg.TR);
  const base = s.segBase(Seg.TR);
  const wide = (s.access(Seg.TR) & 8) !== 0;
  if (wide && limit >= IO_MAP_BASE + 1) {
    const map = Number(readLinear(cpu, base + BigInt(IO_MAP_BASE), 2, true)) + (port >>> 3);
    // Two bytes are always read: the map ends with a byte of ones.
    if (map + 1 <= limit) {
      const bits = Number(readLinear(cpu, base + BigInt(map), 2, true)) >>> (port & 7);
      if ((bits & ((1 << size) - 1)) === 0) return;
    }
  }
  throw cpu.fault.exception(Vector.GP, 0);
}
