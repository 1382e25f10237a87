/*
 * Filling the VMCS before the first VM entry. Whatever is not written here has no defined value: every field that a
 * control makes valid must be written once.
 */
#include "vmx.h"
#include "vmm.h"
#include "vmcs.h"
#include "console.h"
#include "string.h"
#include "x86.h"

#define RIGHTS_CODE_OR_DATA     0x0093          /* present, writable data, accessed: what real mode uses, for CS too */
#define RIGHTS_LDT              0x0082
#define RIGHTS_TSS_BUSY         0x008b
#define REAL_MODE_LIMIT         0xffff
#define RFLAGS_ALWAYS_1         0x0002
#define DR7_RESET               0x0400
#define NO_LINK                 0xffffffffffffffff

#define CMOS_INDEX              0x70            /* the ports that the guest may not touch itself */
#define CMOS_DATA               0x71

#define BASIC_TRUE_CONTROLS     (1ull << 55)    /* IA32_VMX_BASIC: the TRUE_ MSRs exist */

/*
 * The controls we want, with the bits that the processor demands. Each capability MSR says in its low half which bits
 * must be 1 and in its high half which may be 1.
 */
static uint32_t controls(const char *what, enum vmx_msr msr, uint32_t wanted)
{
    uint64_t capability;

    if (msr != MSR_VMX_SECONDARY_CONTROLS && (rdmsr(MSR_VMX_BASIC) & BASIC_TRUE_CONTROLS))
        msr += TRUE_CONTROLS;
    capability = rdmsr(msr);
    if (wanted & ~(uint32_t)(capability >> 32))
        panic("this processor lacks the %s controls 0x%x", what, wanted & ~(uint32_t)(capability >> 32));
    return wanted | (uint32_t)capability;
}

static void init_controls(struct guest *g)
{
    uint8_t *bitmap_a = page_alloc(), *bitmap_b = page_alloc();

    /* One bit per port, ports 0 to 0x7fff in the first page. All other ports are the guest's own, COM1 among them. */
    bitmap_a[CMOS_INDEX / 8] = 1 << CMOS_INDEX % 8 | 1 << CMOS_DATA % 8;

    vmcs_write(VMCS_PIN_CONTROLS, controls("pin-based", MSR_VMX_PIN_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING));
    vmcs_write(VMCS_PRIMARY_CONTROLS, controls("primary", MSR_VMX_PRIMARY_CONTROLS,
                                               PRIMARY_HLT_EXITING | PRIMARY_USE_IO_BITMAPS | PRIMARY_SECONDARY));
    vmcs_write(VMCS_SECONDARY_CONTROLS, controls("secondary", MSR_VMX_SECONDARY_CONTROLS,
                                                 SECONDARY_EPT | SECONDARY_UNRESTRICTED_GUEST));
    vmcs_write(VMCS_EXIT_CONTROLS, controls("exit", MSR_VMX_EXIT_CONTROLS,
                                            EXIT_CTL_HOST_64BIT | EXIT_CTL_ACKNOWLEDGE_INTERRUPT | EXIT_CTL_SAVE_EFER |
                                            EXIT_CTL_LOAD_EFER));
    vmcs_write(VMCS_ENTRY_CONTROLS, controls("entry", MSR_VMX_ENTRY_CONTROLS, ENTRY_CTL_LOAD_EFER));
    vmcs_write(VMCS_EXCEPTION_BITMAP, 0);
    vmcs_write(VMCS_PAGE_FAULT_MASK, 0);
    vmcs_write(VMCS_PAGE_FAULT_MATCH, 0);
    vmcs_write(VMCS_CR3_TARGET_COUNT, 0);
    vmcs_write(VMCS_EXIT_MSR_STORE_COUNT, 0);
    vmcs_write(VMCS_EXIT_MSR_LOAD_COUNT, 0);
    vmcs_write(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
    vmcs_write(VMCS_ENTRY_INTERRUPTION, 0);
    vmcs_write(VMCS_IO_BITMAP_A, pa(bitmap_a));
    vmcs_write(VMCS_IO_BITMAP_B, pa(bitmap_b));
    vmcs_write(VMCS_EPT_POINTER, ept_pointer(g));

    /*
     * VMX operation holds CR0.NE and CR4.VMXE at 1. Hide that: the guest reads them as 0, and may write 0, with no exit.
     */
    vmcs_write(VMCS_CR0_MASK, CR0_NE);
    vmcs_write(VMCS_CR0_SHADOW, 0);
    vmcs_write(VMCS_CR4_MASK, CR4_VMXE);
    vmcs_write(VMCS_CR4_SHADOW, 0);
}

/* A processor in real mode, about to fetch from the boot sector. */
static void init_guest_state(void)
{
    for (int i = 0; i < 8; i++) {
        static const uint16_t rights[8] = {
            [0 ... 5] = RIGHTS_CODE_OR_DATA, [6] = RIGHTS_LDT, [7] = RIGHTS_TSS_BUSY,
        };
        vmcs_write(VMCS_GUEST_ES_SELECTOR + 2 * i, 0);
        vmcs_write(VMCS_GUEST_ES_LIMIT + 2 * i, REAL_MODE_LIMIT);
        vmcs_write(VMCS_GUEST_ES_RIGHTS + 2 * i, rights[i]);
        vmcs_write(VMCS_GUEST_ES_BASE + 2 * i, 0);
    }
    vmcs_write(VMCS_GUEST_GDTR_BASE, 0);
    vmcs_write(VMCS_GUEST_GDTR_LIMIT, 0);
    vmcs_write(VMCS_GUEST_IDTR_BASE, 0);
    vmcs_write(VMCS_GUEST_IDTR_LIMIT, REAL_MODE_LIMIT);
    vmcs_write(VMCS_GUEST_CR0, CR0_NE);
    vmcs_write(VMCS_GUEST_CR3, 0);
    vmcs_write(VMCS_GUEST_CR4, CR4_VMXE);
    vmcs_write(VMCS_GUEST_EFER, 0);
    vmcs_write(VMCS_GUEST_DR7, DR7_RESET);
    vmcs_write(VMCS_GUEST_RSP, GUEST_START);
    vmcs_write(VMCS_GUEST_RIP, GUEST_START);
    vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_ALWAYS_1);
    vmcs_write(VMCS_GUEST_DEBUGCTL, 0);
    vmcs_write(VMCS_GUEST_SYSENTER_CS, 0);
    vmcs_write(VMCS_GUEST_SYSENTER_ESP, 0);
    vmcs_write(VMCS_GUEST_SYSENTER_EIP, 0);
    vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, 0);
    vmcs_write(VMCS_GUEST_ACTIVITY, 0);
    vmcs_write(VMCS_GUEST_PENDING_DEBUG, 0);
    vmcs_write(VMCS_LINK_POINTER, NO_LINK);
}

