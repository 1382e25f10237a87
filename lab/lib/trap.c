/* The interrupt descriptor table, and what happens at an interrupt or exception. */
#include "trap.h"
#include "console.h"
#include "memory.h"
#include "x86.h"

#define GATE_INTERRUPT  0x8e            /* present, DPL 0, 64-bit interrupt gate: enters with interrupts off */
#define STUB_SIZE       16

struct gate {
    uint16_t offset_0;
    uint16_t selector;
    uint8_t stack;
    uint8_t type;
    uint16_t offset_16;
    uint32_t offset_32;
    uint32_t reserved;
};

static struct gate idt[VECTORS];
static struct { uint16_t limit; uint64_t base; } __attribute__((packed)) idt_pointer;

extern char trap_stubs[];               /* lib/trapentry.S */

void trap_init(void)
{
    for (int i = 0; i < VECTORS; i++) {
        uint64_t stub = (uint64_t)(trap_stubs + i * STUB_SIZE);
        idt[i].offset_0 = stub;
        idt[i].selector = SEL_CODE;
        idt[i].type = GATE_INTERRUPT;
        idt[i].offset_16 = stub >> 16;
        idt[i].offset_32 = stub >> 32;
    }
    idt_pointer.limit = sizeof idt - 1;
    idt_pointer.base = (uint64_t)idt;
    lidt(&idt_pointer);
}

void trap(struct trapframe *tf)
{
    if (tf->vector >= IRQ_BASE) {
        irq(tf->vector - IRQ_BASE);
        return;
    }
    cprintf("RIP %016lx  RSP %016lx  RFLAGS %lx  CR2 %016lx\n", tf->rip, tf->rsp, tf->rflags, read_cr2());
    panic("exception %lu, error code 0x%lx", tf->vector, tf->error);
}
