/*
 * Benchmark "exits": the round trip of a VM exit. A guest in 64-bit mode behind EPT executes CPUID over and over; the
 * handler reads reason, RIP and instruction length, moves RIP on and resumes. Prints "begin" and, when the guest is done,
 * "end" with the number of exits, on COM1.
 */
#include "console.h"
#include "memory.h"
#include "multiboot.h"
#include "types.h"
#include "x86.h"
#include "../../../lab/vmm/vmcs.h"

#ifndef EXITS
#define EXITS           300000
#endif
#define RFLAGS_ALWAYS_1 2
#define TSS_BUSY        0x8b
#define CODE_64         0xa09b
#define DATA            0xc093
#define UNUSABLE        0x10000
#define EPT_ALL         7ull
#define EPT_LARGE       0x80ull
#define EPT_WRITE_BACK  (6ull << 3)

typedef uint64_t table[512] __attribute__((aligned(PAGE_SIZE)));

static table vmxon_region, vmcs_region, ept_root, ept_middle, ept_pages;
static char tss[104] __attribute__((aligned(16)));
static char guest_stack[PAGE_SIZE] __attribute__((aligned(16)));
extern uint64_t gdt[];
void run_guest(uint64_t exits);
void exit_handler(void);
void guest_loop(void);

/* The guest's registers stay where they are but for what the handler needs; VMCALL ends the run. */
__asm__(
    ".text\n"
    ".globl run_guest, exit_handler, guest_loop\n"
    "run_guest:\n"
    "    push %rbx\n    push %rbp\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
    "    mov $0x6c14, %eax\n"           /* HOST_RSP */
    "    vmwrite %rsp, %rax\n"
    "    vmlaunch\n"
    "    jmp done\n"
    "exit_handler:\n"
    "    push %rax\n    push %rcx\n    push %rdx\n"
    "    mov $0x4402, %eax\n"           /* VM_EXIT_REASON */
    "    vmread %rax, %rcx\n"
    "    cmp $10, %ecx\n"               /* CPUID */
    "    jne finish\n"
    "    mov $0x440c, %eax\n"           /* VM_EXIT_INSTRUCTION_LENGTH */
    "    vmread %rax, %rcx\n"
    "    mov $0x681e, %eax\n"           /* GUEST_RIP */
    "    vmread %rax, %rdx\n"
    "    add %rcx, %rdx\n"
    "    vmwrite %rdx, %rax\n"
    "    pop %rdx\n    pop %rcx\n    pop %rax\n"
    "    vmresume\n"
    "    jmp done\n"
    "finish:\n"
    "    add $24, %rsp\n"
    "done:\n"
    "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbp\n    pop %rbx\n"
    "    ret\n"
    "guest_loop:\n"
    "    xor %eax, %eax\n"
    "    cpuid\n"
    "    dec %rdi\n"
    "    jnz guest_loop\n"
    "    vmcall\n");

void vmcs_failed(const char *what, uint64_t field)
{
    cprintf("%s of field 0x%lx failed\n", what, field);
    for (;;)
        __asm__ volatile("cli; hlt");
}

static uint32_t controls(enum vmx_msr msr, uint32_t wanted)
{
    return wanted | (uint32_t)rdmsr(msr);
}

