/*
 * The part of the Multiboot 1 information that says where memory is. The boot sector builds one from the BIOS for the
 * VMM; the VMM builds a smaller, invented one for its guest.
 */
#ifndef LAB_MULTIBOOT_H
#define LAB_MULTIBOOT_H

#define MB_FLAG_MMAP        0x40            /* mmap_length and mmap_addr are valid */

#define E820_USABLE         1
#define E820_RESERVED       2

#ifndef __ASSEMBLER__
#include "types.h"

struct multiboot_info {
    uint32_t flags;
    uint32_t mem_lower, mem_upper;
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t mods_count, mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length;                   /* bytes of the memory map */
    uint32_t mmap_addr;                     /* its physical address */
};

struct memory_segment {
    uint32_t size;                          /* bytes that follow this field: 20 */
    uint32_t base_addr_low, base_addr_high;
    uint32_t length_low, length_high;
    uint32_t type;
};

_Static_assert(sizeof(struct multiboot_info) == 52, "the layout is fixed by the Multiboot specification");
_Static_assert(sizeof(struct memory_segment) == 24, "the layout is fixed by the Multiboot specification");

/* lib/e820.c */
void e820_print(const struct multiboot_info *mb);
uint64_t segment_base(const struct memory_segment *seg);
uint64_t segment_length(const struct memory_segment *seg);
const struct memory_segment *segment_next(const struct multiboot_info *mb, const struct memory_segment *seg);
#endif

#endif
