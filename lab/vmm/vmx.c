/* VMX operation: entering it, running the guest, and sorting its exits. */
#include "vmx.h"
#include "vmm.h"
#include "vmcs.h"
#include "console.h"
#include "x86.h"

#define FEATURE_LOCKED          (1 << 0)
#define FEATURE_VMXON           (1 << 2)        /* VMXON is allowed outside SMX operation */

#define BASIC_REVISION          0x7fffffff      /* IA32_VMX_BASIC: identifies the layout of VMXON region and VMCS */

/* Checks that the processor has VMX and that the firmware lets us use it, and enters VMX root operation. */
void vmx_init(void)
{
    uint32_t eax, ebx, ecx, edx, revision;
    uint64_t feature_control, region;
    uint32_t *vmxon_region;
    uint8_t failed;

    cpuid(1, 0, &eax, &ebx, &ecx, &edx);
    if (!(ecx & CPUID_1_ECX_VMX))
        panic("this processor has no VMX");

    feature_control = rdmsr(MSR_FEATURE_CONTROL);
    if (!(feature_control & FEATURE_LOCKED)) {
        feature_control |= FEATURE_LOCKED | FEATURE_VMXON;
        wrmsr(MSR_FEATURE_CONTROL, feature_control);
    }
    if (!(feature_control & FEATURE_VMXON))
        panic("the firmware has locked VMX off (IA32_FEATURE_CONTROL is 0x%lx)", feature_control);

    /* In VMX operation some bits of CR0 and CR4 must be 1 and some must be 0: the four MSRs say which. */
    write_cr0((read_cr0() | rdmsr(MSR_VMX_CR0_FIXED0)) & rdmsr(MSR_VMX_CR0_FIXED1));
    write_cr4((read_cr4() | CR4_VMXE | rdmsr(MSR_VMX_CR4_FIXED0)) & rdmsr(MSR_VMX_CR4_FIXED1));

    revision = rdmsr(MSR_VMX_BASIC) & BASIC_REVISION;
    vmxon_region = page_alloc();
    *vmxon_region = revision;
    region = pa(vmxon_region);
    __asm__ volatile("vmxon %1; setna %0" : "=r"(failed) : "m"(region) : "cc", "memory");
    if (failed)
        panic("VMXON failed");
    cprintf("VMM: VMXON succeeded, VMCS revision 0x%x.\n", revision);
}

/* Runs the guest until it is done or aborted. */
enum verdict vmx_run(struct guest *g)
{
    enum verdict verdict = asm_vmrun(g);
    return verdict;
}

static void dump(const struct guest *g)
{
    const struct guest_regs *r = &g->regs;

    cprintf("  reason %lu  qualification 0x%lx  instruction length %lu\n", vmcs_read(VMCS_EXIT_REASON) & 0xffff,
            vmcs_read(VMCS_EXIT_QUALIFICATION), vmcs_read(VMCS_EXIT_INSTRUCTION_LENGTH));
    cprintf("  RIP %016lx  RSP %016lx  RFLAGS %08lx\n", vmcs_read(VMCS_GUEST_RIP), vmcs_read(VMCS_GUEST_RSP),
            vmcs_read(VMCS_GUEST_RFLAGS));
    cprintf("  RAX %016lx  RBX %016lx  RCX %016lx  RDX %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
    cprintf("  RSI %016lx  RDI %016lx  RBP %016lx\n", r->rsi, r->rdi, r->rbp);
    cprintf("  CR0 %016lx  CR3 %016lx  CR4 %016lx\n", vmcs_read(VMCS_GUEST_CR0), vmcs_read(VMCS_GUEST_CR3),
            vmcs_read(VMCS_GUEST_CR4));
}

/*
 * Every VM exit comes here, from asm_vmexit, with the guest's registers in g->regs and the rest of its state in the
 * VMCS. What we return decides what the guest does next.
 */
enum verdict vmexit(struct guest *g)
{
    enum exit_reason reason = EXIT_UNKNOWN;

    /* LAB reason: read the basic exit reason, bits 15:0 of the exit-reason field. */
    /* BP: in vmexit */
#ifdef LAB_REASON
    reason = vmcs_read(VMCS_EXIT_REASON) & 0xffff;
#endif

    switch (reason) {
    case EXIT_EXTERNAL_INTERRUPT:
        return handle_interrupt(g);
    case EXIT_CPUID:
        return handle_cpuid(g);
    case EXIT_HLT:
        return handle_hlt(g);
    case EXIT_VMCALL:
        return handle_vmcall(g);
    case EXIT_IO_INSTRUCTION:
        return handle_io(g);
    case EXIT_RDMSR:
        return handle_rdmsr(g);
    case EXIT_WRMSR:
        return handle_wrmsr(g);
    case EXIT_EPT_VIOLATION:
        return handle_ept_violation(g);
    default:
        /* BP: unhandled exit */
        cprintf("Unhandled VMEXIT, aborting guest.\n");
        dump(g);
        return GUEST_ABORTED;
    }
}

/* asm_vmrun comes here when VMLAUNCH or VMRESUME fails: the field says why, SDM volume 3, "VM Instruction Error Numbers". */
void vmx_entry_failed(const char *instruction)
{
    panic("%s failed with VM-instruction error %lu", instruction, vmcs_read(VMCS_INSTRUCTION_ERROR));
}

void vmcs_failed(const char *what, uint64_t field)
{
    panic("%s of field 0x%lx failed", what, field);
}
