/*
 * Benchmark "selfmodifying": code that was just written is executed, an operand at a time (as kernels patch jumps and
 * trampolines) and a whole function at a time (as compilers at run time do). Prints "begin" and, when the work is done, "end"
 * with a checksum, on COM1.
 */
#include "console.h"
#include "multiboot.h"
#include "types.h"

#pragma GCC optimize ("O1")

#define PATCHES     100000
#define FUNCTIONS   20000
#define OPERATIONS  64

static uint8_t patched[4096] __attribute__((aligned(4096)));
static uint8_t generated[8192] __attribute__((aligned(4096)));

static uint32_t call(const void *target, uint32_t a)
{
    __asm__ volatile("call *%1" : "+a"(a) : "r"(target) : "rcx", "memory", "cc");
    return a;
}

void kernel_main(const struct multiboot_info *mb)
{
    uint32_t sum = 1;
    (void)mb;
    console_init();
    cprintf("begin\n");
    patched[0] = 0x05;                                              /* add eax, imm32 */
    patched[5] = 0xc3;
    for (uint32_t i = 0; i < PATCHES; i++) {
        *(volatile uint32_t *)(patched + 1) = i * 3;
        sum = call(patched, sum);
    }
    for (uint32_t i = 0; i < FUNCTIONS; i++) {
        volatile uint8_t *at = generated + i % 8 * 512;

        for (uint32_t n = 0; n < OPERATIONS; n++) {
            *at++ = n & 1 ? 0x35 : 0x05;                            /* xor, add eax, imm32 */
            *(volatile uint32_t *)at = i * 7 + n;
            at += 4;
        }
        *at = 0xc3;
        for (int n = 0; n < 4; n++)
            sum = call(generated + i % 8 * 512, sum);
    }
    cprintf("end 0x%x\n", sum);
    for (;;)
        __asm__ volatile("cli; hlt");
}
