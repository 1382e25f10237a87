/* Values of every kind that C has, for expressions that GDB and Hyperstep compute at the same stop. */
#include <stddef.h>
#include <stdint.h>
#include <uchar.h>

signed char sc = -5;
size_t size = 3;
uint8_t u8 = 1;
uint16_t u16 = 2;
int64_t i64 = 4;
unsigned char uc = 250;
char c = 'A';
short s = -1234;
unsigned short us = 60000;
int i = -7;
unsigned u = 4000000000u;
long l = -123456789012L;
unsigned long ul = 0xfedcba9876543210ul;
long long ll = -1;
unsigned long long ull = 1;
_Bool yes = 1, no = 0;
float f = 1.5f;
double d = -2.25;
long double ld = 3.125L;
char16_t c16 = u'\u20ac';
char32_t c32 = U'\U0001f600';
wchar_t wide = L'w';
__int128 i128 = -5;
unsigned __int128 u128 = (unsigned __int128)1 << 100;
_Complex double z = 1.5 + 2.5i;
const int ci = 12;
volatile unsigned vu = 13;
_Atomic int ai = 14;

enum colour { RED, GREEN = 5, BLUE } colour = BLUE, odd = 9;
enum flags { READ = 1, WRITE = 2, EXECUTE = 4 } rights = READ | EXECUTE, more = 13;
enum negative { MINUS = -1, PLUS = 1 } sign = MINUS;
enum wide_enum { HUGE = 0x100000000 } huge = HUGE;

typedef int number;
typedef number count;
typedef const count fixed;
count many = 77;
fixed few = 3;
typedef int (*operation)(int, int);
typedef int row[3];

struct bits {
    unsigned low : 3;
    signed middle : 5;
    unsigned long wide : 40;
    _Bool flag : 1;
    enum colour colour : 4;
    unsigned char last : 7;
} bits = { 5, -9, 0xabcdef0123, 1, BLUE, 100 };

struct inner {
    int x, y;
};
struct outer {
    struct inner in;
    struct inner *pointer;
    union {
        int as_int;
        unsigned char as_bytes[4];
        float as_float;
    };
    struct {
        short first, second;
    };
    char name[8];
    struct outer *next;
    operation op;
} outer;
struct outer last = { .in = { 11, 12 }, .as_int = 0x3f800000, .first = 1, .second = -2, .name = "last" };

struct flexible {
    int count;
    int values[];
} *flexible;
static long storage[8] = { 3L | 10L << 32, 20L | 30L << 32 };

struct empty {
} empty;
struct __attribute__((packed)) packed {
    char tag;
    int value;
    short rest;
} packed = { 1, 0x12345678, 9 };

int array[5] = { 10, 20, 30, 40, 50 };
int matrix[2][3] = { { 1, 2, 3 }, { 4, 5, 6 } };
row rows[2] = { { 7, 8, 9 }, { 10, 11, 12 } };
char text[] = "hello\n\t\"q\"\001";
unsigned char bytes[4] = { 1, 2, 0xff, 0 };
const char *string = "a string";
char *words[3] = { "one", "two", 0 };
int *pi = &array[1];
int **ppi = &pi;
void *pv = &array[2];
int *nothing;
int (*whole)[5] = &array;
int (*line)[3] = &matrix[1];
double doubles[2] = { 0.5, 1e100 };

int add(int a, int b) { return a + b; }
int subtract(int a, int b) { return a - b; }
operation op = add;
operation operations[2] = { add, subtract };

__attribute__((noinline)) void stop(void) { __asm__ volatile(""); }

void run(void) {
    int n = 3;
    int local = 42;
    unsigned char byte = 200;
    int variable[n + 1];
    for (int k = 0; k <= n; k++) variable[k] = k * k;
    struct bits copy = bits;
    register int kept = i;
    flexible = (struct flexible *)storage;
    outer = last;
    outer.next = &last;
    outer.pointer = &last.in;
    outer.op = subtract;
    stop();
    (void)variable[0], (void)byte, (void)local, (void)copy, (void)kept;
}
