/* The console: COM1, and the VGA text screen beside it. */
#ifndef LAB_CONSOLE_H
#define LAB_CONSOLE_H

#include "types.h"

/* COM1's registers: SDM knows nothing of them; they are those of the PC's first serial port, an 8250 and its heirs. */
enum com1 {
    COM1_DATA = 0x3f8,          /* transmit and receive buffer; divisor low while DLAB is set */
    COM1_IER = 0x3f9,           /* interrupt enable; divisor high while DLAB is set */
    COM1_FCR = 0x3fa,           /* FIFO control */
    COM1_LCR = 0x3fb,           /* line control: bit 7 is DLAB */
    COM1_MCR = 0x3fc,           /* modem control */
    COM1_LSR = 0x3fd,           /* line status */

    LSR_DATA_READY = 0x01,
    LSR_TRANSMIT_EMPTY = 0x20,
};

void console_init(void);
void console_putc(char c);
bool console_input_waiting(void);
char console_getc(void);                    /* call only when input waits */

void cprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void vcprintf(const char *format, va_list arguments);

/* Says what went wrong and where, and stops the processor. */
#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
void panic_at(const char *file, int line, const char *format, ...) __attribute__((noreturn, format(printf, 3, 4)));

#endif
