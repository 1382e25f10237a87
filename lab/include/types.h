/* The types of fixed width, and the few others that C keeps in headers of its compiler. */
#ifndef LAB_TYPES_H
#define LAB_TYPES_H

typedef signed char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef long int64_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long uint64_t;
typedef unsigned long size_t;
typedef _Bool bool;

#define true 1
#define false 0

typedef __builtin_va_list va_list;
#define va_start(list, last) __builtin_va_start(list, last)
#define va_arg(list, type) __builtin_va_arg(list, type)
#define va_end(list) __builtin_va_end(list)

_Static_assert(sizeof(int64_t) == 8 && sizeof(void *) == 8, "the lab is 64-bit code");

#endif
