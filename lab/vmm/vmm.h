/* What the VMM's parts offer each other, apart from VMX itself (vmx.h). */
#ifndef VMM_H
#define VMM_H

#include "memory.h"
#include "multiboot.h"

/* page.c */
void page_init(const struct multiboot_info *mb);
void *page_alloc(void);                                 /* a zeroed page; panics when there is none */

/* segment.c */
void segment_init(void);                                /* loads a task register: VM entry wants one to come back to */
uint64_t tss_base(void);
uint64_t gdt_base(void);
uint64_t idt_base(void);

/* timer.c */
void timer_init(void);

/* ide.c */
int ide_read(uint32_t disk, uint32_t sector, uint32_t count, void *to);     /* 0, or -1 when there is no such disk or sector */

/* power.c */
void power_off(void) __attribute__((noreturn));

#endif
