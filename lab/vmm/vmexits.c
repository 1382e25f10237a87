/* One function for each reason to leave the guest. */
#include "vmx.h"
#include "vmm.h"
#include "vmcs.h"
#include "console.h"
#include "hypercall.h"
#include "trap.h"
#include "x86.h"

#define INTERRUPTION_VECTOR     0xff
#define INTERRUPTION_HARDWARE   (3 << 8)        /* a hardware exception */
#define INTERRUPTION_ERROR      (1 << 11)       /* delivers an error code */
#define INTERRUPTION_VALID      (1u << 31)
#define VECTOR_GP               13

/*
 * The exit leaves RIP at the instruction that caused it. Whoever has done that instruction's work for the guest must
 * also step over it, or the guest does it again for ever.
 */
static void skip_instruction(void)
{
    vmcs_write(VMCS_GUEST_RIP, vmcs_read(VMCS_GUEST_RIP) + vmcs_read(VMCS_EXIT_INSTRUCTION_LENGTH));
}

/* Lets the guest see a general-protection exception at the instruction that it is at. */
static void inject_gp(void)
{
    vmcs_write(VMCS_ENTRY_INTERRUPTION, VECTOR_GP | INTERRUPTION_HARDWARE | INTERRUPTION_ERROR | INTERRUPTION_VALID);
    vmcs_write(VMCS_ENTRY_EXCEPTION_ERROR, 0);
}

/* A device of ours interrupted while the guest ran. The exit has acknowledged it already: only the handler is due. */
enum verdict handle_interrupt(struct guest *g)
{
    (void)g;
    /* BP: in handle_interrupt */
    irq((vmcs_read(VMCS_EXIT_INTERRUPTION) & INTERRUPTION_VECTOR) - IRQ_BASE);
    return GUEST_RESUMES;
}

/* The guest asks what the processor can do. It gets the truth, except that there is no VMX for it. */
enum verdict handle_cpuid(struct guest *g)
{
    /* BP: in handle_cpuid */
    /* LAB cpuid: execute CPUID with the guest's EAX and ECX, hide VMX in leaf 1, give the guest the four results. */
#ifdef LAB_CPUID
    uint32_t leaf = g->regs.rax;
    uint32_t eax, ebx, ecx, edx;

    cpuid(leaf, g->regs.rcx, &eax, &ebx, &ecx, &edx);
    if (leaf == 1)
        ecx &= ~CPUID_1_ECX_VMX;
    g->regs.rax = eax;
    g->regs.rbx = ebx;
    g->regs.rcx = ecx;
    g->regs.rdx = edx;
    skip_instruction();
    return GUEST_RESUMES;
#else
    (void)g;
    panic("cpuid not implemented");
#endif
}

/*
 * The guest has nothing to do. So have we: sleep until there is something for it. All that can wake it is a key, since
 * its only device is the serial port.
 */
enum verdict handle_hlt(struct guest *g)
{
    (void)g;
    /* BP: in handle_hlt */
    if (!(vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF)) {
        cprintf("VMM: the guest has halted with interrupts off. Nothing can wake it.\n");
        return GUEST_ABORTED;
    }
    while (!console_input_waiting())
        wait_for_interrupt();
    skip_instruction();
    return GUEST_RESUMES;
}

static void set_segment(struct memory_segment *seg, uint64_t base, uint64_t length, uint32_t type)
{
    seg->size = sizeof *seg - sizeof seg->size;
    seg->base_addr_low = base;
    seg->base_addr_high = base >> 32;
    seg->length_low = length;
    seg->length_high = length >> 32;
    seg->type = type;
}

/*
 * Invents the memory of the guest's PC: conventional memory, the legacy hole, and the rest. The information and, right
 * behind it, the map go to a page of the guest's own. Whatever points from one to the other is a guest-physical
 * address: our own pointers mean nothing to the guest.
 */
static gpa_t build_memory_map(struct guest *g)
{
    struct multiboot_info *mb = ept_page(g, GUEST_MAP);
    struct memory_segment *map = (struct memory_segment *)(mb + 1);

    mb->flags = MB_FLAG_MMAP;
    mb->mmap_addr = GUEST_MAP + sizeof *mb;
    mb->mmap_length = 3 * sizeof *map;
    set_segment(&map[0], 0, HOLE_START, E820_USABLE);
    set_segment(&map[1], HOLE_START, HOLE_END - HOLE_START, E820_RESERVED);
    set_segment(&map[2], HOLE_END, GUEST_MEMORY - HOLE_END, E820_USABLE);
    return GUEST_MAP;
}

/* A hypercall: include/hypercall.h has the numbers and the registers. */
enum verdict handle_vmcall(struct guest *g)
{
    struct guest_regs *r = &g->regs;

