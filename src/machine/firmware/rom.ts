/**
 * The BIOS ROM: 64 KiB at 0xF0000. Its code only hands over: a service is `out SERVICE_PORT, al` followed by IRET, and
 * the firmware, in TypeScript, knows the service by the address of the OUT.
 */
import { BIOS, BIOS_SIZE } from '../memory/addressMap';
import { acpiTables } from './acpi';
import { font } from './font';
import { smbiosTables } from './smbios';
import { type MpOptions, mpConfigurationTable, mpFloatingPointer } from './mpTable';

/** Writing hands over to the firmware when the instruction is in the ROM; the chip sets' port for that purpose. */
export const SERVICE_PORT = 0xb2;
/** Reads as non-zero when the service that was just called wants its stub to take the other way. */
export const RESULT_PORT = 0xb3;
export const BIOS_SEGMENT = 0xf000;

/** How a stub goes on after it has called its service. */
export type StubKind =
  /** IRET. */
  | 'service'
  /** IRET, or with a non-zero result STI, HLT and the service again. */
  | 'waiting'
  /** IRET, or with a non-zero result CLI and HLT for good. */
  | 'checked'
  /** INT 1Ch, end of interrupt to the first 8259, IRET. */
  | 'timer'
  /** The coprocessor's interrupt: the error is cleared at port 0xF0, end of interrupt to both 8259s, INT 2. */
  | 'coprocessor'
  /** No service: IRET. */
  | 'nothing';

/** Where the power-on service leaves what is booted, in the data area's part for communication between programs: a far pointer, and the drive's number. */
export const BOOT_ADDRESS = 0x4f0;
export const BOOT_DRIVE = 0x4f4;

const STUBS = 0xc000;
const POWER_ON = 0xe05b;
const STUB_SIZE = 32;
const RESET_VECTOR = 0xfff0;
const MP_TABLE = 0x6000;
/** The ACPI tables: software looks for them at every 16th byte. */
const ACPI_TABLES = 0x0000;
const ACPI_TABLES_END = 0x5d00;
/** The SMBIOS tables, found in the same way. */
const SMBIOS_TABLES = 0x7000;
/** Address of the ACPI root pointer, the first of them. */
export const RSDP = BIOS + ACPI_TABLES;
/** Where INT 15h sleeps until the next interrupt: sti; hlt; jmp to its stub. */
export const SLEEP = 0x5d00;
/** What VBE's mode information names as the function that changes the bank at 0xA0000: mov ax, 4F05h; int 10h; retf. */
export const SET_BANK = 0x5d80;
const SET_BANK_CODE = [0xb8, 0x05, 0x4f, 0xcd, 0x10, 0xcb];
/** The fonts, by lines of a character. */
export const FONTS = { 8: 0x8000, 14: 0x8800, 16: 0x9600 } as const;
/** The system configuration table of INT 15h C0h: length, model AT, submodel, revision, features (second 8259, clock, keyboard intercept; extended data area). */
export const CONFIGURATION = 0x5e00;
const CONFIGURATION_TABLE = [0x08, 0x00, 0xfc, 0x01, 0x00, 0x74, 0x40, 0x00, 0x00, 0x00];
/** The diskette parameters that vector 1Eh points to: step rate and times, motor's time, 512 bytes, last sector, gaps, fill byte, head settle and motor start times. */
export const DISKETTE_PARAMETERS = 0x5e80;
export const DISKETTE_TABLE = [0xaf, 0x02, 0x25, 0x02, 18, 0x1b, 0xff, 0x6c, 0xf6, 0x0f, 0x08] as const;
/** What INT 10h AH=1Bh says that there is: all modes from 0 to 13h but 8 to 0Ch and 0Fh, text of 200, 350 and 400 lines, fonts, and what else VGAs have. */
export const VIDEO_FUNCTIONS = 0x5ea0;
const VIDEO_FUNCTION_TABLE = [0xff, 0x60, 0x0f, 0, 0, 0, 0, 0x07, 2, 1, 0xe7, 0x0c, 0, 0, 0, 0];
/** The BIOS32 service directory, which software finds by its signature at a multiple of 16: signature, entry, revision, length in 16 bytes, checksum. */
const BIOS32_DIRECTORY = 0x5ec0;
/** Entries for protected mode: the directory's, the PCI BIOS's, APM's for 32 and for 16 bits. Each is called far. */
export const BIOS32_ENTRY = 0x5ed0;
export const PCI_ENTRY = 0x5ed8;
export const APM_ENTRY_32 = 0x5ee0;
export const APM_ENTRY_16 = 0x5ee8;
/** The OUT that they call, with a RET of either size. */
const OUT_32 = 0x5ef4;
const OUT_16 = 0x5ef8;
/** Flat descriptors for boots that start in protected mode. */
export const ROM_GDT = 0x5f00;
export const ROM_GDT_CODE = 0x08;
export const ROM_GDT_DATA = 0x10;

