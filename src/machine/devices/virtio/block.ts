/** The virtio block device (Virtual I/O Device 1.2, "Block Device"): a drive's sectors. */
import { type Drive, SECTOR_SIZE } from '../../disk/drive';
import type { VirtioKind } from './virtioPci';
import type { Chain } from './virtqueue';

const Feature = { SEG_MAX: 1 << 2, GEOMETRY: 1 << 4, BLK_SIZE: 1 << 6, FLUSH: 1 << 9, ANY_LAYOUT: 1 << 27 } as const;
const QUEUE_SIZE = 128;
const Type = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8 } as const;
const Status = { OK: 0, ERROR: 1, UNSUPPORTED: 2 } as const;
const HEADER_SIZE = 16;
const ID_SIZE = 20;

export class BlockKind implements VirtioKind {
  readonly name: string;
  readonly type = 2;
  readonly deviceId = 0x1001;
  readonly classCode = 0x01_0000;
  readonly features = Feature.SEG_MAX | Feature.GEOMETRY | Feature.BLK_SIZE | Feature.FLUSH | Feature.ANY_LAYOUT;
  readonly queues = [QUEUE_SIZE];
  state = {};

  constructor(
    private readonly drive: Drive,
    private readonly number: number,
    private readonly warn: (sentence: string) => void,
  ) {
    this.name = `virtio disk ${number}`;
  }

  reset(): void {}
  ready(): boolean {
    return true;
  }

  configuration(): Uint8Array {
    const data = new DataView(new ArrayBuffer(24));
    const { cylinders, heads, sectors } = this.drive.physicalGeometry;
    data.setBigUint64(0, BigInt(this.drive.sectors), true);
    data.setUint32(12, QUEUE_SIZE - 2, true); // segments of a request, besides header and status
    data.setUint16(16, cylinders, true);
    data.setUint8(18, heads);
    data.setUint8(19, sectors);
    data.setUint32(20, SECTOR_SIZE, true);
    return new Uint8Array(data.buffer);
  }

  /** A request is a header, data, and one byte of status at its very end. */
  serve(_queue: number, chain: Chain): number {
    const { room } = chain;
    if (room === 0) return 0; // nowhere to say anything
    const given = chain.read();
    const finish = (status: number, written: number): number => {
      chain.write(Uint8Array.of(status), room - 1);
      return written + 1;
    };
    if (given.length < HEADER_SIZE) return finish(Status.ERROR, 0);
    const header = new DataView(given.buffer);
    const sector = header.getUint32(8, true) + header.getUint32(12, true) * 0x1_0000_0000;
    switch (header.getUint32(0, true)) {
      case Type.IN: {
        const length = room - 1;
        if (!this.holds(sector, length)) return finish(Status.ERROR, 0);
        chain.write(this.drive.readRun(sector, length / SECTOR_SIZE));
        return finish(Status.OK, length);
      }
      case Type.OUT: {
        const length = given.length - HEADER_SIZE;
        if (!this.holds(sector, length)) return finish(Status.ERROR, 0);
        for (let i = 0; i < length / SECTOR_SIZE; i++) this.drive.write(sector + i, given.subarray(HEADER_SIZE + i * SECTOR_SIZE, HEADER_SIZE + (i + 1) * SECTOR_SIZE));
        return finish(Status.OK, 0);
      }
      case Type.FLUSH:
        return finish(Status.OK, 0);
      case Type.GET_ID: {
        const id = new TextEncoder().encode(`HS-VIRTIO-${this.number}`);
        const length = Math.min(ID_SIZE, room - 1);
        chain.write(Uint8Array.from({ length }, (_, i) => id[i] ?? 0));
        return finish(Status.OK, length);
      }
      default:
        return finish(Status.UNSUPPORTED, 0);
    }
  }

  private holds(sector: number, length: number): boolean {
    const within = sector + length / SECTOR_SIZE <= this.drive.sectors;
    if (!within) this.warn(this.drive.beyondEnd);
    return within && length % SECTOR_SIZE === 0;
  }
}
