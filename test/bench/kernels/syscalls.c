/*
 * Benchmark "syscalls": user code calls the kernel by SYSCALL, and the kernel returns by SYSRET after what a kernel does in
 * between: SWAPGS, a stack of its own, registers saved. Prints "begin" and, when the calls are done, "end" with their number,
 * on COM1.
 */
#include "console.h"
#include "memory.h"
#include "multiboot.h"
#include "paging.h"
#include "types.h"
#include "x86.h"

#define CALLS               2000000
#define EFER_SYSCALLS       1
#define MSR_STAR            0xc0000081
#define MSR_LSTAR           0xc0000082
#define MSR_FMASK           0xc0000084
#define MSR_KERNEL_GS_BASE  0xc0000102

static table root, pointers, memory, devices;
static char user_stack[PAGE_SIZE] __attribute__((aligned(16)));
/* What GS reaches in the kernel: the user's stack pointer, the kernel's. */
uint64_t per_cpu[2], back;
uint64_t handled;
/* Kernel code and data as in lib/longmode.S; user data and code where SYSRET expects them, 8 and 16 above its selector. */
static uint64_t segments[] = { 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0, 0x00cff3000000ffff, 0x00affb000000ffff };
#define SEL_SYSRET  0x18

void enter_user(uint64_t calls, void *stack);
void system_call(void);

__asm__(
    ".text\n"
    ".globl enter_user, system_call\n"
    "enter_user:\n"
    "    push %rbx\n    push %rbp\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
    "    mov %rsp, back\n"
    "    mov %rsp, per_cpu + 8\n"
    "    lea user_code(%rip), %rcx\n"
    "    mov $2, %r11d\n"
    "    mov %rsi, %rsp\n"
    "    sysretq\n"
    "user_code:\n"
    "    xor %eax, %eax\n"
    "1:  syscall\n"
    "    dec %rdi\n"
    "    jnz 1b\n"
    "    mov $1, %eax\n"                /* the last call */
    "    syscall\n"
    "    ud2\n"
    "system_call:\n"
    "    swapgs\n"
    "    mov %rsp, %gs:0\n"
    "    mov %gs:8, %rsp\n"
    "    push %rcx\n    push %r11\n    push %rbx\n"
    "    test %eax, %eax\n"
    "    jnz 2f\n"
    "    incq handled\n"
    "    pop %rbx\n    pop %r11\n    pop %rcx\n"
    "    mov %gs:0, %rsp\n"
    "    swapgs\n"
    "    sysretq\n"
    "2:  swapgs\n"
    "    mov back, %rsp\n"
    "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbp\n    pop %rbx\n"
    "    ret\n");

void kernel_main(const struct multiboot_info *mb)
{
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) gdtr = { sizeof segments - 1, (uint64_t)segments };

    (void)mb;
    console_init();
    map_everything(root, pointers, memory, devices);
    load_cr3(pa(root));
    __asm__ volatile("lgdt %0" : : "m"(gdtr));
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SYSCALLS);
    wrmsr(MSR_STAR, (uint64_t)SEL_SYSRET << 48 | (uint64_t)SEL_CODE << 32);
    wrmsr(MSR_LSTAR, (uint64_t)system_call);
    wrmsr(MSR_FMASK, RFLAGS_IF);
    wrmsr(MSR_KERNEL_GS_BASE, (uint64_t)per_cpu);
    cprintf("begin\n");
    enter_user(CALLS, user_stack + sizeof user_stack);
    cprintf("end %d\n", (int)handled);
    for (;;)
        __asm__ volatile("cli; hlt");
}