/* What the processor becomes at every exit: ourselves, as we are now. asm_vmrun adds RSP. */
static void init_host_state(void)
{
    static const uint16_t selectors[7] = { SEL_DATA, SEL_CODE, SEL_DATA, SEL_DATA, 0, 0, SEL_TSS };

    for (int i = 0; i < 7; i++)
        vmcs_write(VMCS_HOST_ES_SELECTOR + 2 * i, selectors[i]);
    vmcs_write(VMCS_HOST_CR0, read_cr0());
    vmcs_write(VMCS_HOST_CR3, read_cr3());
    vmcs_write(VMCS_HOST_CR4, read_cr4());
    vmcs_write(VMCS_HOST_EFER, rdmsr(MSR_EFER));
    vmcs_write(VMCS_HOST_FS_BASE, 0);
    vmcs_write(VMCS_HOST_GS_BASE, 0);
    vmcs_write(VMCS_HOST_TR_BASE, tss_base());
    vmcs_write(VMCS_HOST_GDTR_BASE, gdt_base());
    vmcs_write(VMCS_HOST_IDTR_BASE, idt_base());
    vmcs_write(VMCS_HOST_SYSENTER_CS, 0);
    vmcs_write(VMCS_HOST_SYSENTER_ESP, 0);
    vmcs_write(VMCS_HOST_SYSENTER_EIP, 0);
    vmcs_write(VMCS_HOST_RIP, (uint64_t)asm_vmexit);
}

void vmcs_init(struct guest *g)
{
    uint32_t *vmcs = page_alloc();
    uint64_t region = pa(vmcs);
    uint8_t failed;

    *vmcs = rdmsr(MSR_VMX_BASIC) & 0x7fffffff;
    __asm__ volatile("vmclear %1; setna %0" : "=r"(failed) : "m"(region) : "cc", "memory");
    if (failed)
        panic("VMCLEAR failed");
    __asm__ volatile("vmptrld %1; setna %0" : "=r"(failed) : "m"(region) : "cc", "memory");
    if (failed)
        panic("VMPTRLD failed");

    init_controls(g);
    init_guest_state();
    init_host_state();
}
