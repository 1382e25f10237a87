/*
 * Benchmark "compute": integer work as compilers emit it, in 64-bit mode on the bare machine. Prints "begin" and, when
 * the work is done, "end" with a checksum, on COM1.
 */
#include "console.h"
#include "multiboot.h"
#include "types.h"

/* The lab is built without optimisation, for stepping; work that is timed is not. */
#pragma GCC optimize ("O1")

#define SIEVE 65536
#define WORDS 16384
#ifndef ROUNDS
#define ROUNDS 40
#endif

static uint8_t composite[SIEVE];
static uint64_t words[WORDS];
static uint64_t copies[WORDS];

static uint64_t sieve(void)
{
    uint64_t primes = 0;
    for (int i = 0; i < SIEVE; i++)
        composite[i] = 0;
    for (int i = 2; i < SIEVE; i++) {
        if (composite[i])
            continue;
        primes++;
        for (int j = 2 * i; j < SIEVE; j += i)
            composite[j] = 1;
    }
    return primes;
}

static void fill(uint64_t seed)
{
    for (int i = 0; i < WORDS; i++) {
        seed = seed * 6364136223846793005UL + 1442695040888963407UL;
        words[i] = seed >> 20;
    }
}

static uint64_t checksum(void)
{
    uint64_t sum = 14695981039346656037UL;
    for (int i = 0; i < WORDS; i++) {
        copies[i] = words[i];
        sum = (sum ^ copies[i]) * 1099511628211UL;
        sum = sum << 7 | sum >> 57;
    }
    return sum;
}

static uint64_t fibonacci(uint64_t n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static void sort(uint64_t *v, long low, long high)
{
    if (low >= high)
        return;
    uint64_t pivot = v[(low + high) / 2];
    long i = low, j = high;
    while (i <= j) {
        while (v[i] < pivot)
            i++;
        while (v[j] > pivot)
            j--;
        if (i <= j) {
            uint64_t t = v[i];
            v[i++] = v[j];
            v[j--] = t;
        }
    }
    sort(v, low, j);
    sort(v, i, high);
}

/* A small bytecode machine: dependent loads and a jump table. */
static uint64_t interpret(uint64_t rounds)
{
    static const uint8_t program[] = { 0, 1, 2, 3, 1, 4, 2, 5, 3, 0, 6, 7 };
    uint64_t a = 1, b = 2, c = 3;
    while (rounds--)
        for (unsigned i = 0; i < sizeof program; i++)
            switch (program[i]) {
            case 0: a += b; break;
            case 1: b ^= c; break;
            case 2: c += a >> 3; break;
            case 3: a = a << 1 | a >> 63; break;
            case 4: b -= a; break;
            case 5: c *= 3; break;
            case 6: a ^= c; break;
            case 7: b += 7; break;
            }
    return a ^ b ^ c;
}

void kernel_main(const struct multiboot_info *mb)
{
    uint64_t sum = 0;
    (void)mb;
    console_init();
    cprintf("begin\n");
    for (int round = 0; round < ROUNDS; round++) {
        sum += sieve();
        fill(sum);
        sum ^= checksum();
        sort(words, 0, WORDS - 1);
        sum += words[WORDS / 2] + fibonacci(18) + interpret(10000);
    }
    cprintf("end 0x%lx\n", sum);
    for (;;)
        __asm__ volatile("cli; hlt");
}
