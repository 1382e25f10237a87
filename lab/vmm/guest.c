/*
 * Loads the guest from its disk: the boot sector to GUEST_START, the kernel (an ELF file from sector 1 on, its segments
 * on sector boundaries) to the guest-physical addresses that it asks for.
 */
#include "vmx.h"
#include "vmm.h"
#include "console.h"
#include "elf.h"
#include "hypercall.h"
#include "string.h"

#define KERNEL_SECTOR       1
#define BOOT_SIGNATURE      0xaa55
#define SIGNATURE_OFFSET    510

static void load_page(struct guest *g, gpa_t gpa, uint32_t sector, uint32_t count)
{
    char *page = ept_page(g, gpa);

    if (!page)
        panic("the guest's kernel does not fit its memory (Gpa 0x%lx)", gpa);
    if (ide_read(GUEST_DISK, sector, count, page + gpa % PAGE_SIZE) < 0)
        panic("cannot read sector %u of the guest's disk", sector);
}

static void load_segment(struct guest *g, const struct elf_segment *seg)
{
    uint32_t sector = KERNEL_SECTOR + seg->offset / SECTOR_SIZE;
    uint32_t left = (seg->file_size + SECTOR_SIZE - 1) / SECTOR_SIZE;
    gpa_t gpa = seg->physical;

    /* Memory beyond what the file holds starts as zero. It does so without our help: every new page is. */
    while (left > 0) {
        uint32_t fits = (PAGE_SIZE - gpa % PAGE_SIZE) / SECTOR_SIZE;
        uint32_t count = left < fits ? left : fits;
        load_page(g, gpa, sector, count);
        sector += count;
        left -= count;
        gpa += count * SECTOR_SIZE;
    }
}

void guest_load(struct guest *g)
{
    char *sector = page_alloc();
    const struct elf_header *elf = (const struct elf_header *)sector;
    const struct elf_segment *segments = (const struct elf_segment *)(elf + 1);

    ept_init(g);
    if (ide_read(GUEST_DISK, 0, 1, sector) < 0)
        panic("there is no guest disk: the guest's image belongs on IDE drive %d", GUEST_DISK);
    if (*(uint16_t *)(sector + SIGNATURE_OFFSET) != BOOT_SIGNATURE)
        panic("the guest's disk has no boot sector");
    memcpy((char *)ept_page(g, GUEST_START) + GUEST_START % PAGE_SIZE, sector, SECTOR_SIZE);

    if (ide_read(GUEST_DISK, KERNEL_SECTOR, 1, sector) < 0 || elf->magic != ELF_MAGIC || elf->entry != KERNEL_LOAD)
        panic("the guest's disk has no kernel");
    for (int i = 0; i < elf->segments; i++)
        load_segment(g, &segments[i]);
    cprintf("VMM: guest kernel loaded from drive %d.\n", GUEST_DISK);
}
