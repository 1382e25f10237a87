/** INT 1Ah AH=B1h: the PCI bus (PCI BIOS Specification 2.1); in protected mode by an entry that the BIOS32 service directory leads to. */
import { Gpr } from '../../cpu/state';
import { Config } from '../devices/pci/pciFunction';
import type { CallFrame } from './callFrame';
import { PCI_ENTRY } from './rom';
import type { FirmwareParts } from './services';
import { BIOS, BIOS_SIZE } from '../memory/addressMap';

const Status = { SUCCESSFUL: 0x00, UNSUPPORTED: 0x81, BAD_VENDOR: 0x83, NOT_FOUND: 0x86, BAD_REGISTER: 0x87 } as const;
const SIGNATURE = 0x2049_4350; // 'PCI '
const VERSION = 0x0210;
const MECHANISM_1 = 1;
const NO_VENDOR = 0xffff;
const ENABLED = 0x8000_0000;
/** Functions that read a register, by AL, and how many bytes; those that write one are three above. */
const SIZES: Readonly<Record<number, 1 | 2 | 4>> = { 0x08: 1, 0x09: 2, 0x0a: 4 };

/** The directory's one service, and what it answers in AL. */
const PCI_SERVICE = 0x4943_5024; // '$PCI'
const Directory = { PRESENT: 0x00, ABSENT: 0x80, BAD_FUNCTION: 0x81 } as const;

/** The BIOS32 service directory (Standard BIOS 32-bit Service Directory Proposal 0.4): EAX names a service; EBX, ECX and EDX are its base, length and entry. */
export function serviceDirectory(call: CallFrame): void {
  if ((call.bx & 0xff) !== 0) return void (call.al = Directory.BAD_FUNCTION);
  if (call.get32(Gpr.RAX) !== PCI_SERVICE) return void (call.al = Directory.ABSENT);
  call.al = Directory.PRESENT;
  call.set32(Gpr.RBX, BIOS);
  call.set32(Gpr.RCX, BIOS_SIZE);
  call.set32(Gpr.RDX, PCI_ENTRY);
}

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
      call.set32(Gpr.RDI, BIOS + PCI_ENTRY); // for protected mode
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