    /* BP: in handle_vmcall */
    switch (r->rax) {
    case VMCALL_MBMAP:
        /* LAB mbmap: build the guest's memory map and give it the map's Gpa in RBX. */
#ifdef LAB_MBMAP
        r->rbx = build_memory_map(g);
#else
        (void)build_memory_map;
        panic("VMCALL_MBMAP not implemented");
#endif
        break;

        /* LAB ipc: pass messages between the guest and the host's file server. */
#ifdef LAB_IPC
    case VMCALL_IPCSEND:
        r->rax = r->rbx == IPC_HOST_FS ? fileserver_send(g, r->rcx, r->rdx) : -E_IPC_NOT_RECV;
        break;
    case VMCALL_IPCRECV:
        r->rax = fileserver_receive(g, r->rbx, (int64_t *)&r->rsi);
        break;
#endif

    case VMCALL_BACKTOHOST:
        return GUEST_DONE;
    case VMCALL_GETDISK:
        r->rax = GUEST_DISK;
        break;
    default:
        r->rax = -E_NO_CALL;
    }
    skip_instruction();
    return GUEST_RESUMES;
}

/* Exit qualification for I/O instructions: SDM volume 3, "Exit Qualification for I/O Instructions". */
#define IO_SIZE(q)      (((q) & 7) + 1)
#define IO_IN           (1 << 3)
#define IO_STRING       (1 << 4)
#define IO_PORT(q)      ((q) >> 16 & 0xffff)

/* The guest's CMOS memory knows but one thing: how much memory there is, in KiB. */
#define CMOS_INDEX          0x70
#define CMOS_BASE_LOW       0x15                /* below 640 KiB */
#define CMOS_EXTENDED_LOW   0x17                /* above 1 MiB */

static uint8_t cmos_read(uint8_t index)
{
    uint16_t base = HOLE_START / 1024, extended = (GUEST_MEMORY - HOLE_END) / 1024;

    switch (index) {
    case CMOS_BASE_LOW:
        return base;
    case CMOS_BASE_LOW + 1:
        return base >> 8;
    case CMOS_EXTENDED_LOW:
        return extended;
    case CMOS_EXTENDED_LOW + 1:
        return extended >> 8;
    default:
        return 0;
    }
}

/* Only the two ports of the CMOS are in the I/O bitmap. */
enum verdict handle_io(struct guest *g)
{
    uint64_t qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);

    /* BP: in handle_io */
    if (IO_SIZE(qualification) != 1 || (qualification & IO_STRING)) {
        cprintf("VMM: the guest uses CMOS port 0x%lx in a way that is not known here.\n", IO_PORT(qualification));
        return GUEST_ABORTED;
    }
    if (IO_PORT(qualification) == CMOS_INDEX) {
        if (!(qualification & IO_IN))
            g->cmos_index = g->regs.rax & 0x7f;         /* bit 7 is the NMI mask, no part of the index */
    } else if (qualification & IO_IN) {
        g->regs.rax = (g->regs.rax & ~0xffull) | cmos_read(g->cmos_index);
    }
    skip_instruction();
    return GUEST_RESUMES;
}

/* There is no MSR bitmap, so every access exits. The guest has one MSR: EFER, which it needs to enter long mode. */
enum verdict handle_rdmsr(struct guest *g)
{
    uint64_t value;

    /* BP: in handle_rdmsr */
    if ((uint32_t)g->regs.rcx != MSR_EFER) {
        inject_gp();
        return GUEST_RESUMES;
    }
    value = vmcs_read(VMCS_GUEST_EFER);
    g->regs.rax = (uint32_t)value;
    g->regs.rdx = value >> 32;
    skip_instruction();
    return GUEST_RESUMES;
}

enum verdict handle_wrmsr(struct guest *g)
{
    /* BP: in handle_wrmsr */
    if ((uint32_t)g->regs.rcx != MSR_EFER) {
        inject_gp();
        return GUEST_RESUMES;
    }
    vmcs_write(VMCS_GUEST_EFER, g->regs.rdx << 32 | (uint32_t)g->regs.rax);
    skip_instruction();
    return GUEST_RESUMES;
}

#define VIOLATION_RIGHTS    (7 << 3)            /* the page had some right already: SDM, "EPT violations" */

/*
 * The guest touched a guest-physical page that has no host-physical one yet. RAM gets a fresh page; the legacy hole is
 * the machine's own, so that the guest writes to the real screen. RIP stays: the guest tries again.
 */
enum verdict handle_ept_violation(struct guest *g)
{
    gpa_t gpa = vmcs_read(VMCS_GUEST_PHYSICAL);

    /* BP: in handle_ept_violation */
    if (vmcs_read(VMCS_EXIT_QUALIFICATION) & VIOLATION_RIGHTS) {
        cprintf("VMM: the guest may not use Gpa 0x%lx that way.\n", gpa);
        return GUEST_ABORTED;
    }
    if (ept_is_ram(gpa))
        ept_page(g, gpa);
    else if (gpa >= HOLE_START && gpa < HOLE_END)
        ept_map(g, gpa, gpa);
    else {
        cprintf("VMM: the guest touches Gpa 0x%lx, and there is nothing.\n", gpa);
        return GUEST_ABORTED;
    }
    return GUEST_RESUMES;
}
