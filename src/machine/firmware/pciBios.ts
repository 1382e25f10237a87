/** INT 1Ah AH=B1h: the PCI bus (PCI BIOS Specification 2.1), in real mode. */
import { Gpr } from '../../cpu/state';
import { Config } from '../devices/pci/pciFunction';
import type { CallFrame } from './callFrame';
import type { FirmwareParts } from './services';

const Status = { SUCCESSFUL: 0x00, UNSUPPORTED: 0x81, BAD_VENDOR: 0x83, NOT_FOUND: 0x86, BAD_REGISTER: 0x87 } as const;
const SIGNATURE = 0x2049_4350; // 'PCI '
const VERSION = 0x0210;
const MECHANISM_1 = 1;
const NO_VENDOR = 0xffff;
const ENABLED = 0x8000_0000;
/** Functions that read a register, by AL, and how many bytes; those that write one are three above. */
const SIZES: Readonly<Record<number, 1 | 2 | 4>> = { 0x08: 1, 0x09: 2, 0x0a: 4 };

export function pciBios(call: CallFrame, parts: FirmwareParts): void {
  const status = perform(call, parts);
  call.ah = status;
  call.carry = status !== Status.SUCCESSFUL;
}

function perform(call: CallFrame, { board: { pci } }: FirmwareParts): number {
  /** Bus and function number of the one whose turn it is among those that fit. */
  const find = (fits: (space: DataView) => boolean): number => {
    const found = pci.functions.filter((f) => {
      const { buffer, byteOffset } = pci.space(f);
      return fits(new DataView(buffer, byteOffset));
    })[call.get16(Gpr.RSI)];
    if (!found) return Status.NOT_FOUND;
    call.bx = (found.device << 3) | found.fn;
    return Status.SUCCESSFUL;
  };
  switch (call.al) {
    case 0x01:
      call.al = MECHANISM_1;
      call.bx = VERSION;
      call.cx &= 0xff00; // the last bus is number 0
      call.set32(Gpr.RDX, SIGNATURE);
      call.set32(Gpr.RDI, 0); // there is no entry for protected mode
      return Status.SUCCESSFUL;
    case 0x02:
      if (call.dx === NO_VENDOR) return Status.BAD_VENDOR;
      return find((space) => space.getUint16(Config.VENDOR, true) === call.dx && space.getUint16(Config.DEVICE, true) === call.cx);
    case 0x03:
      return find((space) => space.getUint32(Config.REVISION, true) >>> 8 === (call.get32(Gpr.RCX) & 0xff_ffff));
    default:
      return register(call, pci);
  }
}

/** Register DI of function BX. */
function register(call: CallFrame, pci: FirmwareParts['board']['pci']): number {
  const writes = call.al >= 0x0b;
  const size = SIZES[writes ? call.al - 3 : call.al];
  if (!size) return Status.UNSUPPORTED;
  const at = call.get16(Gpr.RDI);
  if (at > 0xff || at % size !== 0) return Status.BAD_REGISTER;
  const address = (ENABLED | (call.bx << 8) | (at & 0xfc)) >>> 0;
  if (writes) pci.configurationWrite(address, at & 3, size, size === 4 ? call.get32(Gpr.RCX) : call.cx & (size === 1 ? 0xff : 0xffff));
  else {
    const value = pci.configurationRead(address, at & 3, size);
    if (size === 4) call.set32(Gpr.RCX, value);
    else call.cx = size === 1 ? (call.cx & 0xff00) | value : value;
  }
  return Status.SUCCESSFUL;
}
