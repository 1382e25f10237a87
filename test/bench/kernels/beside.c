/*
 * Benchmark "beside": all that the machine does is on two pages, one of data and one of the stack, and each of them has a
 * word that nobody touches and a data breakpoint can be set on. It never ends; what costs nothing shows in how fast it
 * goes. Prints "begin", and where the two words are, on COM1.
 */
#include "console.h"
#include "multiboot.h"
#include "types.h"

/* The lab is built without optimisation, for stepping; work that is timed is not. */
#pragma GCC optimize ("O1")

#define PAGE_SIZE 4096
#define TURNS     20000
#define COUNTERS  256
#define COPIED    64

static volatile struct {
    uint64_t a, b, untouched, c, d;
    uint64_t counters[COUNTERS];
} page __attribute__((aligned(PAGE_SIZE)));

static void __attribute__((noinline)) globals(void)
{
    for (uint64_t i = 0; i < TURNS; i++) {
        page.a += i;
        page.b ^= page.a;
        page.c += page.b >> 3;
        page.d++;
    }
}

static void __attribute__((noinline)) count(void)
{
    uint64_t seed = 1;
    for (int i = 0; i < TURNS; i++) {
        seed = seed * 6364136223846793005UL + 1;
        page.counters[seed >> 40 & (COUNTERS - 1)]++;
    }
}

static void __attribute__((noinline)) copy(void)
{
    for (int i = 0; i < TURNS / COPIED; i++)
        for (int j = 0; j < COPIED; j++)
            page.counters[COUNTERS / 2 + j] = page.counters[j] + 1;
}

static uint64_t __attribute__((noinline)) fibonacci(uint64_t n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static void __attribute__((noinline)) run(void)
{
    /* Nobody touches it; the frames of fibonacci() lie right below. */
    volatile uint64_t words[COPIED];
    cprintf("begin 0x%lx 0x%lx\n", (uint64_t)&page.untouched, (uint64_t)&words[1]);
    for (;;) {
        globals();
        count();
        copy();
        page.a += fibonacci(14);
    }
}

void kernel_main(const struct multiboot_info *mb)
{
    (void)mb;
    console_init();
    run();
}
