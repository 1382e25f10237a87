/* Turns the machine off. There is no standard port for it; each of the emulated PCs has its own. */
#include "vmm.h"
#include "x86.h"

#define QEMU_POWER      0x604           /* ACPI PM1a control: S5, sleep enable */
#define BOCHS_POWER     0xb004
#define SLEEP_S5        0x2000

#define BOCHS_SHUTDOWN  0x8900          /* takes the word letter by letter */

void power_off(void)
{
    outw(QEMU_POWER, SLEEP_S5);
    outw(BOCHS_POWER, SLEEP_S5);
    for (const char *c = "Shutdown"; *c != 0; c++)
        outb(BOCHS_SHUTDOWN, *c);
    halt_forever();
}
