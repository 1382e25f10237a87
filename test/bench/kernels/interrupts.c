/*
 * Benchmark "interrupts": the processor sends itself interrupts through its local APIC and handles each before the next.
 * Prints "begin" and, when all are handled, "end" with their number, on COM1.
 */
#include "console.h"
#include "memory.h"
#include "multiboot.h"
#include "paging.h"
#include "types.h"
#include "x86.h"

#pragma GCC optimize ("O1")

#define INTERRUPTS      1000000
#define VECTOR          0x40
#define APIC_EOI        0x0b0
#define APIC_SPURIOUS   0x0f0
#define APIC_COMMAND    0x300
#define APIC_ENABLED    0x1ff
#define TO_SELF         (1u << 18)

static table root, pointers, memory, devices;
static struct { uint16_t low, selector, attributes, middle; uint32_t high, zero; } idt[256];
uint64_t handled;
void handler(void);

__asm__(
    ".text\n"
    ".globl handler\n"
    "handler:\n"
    "    push %rax\n    push %rcx\n    push %rdx\n"
    "    incq handled\n"
    "    mov $0xfee000b0, %eax\n"       /* end of interrupt */
    "    movl $0, (%rax)\n"
    "    pop %rdx\n    pop %rcx\n    pop %rax\n"
    "    iretq\n");

static volatile uint32_t *apic(uint32_t offset) { return (volatile uint32_t *)(LOCAL_APIC + offset); }

void kernel_main(const struct multiboot_info *mb)
{
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) idtr = { sizeof idt - 1, (uint64_t)idt };
    uint64_t entry = (uint64_t)handler;

    (void)mb;
    console_init();
    map_everything(root, pointers, memory, devices);
    load_cr3(pa(root));
    idt[VECTOR].low = entry;
    idt[VECTOR].selector = SEL_CODE;
    idt[VECTOR].attributes = 0x8e00;
    idt[VECTOR].middle = entry >> 16;
    idt[VECTOR].high = entry >> 32;
    lidt(&idtr);
    outb(0x21, 0xff);                   /* the 8259s stay silent */
    outb(0xa1, 0xff);
    *apic(APIC_SPURIOUS) = APIC_ENABLED;
    cprintf("begin\n");
    __asm__ volatile("sti");
    for (uint64_t i = 1; i <= INTERRUPTS; i++) {
        *apic(APIC_COMMAND) = TO_SELF | VECTOR;
        while (*(volatile uint64_t *)&handled < i)
            ;
    }
    __asm__ volatile("cli");
    cprintf("end %d\n", (int)handled);
    for (;;)
        __asm__ volatile("cli; hlt");
}
