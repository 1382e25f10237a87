/*
 * The task register. 64-bit mode hardly uses it, but a VM exit loads TR from the VMCS, and VM entry refuses a null
 * selector there: so the VMM has a task-state segment like every 64-bit kernel.
 */
#include "vmm.h"
#include "x86.h"

#define TSS_SIZE        104
#define TSS_AVAILABLE   0x89ull         /* present, 64-bit TSS; LTR makes it busy (0x8b) */

static char tss[TSS_SIZE];
static struct { uint16_t limit; uint64_t base; } __attribute__((packed)) table;

extern uint64_t gdt[];                  /* lib/longmode.S */

uint64_t tss_base(void)
{
    return (uint64_t)tss;
}

uint64_t gdt_base(void)
{
    return (uint64_t)gdt;
}

uint64_t idt_base(void)
{
    __asm__ volatile("sidt %0" : "=m"(table));
    return table.base;
}

void segment_init(void)
{
    uint64_t base = tss_base();
    uint64_t *descriptor = &gdt[SEL_TSS / 8];

    descriptor[0] = (TSS_SIZE - 1) | (base & 0xffffff) << 16 | TSS_AVAILABLE << 40 | (base >> 24 & 0xff) << 56;
    descriptor[1] = base >> 32;
    ltr(SEL_TSS);
}