const OUT_SERVICE = [0xe6, SERVICE_PORT];
/** push ax; in al, RESULT_PORT; test al, al; pop ax. */
const TEST_RESULT = [0x50, 0xe4, RESULT_PORT, 0x84, 0xc0, 0x58];
const IRET = 0xcf;
const RET = 0xc3;
const RETF = 0xcb;
/**
 * Code for protected mode calls an OUT, with which it shares the ROM, and the firmware knows the service by the return address on the
 * stack: the processor tells where an OUT is only in real mode. The caller's flags lie where an INT would have pushed them:
 * pushf; in 16-bit code push ax; call the OUT; there add sp, 2; popf; retf.
 */
const NEAR_CALL = 0xe8;
const FAR_ENTRIES = [
  { entry: BIOS32_ENTRY, before: [], after: [RETF], out: OUT_32 },
  { entry: PCI_ENTRY, before: [0x9c], after: [0x9d, RETF], out: OUT_32 },
  { entry: APM_ENTRY_32, before: [0x9c], after: [0x9d, RETF], out: OUT_32 },
  { entry: APM_ENTRY_16, before: [0x9c, 0x50], after: [0x83, 0xc4, 0x02, 0x9d, RETF], out: OUT_16 },
] as const;

/** Opcode, and a displacement of 16 or 32 bits. */
function farEntry({ entry, before, after, out }: (typeof FAR_ENTRIES)[number]): number[] {
  const distance = out - farReturn(entry);
  const displacement = [distance & 0xff, (distance >> 8) & 0xff, ...(out === OUT_32 ? [(distance >> 16) & 0xff, (distance >> 24) & 0xff] : [])];
  return [...before, NEAR_CALL, ...displacement, ...after];
}

/** Offset that an entry's call of the OUT returns to. */
export function farReturn(entry: number): number {
  const { before, out } = FAR_ENTRIES.find((e) => e.entry === entry)!;
  return entry + before.length + (out === OUT_32 ? 5 : 3);
}

