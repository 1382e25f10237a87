/** Packets that insert and remove breakpoints and watchpoints. GDB manual, "Packets", z and Z. */
import { hex } from '../base/bits';
import type { Debugger } from '../debug/debugger';
import type { StopCause } from '../debug/run/stopCause';
import type { AccessType, DataAccess, DataRequest } from '../debug/watch/dataBreakpoints';
import { parseNumber } from './hexText';
import { ERROR, OK, UNKNOWN } from './replies';
import type { WorldChoice } from './worldChoice';

/** Watchpoints by their packet: what they wait for, and how a stop for them is told. */
const WATCHPOINTS: Readonly<Record<string, { access: AccessType; stop: string }>> = {
  2: { access: 'write', stop: 'watch' },
  3: { access: 'read', stop: 'rwatch' },
  4: { access: 'readWrite', stop: 'awatch' },
};

/** The address that GDB compares with its watchpoints. */
function watchHit({ breakpoint: { request } }: DataAccess): string {
  const { watched, access } = request;
  const kind = Object.values(WATCHPOINTS).find((w) => w.access === access)?.stop;
  return watched.kind !== 'memory' || kind === undefined ? '' : `${kind}:${watched.address.toString(16)};`;
}

export class BreakpointPackets {
  /** Addresses of Z1, of the Z0s that are also in place. */
  private readonly hardware = new Set<bigint>();
  private readonly software = new Set<bigint>();
  private readonly watchpoints = new Map<string, DataRequest>();

  constructor(
    private readonly d: Debugger,
    private readonly worlds: WorldChoice,
  ) {}

  /** Why the machine stopped, for a stop reply. */
  hit(cause: StopCause | undefined, pc: bigint | undefined): string {
    if (cause?.kind === 'data') return watchHit(cause.access);
    if (cause?.kind !== 'breakpoint' || pc === undefined) return '';
    return this.hardware.has(pc) ? 'hwbreak:;' : 'swbreak:;';
  }

  /** `Z0,addr,kind` and `Z1`; `Z2,addr,length` to `Z4` watch memory. */
  packet(insert: boolean, text: string): string {
    const [type, digits, size] = text.split(',');
    const address = parseNumber(digits);
    if (type !== undefined && type in WATCHPOINTS) return this.watchpoint(insert, type, address, parseNumber(size));
    const set = type === '0' ? this.software : type === '1' ? this.hardware : undefined;
    if (!set) return UNKNOWN;
    if (address === undefined) return ERROR;
    if (insert) {
      set.add(address);
      this.worlds.insert(address);
    } else {
      set.delete(address);
      if (!this.software.has(address) && !this.hardware.has(address)) this.worlds.remove(address);
    }
    this.d.breakpoints.setInstructions(this.worlds.breakpoints, 'gdb');
    return OK;
  }

  private watchpoint(insert: boolean, type: string, address: bigint | undefined, length: bigint | undefined): string {
    if (address === undefined || length === undefined || length < 1n) return ERROR;
    const key = `${type},${address},${length}`;
    if (insert) {
      const space = this.worlds.choice === 'auto' ? this.d.target.world : this.worlds.choice;
      this.watchpoints.set(key, { watched: { kind: 'memory', space, address, length: Number(length) }, access: WATCHPOINTS[type]!.access, label: hex(address) });
    } else this.watchpoints.delete(key);
    this.d.data.set([...this.watchpoints.values()], 'gdb');
    return OK;
  }

  forget(): void {
    this.software.clear();
    this.hardware.clear();
    this.worlds.clear();
    this.watchpoints.clear();
    this.d.breakpoints.setInstructions([], 'gdb');
    this.d.data.set([], 'gdb');
  }
}
