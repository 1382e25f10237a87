/* The guest from its first line of C to its shell. It behaves as if the machine were its own. */
#include "guest.h"
#include "console.h"
#include "trap.h"

/* The VMM keeps all interrupts to itself, so none comes here. */
void irq(int number)
{
    (void)number;
}

void kernel_main(const struct multiboot_info *mb)
{
    const struct file *motd;

    console_init();
    trap_init();
    cprintf("Guest: in 64-bit mode.\n");
    if (pa(mb) != 0) {
        /* BP: guest prints its map */
        e820_print(mb);
    } else {
        cprintf("Guest: nobody gave me a memory map.\n");
        mb = 0;
    }
    cprintf("Guest: CMOS reports %u KiB above 1 MiB.\n", cmos_extended_memory());
    processor_check();

    files_mount();
    motd = file_find("motd");
    if (motd)
        file_print(motd);
    shell(mb);
}
