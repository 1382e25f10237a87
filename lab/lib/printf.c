/* cprintf: the formats that the lab uses, which are %d %u %x %s %c %%, with 0, a width, and l. */
#include "console.h"

#include "types.h"

static void put_number(uint64_t value, unsigned base, int width, char pad, bool negative)
{
    char digits[24];
    int n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    if (negative)
        digits[n++] = '-';
    for (int i = n; i < width; i++)
        console_putc(pad);
    while (n > 0)
        console_putc(digits[--n]);
}

static void put_string(const char *s, int width)
{
    int n = 0;

    for (; s[n] != 0; n++)
        console_putc(s[n]);
    for (; n < width; n++)
        console_putc(' ');
}

void vcprintf(const char *format, va_list arguments)
{
    for (const char *f = format; *f != 0; f++) {
        char pad = ' ';
        int width = 0;
        bool wide = false;
        int64_t value;

        if (*f != '%') {
            console_putc(*f);
            continue;
        }
        f++;
        if (*f == '-')              /* strings are always left-justified */
            f++;
        if (*f == '0')
            pad = '0';
        while (*f >= '0' && *f <= '9')
            width = width * 10 + *f++ - '0';
        while (*f == 'l') {
            wide = true;
            f++;
        }
        switch (*f) {
        case 'd':
            value = wide ? va_arg(arguments, int64_t) : va_arg(arguments, int32_t);
            put_number(value < 0 ? -value : value, 10, width, pad, value < 0);
            break;
        case 'u':
        case 'x':
            value = wide ? va_arg(arguments, int64_t) : va_arg(arguments, uint32_t);
            put_number(value, *f == 'x' ? 16 : 10, width, pad, false);
            break;
        case 's':
            put_string(va_arg(arguments, const char *), width);
            break;
        case 'c':
            console_putc(va_arg(arguments, int));
            break;
        default:
            console_putc(*f);
        }
    }
}

void cprintf(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vcprintf(format, arguments);
    va_end(arguments);
}
