/**
 * RAM and ROM: 4-KiB frames inside the WebAssembly memory, handed out when a page is first touched. A frame never moves
 * and is never taken back, so the processor may keep its address until it flushes its TLB.
 */
import { PAGE_SIZE, pageOf, pageOffset } from '../../base/address';
import { UserError } from '../../base/errors';
import { Frame, FRAME_PAGES, frameIn } from '../../cpu/mmu/frameTable';
import type { MemoryViews } from '../../cpu/state';
import { type AddressMap, BIOS, BIOS_ALIAS, BIOS_SIZE } from './addressMap';
import { type PageBytes, PageHistory, type PageStore, type Version } from './pageHistory';

/** Pages per part of the page map; parts are made on first touch, so that 1 TiB costs what the guest uses. */
const PART_SHIFT = 10;
const PART_MASK = (1 << PART_SHIFT) - 1;
/** Bit of a page number that a disabled A20 line forces to 0. */
const A20_PAGE = 0x100;
const BIOS_PAGE = BIOS / PAGE_SIZE;
const BIOS_PAGES = BIOS_SIZE / PAGE_SIZE;
const ALIAS_PAGE = BIOS_ALIAS / PAGE_SIZE;
/** Entries of the table of pages that show another page's memory, or none: that page's number, and what may be done. */
const SHOWN_PAGE = FRAME_PAGES - 1;
const READABLE = 0x10_0000;
const WRITABLE = 0x20_0000;
const SHOWN = 0x40_0000;

/** The processors, as far as memory is concerned. */
export interface MemoryListener {
  /** A page's bytes changed behind the processor's back. */
  pageChanged(page: number): void;
  /** Bytes were written by a device, the firmware or the debugger. */
  written?(address: number, length: number): void;
  /** Write permission of every page was taken back: no translation may be kept. */
  dropTranslations(): void;
}

export class PhysicalMemory implements PageStore {
  private readonly parts: (Uint32Array | undefined)[] = [];
  /** By frame number, counted from the first: the epoch in which the page was last saved or made; 0 when never written. */
  private readonly writtenIn: Uint32Array;
  private epoch = 1;
  private nextFrame: number;
  private readonly firstFrame: number;
  private endFrame: number;
  /** Byte offset of the frame of `onesFrame`, 0 until somebody asks. */
  private ones = 0;
  private readonly history = new PageHistory(this);
  private a20 = true;
  /** By page below 4 GiB, what is seen there where that is not the page's own memory; absent while no chip set moves anything. */
  private shown: Int32Array | undefined = undefined;
  /** Where pages are seen that are not seen, or not only, at their own place. */
  private readonly seenAt = new Map<number, number>();

  /** `low` is the engine's frame table, of the pages below 4 GiB: of frames, the parts have the same. `frameBase` and `frameLimit` are byte offsets of the area that the frames are taken from. */
  constructor(
    private readonly views: MemoryViews,
    private readonly low: Uint32Array,
    frameBase: number,
    frameLimit: number,
    readonly map: AddressMap,
    private readonly listener: MemoryListener,
  ) {
    this.firstFrame = Math.ceil(frameBase / PAGE_SIZE);
    this.endFrame = Math.floor(frameLimit / PAGE_SIZE);
    this.nextFrame = this.firstFrame;
    this.writtenIn = new Uint32Array(this.endFrame - this.firstFrame);
  }

  /** Byte offset of the frame to read a page through, or 0 where there is no RAM or ROM. */
  frameForRead(page: number): number {
    const p = this.a20 ? page : withoutA20(page);
    return this.frame(p) || this.touch(p);
  }

  /** Byte offset of a frame of ones, which stands for pages where nothing is; 0 when there is no room. */
  onesFrame(): number {
    if (this.ones === 0 && this.nextFrame < this.endFrame - 1) {
      this.ones = --this.endFrame * PAGE_SIZE;
      this.views.u8.fill(0xff, this.ones, this.ones + PAGE_SIZE);
    }
    return this.ones;
  }
  /** What a page is has changed for who keeps translations. */
  dropTranslations(): void {
    this.listener.dropTranslations();
  }

  /** The same for writing; keeps the page's bytes for the newest snapshot first. 0 for ROM and where nothing is. */
  frameForWrite(page: number): number {
    return this.writable(this.a20 ? page : withoutA20(page));
  }

