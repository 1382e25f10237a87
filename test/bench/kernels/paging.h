/*
 * Page tables of a benchmark's own: the kernel's memory at KERNBASE, the same physical memory at 0 and the local APIC at
 * its own address, all with 2-MiB pages that user code may use too.
 */
#ifndef BENCH_PAGING_H
#define BENCH_PAGING_H

#include "memory.h"
#include "types.h"

#define PTE_PRESENT     1ull
#define PTE_WRITABLE    2ull
#define PTE_USER        4ull
#define PTE_UNCACHED    0x18ull
#define PTE_LARGE       0x80ull
#define PTE_ALL         (PTE_PRESENT | PTE_WRITABLE | PTE_USER)
#define LOCAL_APIC      0xfee00000ull

typedef uint64_t table[512] __attribute__((aligned(PAGE_SIZE)));

static inline void load_cr3(uint64_t root) { __asm__ volatile("mov %0, %%cr3" : : "r"(root) : "memory"); }
static inline void invlpg(const void *linear) { __asm__ volatile("invlpg (%0)" : : "r"(linear) : "memory"); }

/* Fills a hierarchy of four tables: root, pointers, memory, devices. */
static inline void map_everything(table root, table pointers, table memory, table devices)
{
    for (uint64_t i = 0; i < 512; i++)
        memory[i] = i << 21 | PTE_LARGE | PTE_ALL;
    devices[(LOCAL_APIC >> 21) & 511] = LOCAL_APIC | PTE_LARGE | PTE_UNCACHED | PTE_PRESENT | PTE_WRITABLE;
    pointers[0] = pointers[510] = pa(memory) | PTE_ALL;
    pointers[3] = pa(devices) | PTE_ALL;
    root[0] = root[511] = pa(pointers) | PTE_ALL;
}

#endif
