/* COM1 and the VGA text screen. Both kernels write to the same two; the guest's writes are its own, with no exit. */
#include "console.h"
#include "memory.h"
#include "string.h"
#include "x86.h"

#define COLUMNS     80
#define ROWS        25
#define ATTRIBUTE   0x0700          /* light grey on black */

/* The VGA's cursor lives in two registers of its CRT controller. */
#define CRTC_INDEX  0x3d4
#define CRTC_DATA   0x3d5
#define CURSOR_HIGH 14
#define CURSOR_LOW  15

static uint16_t cursor;             /* cell, from 0 at the top left */

static uint16_t *screen(void)
{
    return va(VGA_TEXT);
}

void console_init(void)
{
    outb(COM1_IER, 0);              /* no interrupts: we poll */
    outb(COM1_LCR, 0x80);           /* DLAB: the next two set the divisor */
    outb(COM1_DATA, 1);             /* 115200 baud */
    outb(COM1_IER, 0);
    outb(COM1_LCR, 0x03);           /* 8 data bits, no parity, 1 stop bit */
    outb(COM1_FCR, 0x07);           /* FIFOs on and empty */
    outb(COM1_MCR, 0x03);           /* DTR, RTS */

    /* Whoever wrote before us (BIOS or VMM) left the cursor below what it wrote. */
    outb(CRTC_INDEX, CURSOR_HIGH);
    cursor = inb(CRTC_DATA) << 8;
    outb(CRTC_INDEX, CURSOR_LOW);
    cursor |= inb(CRTC_DATA);
    if (cursor >= COLUMNS * ROWS)
        cursor = 0;
}

static void serial_putc(char c)
{
    while (!(inb(COM1_LSR) & LSR_TRANSMIT_EMPTY))
        ;
    outb(COM1_DATA, c);
}

static void screen_scroll(void)
{
    memmove(screen(), screen() + COLUMNS, COLUMNS * (ROWS - 1) * sizeof(uint16_t));
    for (int i = COLUMNS * (ROWS - 1); i < COLUMNS * ROWS; i++)
        screen()[i] = ATTRIBUTE | ' ';
    cursor -= COLUMNS;
}

static void screen_putc(char c)
{
    if (c == '\n')
        cursor += COLUMNS - cursor % COLUMNS;
    else if (c == '\b')
        cursor -= cursor > 0;
    else
        screen()[cursor++] = ATTRIBUTE | (uint8_t)c;
    if (cursor >= COLUMNS * ROWS)
        screen_scroll();
    outb(CRTC_INDEX, CURSOR_HIGH);
    outb(CRTC_DATA, cursor >> 8);
    outb(CRTC_INDEX, CURSOR_LOW);
    outb(CRTC_DATA, cursor);
}

void console_putc(char c)
{
    if (c == '\n')
        serial_putc('\r');          /* a terminal needs both */
    serial_putc(c);
    screen_putc(c);
}

bool console_input_waiting(void)
{
    return inb(COM1_LSR) & LSR_DATA_READY;
}

char console_getc(void)
{
    return inb(COM1_DATA);
}
