/*
 * Physical memory, a page at a time. Nothing is ever given back, so a single mark is the whole allocator: below it
 * pages are taken, above it they are free.
 */
#include "vmm.h"
#include "console.h"
#include "string.h"

static hpa_t next_free, end;

extern char kernel_end[];                               /* lib/kernel.ld */

void page_init(const struct multiboot_info *mb)
{
    hpa_t after_kernel = pa(kernel_end);

    for (const struct memory_segment *seg = segment_next(mb, 0); seg; seg = segment_next(mb, seg)) {
        hpa_t start = segment_base(seg), stop = start + segment_length(seg);
        if (seg->type == E820_USABLE && start <= KERNEL_LOAD && stop > after_kernel) {
            next_free = after_kernel;
            end = stop < MAPPED_MEMORY ? stop : MAPPED_MEMORY;
        }
    }
    if (next_free == 0)
        panic("the BIOS reports no usable memory at 1 MiB");
    cprintf("VMM: %lu KiB of memory free.\n", (end - next_free) / 1024);
}

void *page_alloc(void)
{
    void *page = va(next_free);

    if (next_free + PAGE_SIZE > end)
        panic("out of memory");
    next_free += PAGE_SIZE;
    return memset(page, 0, PAGE_SIZE);
}
