#include "console.h"
#include "x86.h"

void panic_at(const char *file, int line, const char *format, ...)
{
    va_list arguments;

    cprintf("kernel panic on CPU 0 at %s:%d: ", file, line);
    va_start(arguments, format);
    vcprintf(format, arguments);
    va_end(arguments);
    cprintf("\n");
    halt_forever();
}