  /** Frame for writing to exactly this page, whatever the A20 line says. */
  private writable(p: number): number {
    if (!this.isRam(p)) return 0;
    const frame = this.frame(p) || this.touch(p);
    if (this.writtenIn[frame / PAGE_SIZE - this.firstFrame] !== this.epoch) this.save(frame, this.ownPage(p));
    if (p < FRAME_PAGES) this.low[p]! |= Frame.WRITTEN;
    return frame;
  }

  /** Keeps what a page's own frame holds for the newest snapshot: it is about to be written for the first time since. */
  private save(frame: number, own: number): void {
    const i = frame / PAGE_SIZE - this.firstFrame;
    if (this.history.active) this.history.save(own, this.writtenIn[i] === 0 ? null : this.copyPage(own));
    this.writtenIn[i] = this.epoch;
  }

  /** The same for a page that has been written since the newest snapshot, without any effect; else 0. ROM is never written. */
  frameWritten(page: number): number {
    const p = this.a20 ? page : withoutA20(page);
    if (this.shown && !this.isRam(p)) return 0;
    const frame = this.frame(p);
    return frame !== 0 && this.writtenIn[frame / PAGE_SIZE - this.firstFrame] === this.epoch ? frame : 0;
  }

  /** The A20 line: while it is off, address bit 20 reads as 0 (8086 wrap-around). */
  get a20Enabled(): boolean {
    return this.a20;
  }
  setA20(enabled: boolean): void {
    if (enabled === this.a20) return;
    this.a20 = enabled;
    this.listener.dropTranslations();
    // Decoded instructions of an odd megabyte came from, or will come from, the megabyte below.
    this.parts.forEach((part, index) => {
      if (!part) return;
      for (let i = 0; i <= PART_MASK; i++) {
        if (!part[i]) continue;
        const page = (index << PART_SHIFT) + i;
        if (page & A20_PAGE && page < FRAME_PAGES) this.low[page] = enabled ? this.low[page]! & ~Frame.FOLDED : this.low[page]! | Frame.FOLDED;
        this.listener.pageChanged(page | A20_PAGE);
      }
    });
  }

  /** A physical address as the memory sees it behind the A20 gate. */
  throughA20(address: number): number {
    return this.a20 ? address : withoutA20(pageOf(address)) * PAGE_SIZE + pageOffset(address);
  }

  /** Puts the BIOS image where the processor reads it. The image is read-only for the guest and not part of snapshots. */
  loadRom(image: Uint8Array): void {
    for (let i = 0; i < BIOS_PAGES; i++) {
      const frame = this.frame(BIOS_PAGE + i) || this.allocate(BIOS_PAGE + i);
      this.views.u8.set(image.subarray(i * PAGE_SIZE, (i + 1) * PAGE_SIZE), frame);
      this.place(ALIAS_PAGE + i, frame / PAGE_SIZE);
    }
  }

