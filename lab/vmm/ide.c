/* The two disks of the primary IDE channel, read by programmed I/O and polling. */
#include "vmm.h"
#include "hypercall.h"
#include "x86.h"

enum ide_port {
    IDE_DATA = 0x1f0,
    IDE_COUNT = 0x1f2,
    IDE_LBA_0 = 0x1f3,                  /* three ports: bits 0 to 23 of the sector number */
    IDE_DEVICE = 0x1f6,                 /* bits 24 to 27 of it, and which disk */
    IDE_STATUS = 0x1f7,                 /* reads */
    IDE_COMMAND = 0x1f7,                /* writes */
};

enum ide_bits {
    DEVICE_LBA = 0xe0,
    STATUS_ERROR = 0x01,
    STATUS_REQUEST = 0x08,
    STATUS_FAULT = 0x20,
    STATUS_READY = 0x40,
    STATUS_BUSY = 0x80,
    COMMAND_READ = 0x20,
};

#define POLLS 100000                    /* then there is no disk, or it will never answer */

static uint8_t ide_wait(uint8_t wanted)
{
    uint8_t status = 0;

    for (int i = 0; i < POLLS; i++) {
        status = inb(IDE_STATUS);
        if (!(status & STATUS_BUSY) && (status & (wanted | STATUS_ERROR | STATUS_FAULT)))
            return status;
    }
    return STATUS_FAULT;
}

int ide_read(uint32_t disk, uint32_t sector, uint32_t count, void *to)
{
    if (disk > 1 || count == 0 || count > 255 || sector >= 1u << 28)
        return -1;
    outb(IDE_DEVICE, DEVICE_LBA | disk << 4 | sector >> 24);
    if (ide_wait(STATUS_READY) & (STATUS_ERROR | STATUS_FAULT))
        return -1;
    outb(IDE_COUNT, count);
    outb(IDE_LBA_0, sector);
    outb(IDE_LBA_0 + 1, sector >> 8);
    outb(IDE_LBA_0 + 2, sector >> 16);
    outb(IDE_COMMAND, COMMAND_READ);
    for (uint32_t i = 0; i < count; i++) {
        if (ide_wait(STATUS_REQUEST) & (STATUS_ERROR | STATUS_FAULT))
            return -1;
        insl(IDE_DATA, (char *)to + i * SECTOR_SIZE, SECTOR_SIZE / 4);
    }
    return 0;
}
