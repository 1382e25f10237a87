/* The VMM's clock: the PIT ticks a hundred times a second, through the master PIC. */
#include "vmm.h"
#include "console.h"
#include "trap.h"
#include "x86.h"

#define PIC_MASTER      0x20            /* command; data is the next port */
#define PIC_SLAVE       0xa0
#define PIC_INIT        0x11            /* ICW1: edge-triggered, cascaded, ICW4 follows */
#define PIC_EOI         0x20
#define IRQ_TIMER       0
#define IRQ_CASCADE     2

#define PIT_CHANNEL_0   0x40
#define PIT_COMMAND     0x43
#define PIT_RATE        0x34            /* channel 0, low byte then high byte, mode 2 */
#define PIT_FREQUENCY   1193182         /* hertz */
#define TICKS_PER_SECOND 100

static uint64_t ticks;

void timer_init(void)
{
    uint16_t divisor = PIT_FREQUENCY / TICKS_PER_SECOND;

    outb(PIC_MASTER, PIC_INIT);
    outb(PIC_MASTER + 1, IRQ_BASE);
    outb(PIC_MASTER + 1, 1 << IRQ_CASCADE);
    outb(PIC_MASTER + 1, 1);            /* ICW4: 8086 mode */
    outb(PIC_SLAVE, PIC_INIT);
    outb(PIC_SLAVE + 1, IRQ_BASE + 8);
    outb(PIC_SLAVE + 1, IRQ_CASCADE);
    outb(PIC_SLAVE + 1, 1);
    outb(PIC_MASTER + 1, (uint8_t)~(1 << IRQ_TIMER));   /* all masked but the timer */
    outb(PIC_SLAVE + 1, 0xff);

    outb(PIT_COMMAND, PIT_RATE);
    outb(PIT_CHANNEL_0, divisor & 0xff);
    outb(PIT_CHANNEL_0, divisor >> 8);
}

void irq(int number)
{
    if (number == IRQ_TIMER)
        ticks++;
    if (number >= 8)
        outb(PIC_SLAVE, PIC_EOI);
    outb(PIC_MASTER, PIC_EOI);
}