  /** Puts a chip's contents at an address below 4 GiB; both are multiples of 4096. Only `program` changes them afterwards. */
  loadChip(address: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += PAGE_SIZE) {
      const frame = this.allocate(pageOf(address + at));
      this.views.u8.set(bytes.subarray(at, at + PAGE_SIZE), frame);
      this.writtenIn[frame / PAGE_SIZE - this.firstFrame] = this.epoch;
    }
  }

  /**
   * What is seen at `page` below 4 GiB from now on: the memory that belongs to page `own`, to be read or to be written too,
   * or nothing. The caller drops translations when it has shown all that it wants to.
   */
  show(page: number, own: number, access: 'nothing' | 'read' | 'write'): void {
    this.shown ??= new Int32Array(FRAME_PAGES);
    const entry = SHOWN | own | (access === 'nothing' ? 0 : access === 'read' ? READABLE : READABLE | WRITABLE);
    if (this.shown[page] === entry) return;
    this.shown[page] = entry;
    // What can be written is handed out at first touch, as all RAM.
    this.see(page, access === 'nothing' ? 0 : this.ownFrame(own) || (access === 'read' ? this.allocate(own) : 0));
    if (access !== 'nothing' && own !== page) this.seenAt.set(own, page);
    else if (this.seenAt.get(own) === page) this.seenAt.delete(own);
    this.listener.pageChanged(page);
  }

  /** Writes to the memory that belongs to these addresses, whatever is seen there: a chip's cells, RAM behind ROM. */
  program(address: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const page = pageOf(address + done);
      const offset = pageOffset(address + done);
      const n = Math.min(bytes.length - done, PAGE_SIZE - offset);
      const frame = this.ownFrame(page) || this.allocate(page);
      if (this.writtenIn[frame / PAGE_SIZE - this.firstFrame] !== this.epoch) this.save(frame, page);
      this.views.u8.set(bytes.subarray(done, done + n), frame + offset);
      this.changed(page);
      done += n;
    }
  }

  /** A byte of the memory that belongs to an address. */
  cell(address: number): number {
    const frame = this.ownFrame(pageOf(address));
    return frame ? this.views.u8[frame + pageOffset(address)]! : 0;
  }

  /** Bytes of RAM and ROM, without handing out a frame; undefined where a byte of the range is neither. */
  peek(address: number, length: number): Uint8Array | undefined {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const page = pageOf(address + done);
      const offset = pageOffset(address + done);
      const n = Math.min(length - done, PAGE_SIZE - offset);
      // A page that shows another one's memory may not have been touched itself.
      const frame = this.frame(page) || (this.shown && this.isRam(page) ? this.ownFrame(this.ownPage(page)) : 0);
      if (frame) bytes.set(this.views.u8.subarray(frame + offset, frame + offset + n), done);
      else if (!this.isRam(page)) return undefined;
      done += n;
    }
    return bytes;
  }

  /** Bytes as a device reads them; absent memory reads as all ones. */
  readBytes(address: number, length: number): Uint8Array {
    const whole = this.peek(address, length);
    if (whole) return whole;
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.peek(address + i, 1)?.[0] ?? 0xff;
    return bytes;
  }

  /** Zeros in whole pages of a device's own memory, wherever it is seen. Pages that nobody has touched are zeros already. */
  clear(address: number, pages: number): void {
    const zeros = new Uint8Array(PAGE_SIZE);
    for (let n = 0; n < pages; n++) if (this.ownFrame(pageOf(address) + n)) this.program(address + n * PAGE_SIZE, zeros);
  }

  /** Writes as a device, the firmware or the debugger does: RAM only, decoded instructions dropped. False when a byte of the range is not RAM; nothing is written then. */
  writeBytes(address: number, bytes: Uint8Array): boolean {
    const last = pageOf(address + Math.max(0, bytes.length - 1));
    for (let p = pageOf(address); p <= last; p++) if (!this.isRam(p)) return false;
    for (let done = 0; done < bytes.length; ) {
      const page = pageOf(address + done);
      const offset = pageOffset(address + done);
      const n = Math.min(bytes.length - done, PAGE_SIZE - offset);
      this.views.u8.set(bytes.subarray(done, done + n), this.writable(page) + offset);
      this.listener.pageChanged(page);
      done += n;
    }
    this.listener.written?.(address, bytes.length);
    return true;
  }

  /** Little-endian number of 1, 2 or 4 bytes, as a device reads it. */
  load(address: number, size: number): number {
    const offset = pageOffset(address);
    const frame = offset + size <= PAGE_SIZE ? this.frame(pageOf(address)) : 0;
    const [bytes, first] = frame !== 0 ? [this.views.u8, frame + offset] : [this.readBytes(address, size), 0];
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[first + i]!;
    return value;
  }
  store(address: number, size: number, value: number): void {
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) bytes[i] = value >>> (8 * i);
    this.writeBytes(address, bytes);
  }

  /** One byte at an offset that `frameForRead` or `frameForWrite` gave. */
  byteAt(offset: number): number {
    return this.views.u8[offset]!;
  }
  setByteAt(offset: number, value: number): void {
    this.views.u8[offset] = value;
  }

  /** Makes the present contents a version that `restore` can bring back; a page costs a copy when it is next written. */
  snapshot(): Version {
    const version = this.history.take();
    this.makeClean();
    return version;
  }
  restore(version: Version): void {
    const changed = this.history.goTo(version);
    this.makeClean();
    for (const page of changed) this.changed(page);
  }
  release(version: Version): void {
    this.history.release(version);
  }
  /** Pages that snapshots hold copies of. */
  get keptPages(): number {
    return this.history.keptPages;
  }
  /** Bytes of RAM and ROM that have been touched. */
  get touchedBytes(): number {
    return (this.nextFrame - this.firstFrame) * PAGE_SIZE;
  }

  copyPage(page: number): PageBytes {
    const frame = this.ownFrame(page);
    return frame ? this.views.u8.slice(frame, frame + PAGE_SIZE) : null;
  }
  putPage(page: number, bytes: PageBytes): void {
    const frame = this.ownFrame(page) || this.touch(page);
    if (bytes) this.views.u8.set(bytes, frame);
    else this.views.u8.fill(0, frame, frame + PAGE_SIZE);
    // Not 0 even for zeros: the frame has been written, and 0 promises that it never was.
    this.writtenIn[frame / PAGE_SIZE - this.firstFrame] = this.epoch;
  }

  /** A device's registers lie over a page from now on, or no more. */
  hide(page: number, hidden: boolean): void {
    if (page < FRAME_PAGES) this.low[page] = hidden ? this.low[page]! | Frame.DEVICE : this.low[page]! & ~Frame.DEVICE;
  }

  /** A frame, or none, is seen at a page below 4 GiB. */
  private see(page: number, frame: number): void {
    const folded = !this.a20 && page & A20_PAGE ? Frame.FOLDED : 0;
    this.low[page] = frame | (this.low[page]! & Frame.BITS & ~Frame.WRITTEN) | folded;
  }

  private makeClean(): void {
    this.epoch++;
    this.parts.forEach((part, index) => {
      const first = index << PART_SHIFT;
      if (first >= FRAME_PAGES) return;
      for (let i = 0; i <= PART_MASK; i++) if (part![i] !== 0) this.low[first + i]! &= ~Frame.WRITTEN;
    });
    for (const page of this.seenAt.values()) this.low[page]! &= ~Frame.WRITTEN;
    this.listener.dropTranslations();
  }

  /** Whether what is seen at a page is RAM. */
  private isRam(page: number): boolean {
    const entry = this.shown && page < FRAME_PAGES ? this.shown[page]! : 0;
    return entry === 0 ? this.map.isRam(page) : (entry & WRITABLE) !== 0;
  }

  /** The page whose memory is seen at a page. */
  private ownPage(page: number): number {
    const entry = this.shown && page < FRAME_PAGES ? this.shown[page]! : 0;
    return entry === 0 ? page : entry & SHOWN_PAGE;
  }

  private changed(own: number): void {
    this.listener.pageChanged(own);
    const seen = this.seenAt.get(own);
    if (seen !== undefined) this.listener.pageChanged(seen);
  }

  /** Frame that is seen at a page, as far as it was handed out, or 0. */
  private frame(page: number): number {
    return page < FRAME_PAGES ? frameIn(this.low[page]!) : this.ownFrame(page);
  }

  /** Frame that belongs to a page, seen or not, or 0. */
  private ownFrame(page: number): number {
    const part = this.parts[Math.floor(page / (1 << PART_SHIFT))];
    return part ? part[page & PART_MASK]! * PAGE_SIZE : 0;
  }

  private touch(page: number): number {
    if (!this.isRam(page)) return 0;
    const own = this.ownPage(page);
    const frame = this.ownFrame(own) || this.allocate(own);
    if (page < FRAME_PAGES) this.see(page, frame);
    return frame;
  }

  private allocate(page: number): number {
    if (this.nextFrame >= this.endFrame) {
      const mebibytes = Math.floor(this.touchedBytes / 0x10_0000);
      throw new UserError('memory.exhausted', `The guest has touched ${mebibytes} MiB of memory, more than Hyperstep can hold; set machine.memory to ${mebibytes} MiB or less.`);
    }
    this.place(page, this.nextFrame);
    return this.nextFrame++ * PAGE_SIZE;
  }

  private place(page: number, frame: number): void {
    this.part(page)[page & PART_MASK] = frame;
    if (page < FRAME_PAGES && !this.shown?.[page]) this.see(page, frame * PAGE_SIZE);
  }

  private part(page: number): Uint32Array {
    const index = Math.floor(page / (1 << PART_SHIFT));
    return (this.parts[index] ??= new Uint32Array(1 << PART_SHIFT));
  }
}

function withoutA20(page: number): number {
  return page & A20_PAGE ? page - A20_PAGE : page;
}
