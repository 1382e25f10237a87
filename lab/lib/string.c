/* The string functions that the compiler may call on its own, and those that we call. */
#include "string.h"

void *memset(void *to, int value, size_t size)
{
    void *p = to;

    __asm__ volatile("cld; rep stosb" : "+D"(p), "+c"(size) : "a"(value) : "memory");
    return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
    return memmove(to, from, size);
}

void *memmove(void *to, const void *from, size_t size)
{
    void *p = to;

    if (from < to && (const char *)from + size > (char *)to) {
        /* They overlap with the target above: copy from the end, or the source is overwritten before it is read. */
        char *t = to;
        const char *f = from;
        while (size-- > 0)
            t[size] = f[size];
    } else {
        __asm__ volatile("cld; rep movsb" : "+D"(p), "+S"(from), "+c"(size) : : "memory");
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *x = a, *y = b;

    for (size_t i = 0; i < size; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

int strncmp(const char *a, const char *b, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i] || a[i] == 0)
            return (unsigned char)a[i] - (unsigned char)b[i];
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, (size_t)-1);
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n] != 0)
        n++;
    return n;
}
