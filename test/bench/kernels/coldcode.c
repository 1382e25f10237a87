/*
 * Benchmark "coldcode": a large flat program, as a kernel's boot or a compiler is. Two thousand different functions of about
 * ninety instructions, made up beforehand, are called in an order that nothing can predict. Prints "begin" and, when the
 * work is done, "end" with a checksum, on COM1.
 */
#include "console.h"
#include "multiboot.h"
#include "types.h"

#pragma GCC optimize ("O1")

#define FUNCTIONS       2000
#define OPERATIONS      60
#define CALLS           600000
#define DATA_SIZE       4096

static uint8_t code[1 << 20] __attribute__((aligned(4096)));
static uint8_t data[DATA_SIZE] __attribute__((aligned(4096)));
static uint8_t *function[FUNCTIONS];
static uint8_t *at = code;
static uint64_t seed = 88172645463325252ull;

static uint32_t random(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % n;
}

static void byte(uint32_t b) { *at++ = b; }
static void dword(uint32_t v) { byte(v & 0xff); byte(v >> 8 & 0xff); byte(v >> 16 & 0xff); byte(v >> 24); }

/* EAX, ECX, EDX, ESI, EDI; RBX has the address of the data. */
static uint32_t reg(void) { return (const uint8_t[]){ 0, 1, 2, 6, 7 }[random(5)]; }
static void two(uint32_t opcode) { byte(opcode); byte(0xc0 | reg() << 3 | reg()); }
static void memory(uint32_t opcode) { byte(opcode); byte(0x83 | reg() << 3); dword(random(DATA_SIZE / 8) * 8); }

static void simple_operation(void)
{
    static const uint8_t alu[] = { 0x01, 0x29, 0x31, 0x21, 0x09, 0x89 };

    switch (random(10)) {
    case 0: case 1: case 2: two(alu[random(sizeof alu)]); break;
    case 3: byte(0x81); byte(0xc0 | random(8) << 3 | reg()); dword(random(0x7fffffff)); break;     /* op r32, imm32 */
    case 4: byte(0xc1); byte(0xc0 | (random(2) ? 4 : 1) << 3 | reg()); byte(1 + random(30)); break; /* shl, ror */
    case 5: byte(0x0f); two(0xaf); break;                                                       /* imul */
    case 6: memory(0x8b); break;                                                                /* mov r32, [] */
    case 7: memory(0x89); break;                                                                /* mov [], r32 */
    case 8: memory(0x03); break;                                                                /* add r32, [] */
    case 9: byte(0x8d); byte(0x44 | reg() << 3); byte(random(4) << 6 | reg() << 3 | reg()); byte(random(128)); break; /* lea */
    }
}

static void branch_over(void)
{
    uint8_t *distance;

    two(random(2) ? 0x39 : 0x85);                       /* cmp, test */
    byte(0x70 | random(16));
    distance = at++;
    simple_operation();
    *distance = at - distance - 1;
}

static void make_functions(void)
{
    for (int i = 0; i < FUNCTIONS; i++) {
        function[i] = at;
        for (int n = 0; n < OPERATIONS; n++)
            if (random(4))
                simple_operation();
            else
                branch_over();
        byte(0xc3);
    }
}

static uint32_t call(const void *target, uint32_t a)
{
    __asm__ volatile("call *%1" : "+a"(a) : "r"(target), "b"(data) : "rcx", "rdx", "rsi", "rdi", "memory", "cc");
    return a;
}

void kernel_main(const struct multiboot_info *mb)
{
    uint32_t sum = 1;
    (void)mb;
    console_init();
    make_functions();
    cprintf("begin\n");
    for (int i = 0; i < CALLS; i++)
        sum = call(function[random(FUNCTIONS)], sum) + i;
    cprintf("end 0x%x\n", sum);
    for (;;)
        __asm__ volatile("cli; hlt");
}
