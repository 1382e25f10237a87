/*
 * Benchmark "pagetables": what a kernel does to its page tables. Pages are mapped, written, mapped elsewhere with INVLPG,
 * written again and unmapped; between the rounds CR3 goes back and forth between two address spaces. Prints "begin" and,
 * when the rounds are done, "end" with a checksum, on COM1.
 */
#include "console.h"
#include "memory.h"
#include "multiboot.h"
#include "paging.h"
#include "types.h"

#pragma GCC optimize ("O1")

#define ROUNDS      8000
#define WINDOW      64                      /* pages that are mapped at a time */
#define FRAMES      1024                    /* pages of memory behind them */
#define LINEAR      0x40000000ull           /* pointers[1] is free */
#define POOL        0x2000000ull            /* physical; nobody else uses it */
#define KERNEL_TOUCH 32

static table root[2], pointers[2], memory, devices, directory[2], pages[2];
static uint8_t kernel_data[KERNEL_TOUCH * PAGE_SIZE];

void kernel_main(const struct multiboot_info *mb)
{
    uint64_t sum = 0;

    (void)mb;
    console_init();
    for (int i = 0; i < 2; i++) {
        map_everything(root[i], pointers[i], memory, devices);
        pointers[i][1] = pa(directory[i]) | PTE_ALL;
        directory[i][0] = pa(pages[i]) | PTE_ALL;
    }
    load_cr3(pa(root[0]));
    cprintf("begin\n");
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t *entries = pages[round & 1];

        load_cr3(pa(root[round & 1]));
        for (uint64_t i = 0; i < WINDOW; i++) {
            volatile uint64_t *word = (volatile uint64_t *)(LINEAR + i * PAGE_SIZE);

            entries[i] = (POOL + (round * 7 + i) % FRAMES * PAGE_SIZE) | PTE_ALL;
            *word += round;
            entries[i] = (POOL + (round * 11 + i * 3) % FRAMES * PAGE_SIZE) | PTE_ALL;
            invlpg((const void *)word);
            sum += *word += i;
        }
        for (int i = 0; i < KERNEL_TOUCH; i++)
            sum += kernel_data[i * PAGE_SIZE]++;
        for (uint64_t i = 0; i < WINDOW; i++) {
            entries[i] = 0;
            invlpg((const void *)(LINEAR + i * PAGE_SIZE));
        }
    }
    cprintf("end 0x%lx\n", sum);
    for (;;)
        __asm__ volatile("cli; hlt");
}
