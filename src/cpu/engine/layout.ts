/** Where things are in the WebAssembly memory. */
import { EMPTY_BANK } from '../mmu/tlb';
import { FRAME_PAGES, FRAME_TABLE, FRAME_TABLE_SIZE } from '../mmu/frameTable';
import { CPU_BLOCK_SIZE, TLB_ENTRIES, TLB_ENTRY_SIZE } from '../state';

export const MAXIMUM_CPUS = 8;

/** The first page stays unused, so that address 0 means "none"; then comes the empty TLB bank. */
export const CPU_BASE = 0x3_0000;
/** Processor blocks are followed by the table of mmu/frameTable.ts, and that by the templates of records (recordTemplates.ts). */
export const TEMPLATES_BASE = FRAME_TABLE + FRAME_TABLE_SIZE;
export const TEMPLATES_SIZE = 2 << 20;
/** Of the pages of the frame table, a u32 each: the address of the tables (PageTable) of the code in it, where writes beside that code need not be told; else 0. */
export const CODE_TABLES = TEMPLATES_BASE + TEMPLATES_SIZE;
/** Then come the records; every scratch address is below these, every RAM frame above. */
export const RECORDS_BASE = CODE_TABLES + FRAME_PAGES * 4;
/** Room for decoded instructions. Virtual until it is used; when it is full everything is decoded anew. */
export const RECORDS_SIZE = 128 << 20;
/** RAM frames. */
export const FRAMES_BASE = RECORDS_BASE + RECORDS_SIZE;

/** A WebAssembly memory ends here. */
const MEMORY_LIMIT = 2 ** 32;
const WASM_PAGE = 0x1_0000;
/** Frames beyond the configured RAM: ROM, video memory, device buffers. */
const EXTRA_FRAMES = 16 << 20;

if (EMPTY_BANK + TLB_ENTRIES * TLB_ENTRY_SIZE > CPU_BASE) throw new Error('The empty TLB bank overlaps the processor blocks.');
if (CPU_BASE + MAXIMUM_CPUS * CPU_BLOCK_SIZE > FRAME_TABLE) throw new Error('Processor blocks overlap the frame table.');

/** Size of the memory, in 64-KiB pages, for so much RAM. RAM beyond 4 GiB shares what there is: frames are handed out on first touch. */
export function memoryPages(ramBytes: number): number {
  return Math.ceil(Math.min(FRAMES_BASE + ramBytes + EXTRA_FRAMES, MEMORY_LIMIT) / WASM_PAGE);
}
