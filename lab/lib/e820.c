/* Walking and printing a memory map. The format of the print is what Hyperstep's .e820 language reads. */
#include "multiboot.h"
#include "console.h"
#include "memory.h"

uint64_t segment_base(const struct memory_segment *seg)
{
    return (uint64_t)seg->base_addr_high << 32 | seg->base_addr_low;
}

uint64_t segment_length(const struct memory_segment *seg)
{
    return (uint64_t)seg->length_high << 32 | seg->length_low;
}

/* The segment after `seg`, or the first one when `seg` is null; null at the end. */
const struct memory_segment *segment_next(const struct multiboot_info *mb, const struct memory_segment *seg)
{
    const char *start = va(mb->mmap_addr);
    const char *next = seg ? (const char *)seg + seg->size + sizeof seg->size : start;

    if (!(mb->flags & MB_FLAG_MMAP) || next >= start + mb->mmap_length)
        return 0;
    return (const struct memory_segment *)next;
}

void e820_print(const struct multiboot_info *mb)
{
    cprintf("        e820 MEMORY MAP\n");
    for (const struct memory_segment *seg = segment_next(mb, 0); seg; seg = segment_next(mb, seg))
        cprintf("        address: 0x%016lx, length: 0x%016lx, type: %s\n", segment_base(seg), segment_length(seg),
                seg->type == E820_USABLE ? "USABLE" : "RESERVED");
}
