/* The instructions that C has no words for, one small function each. */
#ifndef LAB_X86_H
#define LAB_X86_H

#define CR0_PE      0x00000001      /* protection enable */
#define CR0_NE      0x00000020      /* numeric error: VMX operation insists on it */
#define CR0_WP      0x00010000      /* the kernel too respects read-only pages */
#define CR0_PG      0x80000000      /* paging */
#define CR4_PAE     0x00000020
#define CR4_VMXE    0x00002000      /* enables VMXON */

#define RFLAGS_IF   0x00000200

#define MSR_FEATURE_CONTROL     0x03a
#define MSR_EFER                0xc0000080
#define EFER_LME    0x00000100      /* long mode enable */

#define CPUID_1_ECX_VMX         (1u << 5)

#ifndef __ASSEMBLER__
#include "types.h"

static inline uint8_t inb(uint16_t port) { uint8_t v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline void outb(uint16_t port, uint8_t v) { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static inline void outw(uint16_t port, uint16_t v) { __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port)); }

/* Reads `count` 32-bit words from a port to memory. */
static inline void insl(uint16_t port, void *to, unsigned long count)
{
    __asm__ volatile("cld; rep insl" : "+D"(to), "+c"(count) : "d"(port) : "memory");
}

static inline uint64_t read_cr0(void) { uint64_t v; __asm__ volatile("mov %%cr0, %0" : "=r"(v)); return v; }
static inline uint64_t read_cr3(void) { uint64_t v; __asm__ volatile("mov %%cr3, %0" : "=r"(v)); return v; }
static inline uint64_t read_cr4(void) { uint64_t v; __asm__ volatile("mov %%cr4, %0" : "=r"(v)); return v; }
static inline void write_cr0(uint64_t v) { __asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory"); }
static inline void write_cr4(uint64_t v) { __asm__ volatile("mov %0, %%cr4" : : "r"(v) : "memory"); }
static inline uint64_t read_cr2(void) { uint64_t v; __asm__ volatile("mov %%cr2, %0" : "=r"(v)); return v; }

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

static inline void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t *eax, uint32_t *ebx, uint32_t *ecx, uint32_t *edx)
{
    __asm__ volatile("cpuid" : "=a"(*eax), "=b"(*ebx), "=c"(*ecx), "=d"(*edx) : "a"(leaf), "c"(subleaf));
}

static inline void lidt(const void *descriptor) { __asm__ volatile("lidt (%0)" : : "r"(descriptor) : "memory"); }
static inline void ltr(uint16_t selector) { __asm__ volatile("ltr %0" : : "r"(selector)); }
static inline void cli(void) { __asm__ volatile("cli"); }

/*
 * Sleeps until an interrupt has been handled. STI takes effect only after the next instruction, so no interrupt can
 * slip in between the two and leave us asleep.
 */
static inline void wait_for_interrupt(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }

/* Stops this processor for good. */
static inline __attribute__((noreturn)) void halt_forever(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

#endif
#endif