static void vmx_on(void)
{
    uint64_t on = pa(vmxon_region), vmcs = pa(vmcs_region), base = (uint64_t)tss;

    if (!(rdmsr(MSR_FEATURE_CONTROL) & 1))
        wrmsr(MSR_FEATURE_CONTROL, 5);
    write_cr0((read_cr0() | rdmsr(MSR_VMX_CR0_FIXED0)) & rdmsr(MSR_VMX_CR0_FIXED1));
    write_cr4((read_cr4() | CR4_VMXE | rdmsr(MSR_VMX_CR4_FIXED0)) & rdmsr(MSR_VMX_CR4_FIXED1));
    *(uint32_t *)vmxon_region = *(uint32_t *)vmcs_region = rdmsr(MSR_VMX_BASIC) & 0x7fffffff;
    __asm__ volatile("vmxon %0; vmclear %1; vmptrld %1" : : "m"(on), "m"(vmcs) : "cc", "memory");

    gdt[SEL_TSS / 8] = (sizeof tss - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    gdt[SEL_TSS / 8 + 1] = base >> 32;
    ltr(SEL_TSS);
}

static void fill_vmcs(void)
{
    static const uint16_t selectors[8] = { SEL_DATA, SEL_CODE, SEL_DATA, SEL_DATA, SEL_DATA, SEL_DATA, 0, SEL_TSS };
    uint64_t type = rdmsr(MSR_VMX_EPT_VPID_CAP) & 1 << 14 ? 6 : 0;

    ept_root[0] = pa(ept_middle) | EPT_ALL;
    ept_middle[0] = pa(ept_pages) | EPT_ALL;
    for (uint64_t i = 0; i < 512; i++)
        ept_pages[i] = i << 21 | EPT_LARGE | EPT_WRITE_BACK | EPT_ALL;

    vmcs_write(VMCS_PIN_CONTROLS, controls(MSR_VMX_PIN_CONTROLS, 0));
    vmcs_write(VMCS_PRIMARY_CONTROLS, controls(MSR_VMX_PRIMARY_CONTROLS, PRIMARY_SECONDARY) & ~(3u << 15));
    vmcs_write(VMCS_SECONDARY_CONTROLS, SECONDARY_EPT);
    vmcs_write(VMCS_EXIT_CONTROLS, controls(MSR_VMX_EXIT_CONTROLS, EXIT_CTL_HOST_64BIT));
    vmcs_write(VMCS_ENTRY_CONTROLS, controls(MSR_VMX_ENTRY_CONTROLS, 1 << 9));  /* IA-32e mode guest */
    vmcs_write(VMCS_EXCEPTION_BITMAP, 0);
    vmcs_write(VMCS_PAGE_FAULT_MASK, 0);
    vmcs_write(VMCS_PAGE_FAULT_MATCH, 0);
    vmcs_write(VMCS_CR3_TARGET_COUNT, 0);
    vmcs_write(VMCS_EXIT_MSR_STORE_COUNT, 0);
    vmcs_write(VMCS_EXIT_MSR_LOAD_COUNT, 0);
    vmcs_write(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
    vmcs_write(VMCS_ENTRY_INTERRUPTION, 0);
    vmcs_write(VMCS_EPT_POINTER, pa(ept_root) | 3 << 3 | type);
    vmcs_write(VMCS_CR0_MASK, 0);
    vmcs_write(VMCS_CR4_MASK, 0);
    vmcs_write(VMCS_CR0_SHADOW, 0);
    vmcs_write(VMCS_CR4_SHADOW, 0);

    for (int i = 0; i < 8; i++) {
        int system = i >= 6;
        vmcs_write(VMCS_GUEST_ES_SELECTOR + 2 * i, selectors[i]);
        vmcs_write(VMCS_GUEST_ES_LIMIT + 2 * i, system ? sizeof tss - 1 : 0xffffffff);
        vmcs_write(VMCS_GUEST_ES_RIGHTS + 2 * i, i == 1 ? CODE_64 : i == 6 ? UNUSABLE : i == 7 ? TSS_BUSY : DATA);
        vmcs_write(VMCS_GUEST_ES_BASE + 2 * i, i == 7 ? (uint64_t)tss : 0);
        if (i != 6)
            vmcs_write(VMCS_HOST_ES_SELECTOR + 2 * (i < 6 ? i : 6), selectors[i]);
    }
    vmcs_write(VMCS_GUEST_GDTR_BASE, (uint64_t)gdt);
    vmcs_write(VMCS_GUEST_GDTR_LIMIT, 0x27);
    vmcs_write(VMCS_GUEST_IDTR_BASE, 0);
    vmcs_write(VMCS_GUEST_IDTR_LIMIT, 0);
    vmcs_write(VMCS_GUEST_CR0, read_cr0());
    vmcs_write(VMCS_GUEST_CR3, read_cr3());
    vmcs_write(VMCS_GUEST_CR4, read_cr4());
    vmcs_write(VMCS_GUEST_DR7, 0x400);
    vmcs_write(VMCS_GUEST_RSP, (uint64_t)guest_stack + sizeof guest_stack);
    vmcs_write(VMCS_GUEST_RIP, (uint64_t)guest_loop);
    vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_ALWAYS_1);
    vmcs_write(VMCS_GUEST_DEBUGCTL, 0);
    vmcs_write(VMCS_GUEST_SYSENTER_CS, 0);
    vmcs_write(VMCS_GUEST_SYSENTER_ESP, 0);
    vmcs_write(VMCS_GUEST_SYSENTER_EIP, 0);
    vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, 0);
    vmcs_write(VMCS_GUEST_ACTIVITY, 0);
    vmcs_write(VMCS_GUEST_PENDING_DEBUG, 0);
    vmcs_write(VMCS_LINK_POINTER, 0xffffffffffffffff);

    vmcs_write(VMCS_HOST_CR0, read_cr0());
    vmcs_write(VMCS_HOST_CR3, read_cr3());
    vmcs_write(VMCS_HOST_CR4, read_cr4());
    vmcs_write(VMCS_HOST_FS_BASE, 0);
    vmcs_write(VMCS_HOST_GS_BASE, 0);
    vmcs_write(VMCS_HOST_TR_BASE, (uint64_t)tss);
    vmcs_write(VMCS_HOST_GDTR_BASE, (uint64_t)gdt);
    vmcs_write(VMCS_HOST_IDTR_BASE, 0);
    vmcs_write(VMCS_HOST_SYSENTER_CS, 0);
    vmcs_write(VMCS_HOST_SYSENTER_ESP, 0);
    vmcs_write(VMCS_HOST_SYSENTER_EIP, 0);
    vmcs_write(VMCS_HOST_RIP, (uint64_t)exit_handler);
}

void kernel_main(const struct multiboot_info *mb)
{
    (void)mb;
    console_init();
    vmx_on();
    fill_vmcs();
    cprintf("begin\n");
    run_guest(EXITS);
    if ((vmcs_read(VMCS_EXIT_REASON) & 0xffff) == 18)
        cprintf("end %d\n", EXITS);
    else
        cprintf("failed: exit reason 0x%lx, VM-instruction error %lu\n", vmcs_read(VMCS_EXIT_REASON), vmcs_read(VMCS_INSTRUCTION_ERROR));
    for (;;)
        __asm__ volatile("cli; hlt");
}
