/*
 * Memory layout, for C and for assembly, of both kernels. The VMM and its guest are linked at the same addresses by the
 * same linker script: they are two kernels of one kind, one of which happens to run inside the other.
 *
 *     linear address          physical address
 *     KERNBASE + x            x                   for x below 1 GiB: all of a kernel's code, data and memory
 *
 * In the VMM "physical" means host-physical (hpa_t); in the guest it means guest-physical (gpa_t), and EPT has the last
 * word on where that is.
 */
#ifndef LAB_MEMORY_H
#define LAB_MEMORY_H

#define KERNBASE        0xffffffff80000000
#define KERNEL_LOAD     0x100000            /* physical address of a kernel's first byte */
#define MAPPED_MEMORY   0x40000000          /* bytes of physical memory that the kernel's page tables map: 1 GiB */

#define PAGE_SIZE       4096
#define STACK_SIZE      16384

/* The legacy hole: video memory and ROMs, never RAM. */
#define HOLE_START      0xa0000
#define HOLE_END        0x100000
#define VGA_TEXT        0xb8000

/* Selectors of the GDT in lib/longmode.S. */
#define SEL_CODE        0x08
#define SEL_DATA        0x10
#define SEL_TSS         0x18

/* Where the VMM's boot sector leaves the multiboot information, and where it reads the ELF headers to. */
#define BOOT_INFO       0x8000
#define BOOT_SCRATCH    0x10000

#ifndef __ASSEMBLER__
#include "types.h"

typedef uint64_t hpa_t;     /* host-physical address */
typedef uint64_t gpa_t;     /* guest-physical address */

/* The kernel's own view of a physical address below MAPPED_MEMORY, and back. */
static inline void *va(uint64_t physical) { return (void *)(physical + KERNBASE); }
static inline uint64_t pa(const void *linear) { return (uint64_t)linear - KERNBASE; }
#endif

#endif
