/* The guest's shell: one table of commands, one line at a time from the serial console. */
#include "guest.h"
#include "console.h"
#include "string.h"
#include "x86.h"

#define LINE_LENGTH     80
#define DELETE          0x7f            /* what terminals send for Backspace */

static const struct multiboot_info *memory_map;

static void help(const char *argument);

static void ls(const char *argument)
{
    const struct file *f;

    (void)argument;
    for (int i = 0; (f = file_at(i)); i++)
        cprintf("%-16s %u\n", f->name, f->size);
}

static void cat(const char *argument)
{
    const struct file *f = file_find(argument);

    if (f)
        file_print(f);
    else
        cprintf("cat: there is no file '%s'\n", argument);
}

static void e820(const char *argument)
{
    (void)argument;
    if (memory_map)
        e820_print(memory_map);
    else
        cprintf("e820: nobody gave me a memory map\n");
}

static void show_cpuid(const char *argument)
{
    (void)argument;
    processor_print();
}

static void echo(const char *argument)
{
    cprintf("%s\n", argument);
}

/*
 * Counts the primes below a number with one byte for each number: something to do that takes a while, and that touches
 * many pages for the first time.
 */
#define SIEVE           0x400000        /* Gpa, well above the kernel */
#define SIEVE_MOST      0x800000        /* numbers; our memory ends at 16 MiB */

static void primes(const char *argument)
{
    uint8_t *composite = va(SIEVE);
    uint32_t below = 0, count = 0;

    while (*argument >= '0' && *argument <= '9' && below <= SIEVE_MOST)
        below = below * 10 + *argument++ - '0';
    if (*argument != 0 || below == 0 || below > SIEVE_MOST) {
        cprintf("primes: say how far, from 1 to %d\n", SIEVE_MOST);
        return;
    }
    memset(composite, 0, below);
    for (uint32_t n = 2; n < below; n++) {
        if (composite[n])
            continue;
        count++;
        for (uint32_t multiple = 2 * n; multiple < below; multiple += n)
            composite[multiple] = 1;
    }
    cprintf("%u primes below %u\n", count, below);
}

static void halt(const char *argument)
{
    (void)argument;
    back_to_host();
}

static const struct command {
    const char *name;
    const char *what;
    void (*run)(const char *argument);
} commands[] = {
    { "help", "this list", help },
    { "ls", "the files on the disk", ls },
    { "cat", "prints a file: cat NAME", cat },
    { "e820", "the memory map that the VMM gave", e820 },
    { "cpuid", "what the processor says it is", show_cpuid },
    { "primes", "counts primes: primes 1000000", primes },
    { "echo", "says what you say", echo },
    { "halt", "back to the host", halt },
};

#define COMMANDS (int)(sizeof commands / sizeof commands[0])

static void help(const char *argument)
{
    (void)argument;
    for (int i = 0; i < COMMANDS; i++)
        cprintf("%-8s %s\n", commands[i].name, commands[i].what);
}

/* Waits for a key. HLT leaves the processor to the VMM; with interrupts on, or the sleep would have no end. */
static char read_key(void)
{
    while (!console_input_waiting())
        wait_for_interrupt();
    return console_getc();
}

static void read_line(char *line)
{
    int n = 0;

    for (;;) {
        char c = read_key();
        if (c == '\r' || c == '\n') {
            cprintf("\n");
            line[n] = 0;
            return;
        }
        if (c == '\b' || c == DELETE) {
            if (n > 0) {
                n--;
                cprintf("\b \b");
            }
        } else if (c >= ' ' && n < LINE_LENGTH - 1) {
            line[n++] = c;
            console_putc(c);
        }
    }
}

/* Cuts the line at the first blank: before it the command, behind it the argument. */
static void run_line(char *line)
{
    char *argument = line;

    while (*argument != 0 && *argument != ' ')
        argument++;
    if (*argument == ' ')
        *argument++ = 0;
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, line) == 0) {
            commands[i].run(argument);
            return;
        }
    }
    if (*line != 0)
        cprintf("%s: no such command; try help\n", line);
}

void shell(const struct multiboot_info *mb)
{
    char line[LINE_LENGTH];

    memory_map = mb;
    for (;;) {
        cprintf("vm$ ");
        read_line(line);
        run_line(line);
    }
}
