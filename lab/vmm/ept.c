/*
 * Extended page tables: from guest-physical to host-physical addresses. They start out empty and are filled as the
 * guest touches its memory; a guest of 16 MiB that uses 200 KiB costs us 200 KiB.
 */
#include "vmx.h"
#include "vmm.h"
#include "vmcs.h"
#include "console.h"
#include "x86.h"

#define LEVELS              4
#define ENTRIES             512
#define INDEX_BITS          9
#define PAGE_BITS           12

#define EPT_READ            0x1ull
#define EPT_WRITE           0x2ull
#define EPT_EXECUTE         0x4ull
#define EPT_ALL             (EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define EPT_WRITE_BACK      (6ull << 3)         /* memory type of a leaf entry */
#define EPT_ADDRESS         0x000ffffffffff000ull

#define EPTP_WRITE_BACK     6ull                /* memory type of the tables themselves */
#define EPTP_WALK_LENGTH    ((LEVELS - 1ull) << 3)
#define CAP_EPTP_WRITE_BACK (1ull << 14)        /* IA32_VMX_EPT_VPID_CAP */

void ept_init(struct guest *g)
{
    g->ept_root = page_alloc();
}

uint64_t ept_pointer(const struct guest *g)
{
    uint64_t type = rdmsr(MSR_VMX_EPT_VPID_CAP) & CAP_EPTP_WRITE_BACK ? EPTP_WRITE_BACK : 0;

    return pa(g->ept_root) | EPTP_WALK_LENGTH | type;
}

/* The leaf entry for a guest page. Tables on the way to it are made when they are missing. */
static uint64_t *ept_walk(struct guest *g, gpa_t gpa)
{
    uint64_t *table = g->ept_root;

    for (int level = LEVELS - 1; level > 0; level--) {
        uint64_t *entry = &table[gpa >> (PAGE_BITS + level * INDEX_BITS) & (ENTRIES - 1)];
        if (!(*entry & EPT_ALL))
            *entry = pa(page_alloc()) | EPT_ALL;
        table = va(*entry & EPT_ADDRESS);
    }
    return &table[gpa >> PAGE_BITS & (ENTRIES - 1)];
}

/* Maps one page. An entry that was not present is cached nowhere, so INVEPT is not needed. */
void ept_map(struct guest *g, gpa_t gpa, hpa_t hpa)
{
    *ept_walk(g, gpa) = (hpa & EPT_ADDRESS) | EPT_WRITE_BACK | EPT_ALL;
}

int ept_is_ram(gpa_t gpa)
{
    return gpa < HOLE_START || (gpa >= HOLE_END && gpa < GUEST_MEMORY);
}

void *ept_page(struct guest *g, gpa_t gpa)
{
    uint64_t *entry;

    if (!ept_is_ram(gpa))
        return 0;
    entry = ept_walk(g, gpa);
    if (!(*entry & EPT_ALL))
        ept_map(g, gpa, pa(page_alloc()));
    return va(*entry & EPT_ADDRESS);
}