function serviceDirectory(): number[] {
  const bytes = [...'_32_'].map((c) => c.charCodeAt(0)).concat([BIOS32_ENTRY & 0xff, BIOS32_ENTRY >> 8, BIOS >> 16, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  bytes[10] = -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return bytes;
}

const CODE: Record<StubKind, readonly number[]> = {
  service: [...OUT_SERVICE, IRET],
  // jnz +1; iret; sti; hlt; jmp to the start
  waiting: [...OUT_SERVICE, ...TEST_RESULT, 0x75, 0x01, IRET, 0xfb, 0xf4, 0xeb, 0xf1],
  // jnz +1; iret; cli; hlt; jmp to the cli
  checked: [...OUT_SERVICE, ...TEST_RESULT, 0x75, 0x01, IRET, 0xfa, 0xf4, 0xeb, 0xfc],
  // int 1Ch; push ax; mov al, 20h; out 20h, al; pop ax; iret
  timer: [...OUT_SERVICE, 0xcd, 0x1c, 0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, IRET],
  // push ax; xor al, al; out 0F0h, al; mov al, 20h; out 0A0h, al; out 20h, al; pop ax; int 2; iret
  coprocessor: [0x50, 0x30, 0xc0, 0xe6, 0xf0, 0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20, 0x58, 0xcd, 0x02, IRET],
  nothing: [IRET],
};

/** cli; xor ax, ax; mov ds, ax; call the service; a result means: return to who asked for a reset through 40:67. */
const POWER_ON_CODE = [
  [0xfa], // cli
  [0xfc], // cld
  [0x31, 0xc0], // xor ax, ax
  [0x8e, 0xd8], // mov ds, ax
  OUT_SERVICE,
  [0xe4, RESULT_PORT], // in al, RESULT_PORT
  [0x84, 0xc0], // test al, al
  [0x74, 0x04], // jz boot
  [0xff, 0x2e, 0x67, 0x04], // jmp far [0467h]
  [0x31, 0xc0], // boot: xor ax, ax
  [0x8e, 0xc0], // mov es, ax
  [0x8e, 0xd0], // mov ss, ax
  [0xbc, 0x00, 0x7c], // mov sp, 7C00h
  [0x8b, 0x16, BOOT_DRIVE & 0xff, BOOT_DRIVE >> 8], // mov dx, [BOOT_DRIVE]
  [0xfb], // sti
  [0xff, 0x2e, BOOT_ADDRESS & 0xff, BOOT_ADDRESS >> 8], // jmp far [BOOT_ADDRESS]
].flat();

/** Offset, in the ROM's segment, of the handler of an interrupt vector. */
export const stubOffset = (vector: number): number => STUBS + vector * STUB_SIZE;
/** Offset of the OUT that calls the power-on service. */
export const POWER_ON_SERVICE = POWER_ON + POWER_ON_CODE.indexOf(OUT_SERVICE[0]!);

/** Builds the image. `kindOf` tells the stub of each of the 256 vectors; `memory` is the RAM in bytes. */
export function buildRom(kindOf: (vector: number) => StubKind, mp: MpOptions, memory: number): Uint8Array {
  const rom = new Uint8Array(BIOS_SIZE);
  for (let vector = 0; vector < 256; vector++) rom.set(CODE[kindOf(vector)], stubOffset(vector));
  rom.set(POWER_ON_CODE, POWER_ON);
  // INT 19h starts over: jmp to the power-on code.
  rom.set([0xea, POWER_ON & 0xff, POWER_ON >> 8, BIOS_SEGMENT & 0xff, BIOS_SEGMENT >> 8], stubOffset(0x19));
  rom.set([0xea, POWER_ON & 0xff, POWER_ON >> 8, BIOS_SEGMENT & 0xff, BIOS_SEGMENT >> 8], RESET_VECTOR);
  rom.set([...'01/01/24'].map((c) => c.charCodeAt(0)), 0xfff5);
  rom[0xfffe] = 0xfc; // model: AT
  rom.set([0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0, 0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0], ROM_GDT);
  rom.set(CONFIGURATION_TABLE, CONFIGURATION);
  rom.set(DISKETTE_TABLE, DISKETTE_PARAMETERS);
  rom.set(SET_BANK_CODE, SET_BANK);
  rom.set(VIDEO_FUNCTION_TABLE, VIDEO_FUNCTIONS);
  rom.set(serviceDirectory(), BIOS32_DIRECTORY);
  for (const far of FAR_ENTRIES) rom.set(farEntry(far), far.entry);
  for (const out of [OUT_32, OUT_16]) rom.set([...OUT_SERVICE, RET], out);
  for (const lines of [8, 14, 16] as const) rom.set(font(lines), FONTS[lines]);
  const stub15 = stubOffset(0x15);
  rom.set([0xfb, 0xf4, 0xea, stub15 & 0xff, stub15 >> 8, BIOS_SEGMENT & 0xff, BIOS_SEGMENT >> 8], SLEEP);
  const acpi = acpiTables(BIOS + ACPI_TABLES, mp);
  if (acpi.length > ACPI_TABLES_END - ACPI_TABLES) throw new Error('The ACPI tables do not fit into the ROM.');
  rom.set(acpi, ACPI_TABLES);
  rom.set(smbiosTables(BIOS + SMBIOS_TABLES, mp, memory), SMBIOS_TABLES);
  const table = mpConfigurationTable(mp);
  rom.set(table, MP_TABLE + 16);
  rom.set(mpFloatingPointer(BIOS_SEGMENT * 16 + MP_TABLE + 16), MP_TABLE);
  return rom;
}
