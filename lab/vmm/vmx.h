/* The VMM's view of VMX: the guest, its exits, and who handles them. */
#ifndef VMM_VMX_H
#define VMM_VMX_H

#include "memory.h"
#include "guestregs.h"

#define GUEST_MEMORY        0x1000000           /* 16 MiB of guest-physical memory */
#define GUEST_DISK          1                   /* IDE drive that holds the guest's kernel and files */
#define GUEST_START         0x7000              /* Gpa of its boot sector, and its first RIP */
#define GUEST_MAP           0x6000              /* Gpa of the memory map that VMCALL_MBMAP builds */

/* The registers that the VMCS does not hold: the exit stub saves them, in the order of guestregs.h. */
struct guest_regs {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
};

/* A message on its way from the host's file server to the guest. */
struct mailbox {
    int64_t value;
    void *page;
    int full;
};

struct guest {
    struct guest_regs regs;                     /* first: vmentry.S finds it at offset 0 */
    uint64_t *ept_root;
    uint8_t cmos_index;                         /* what the guest last wrote to port 0x70 */
    struct mailbox reply;
};

_Static_assert(__builtin_offsetof(struct guest, regs.rbp) == GUEST_RBP, "guestregs.h is out of step");
_Static_assert(__builtin_offsetof(struct guest, regs.r15) == GUEST_R15, "guestregs.h is out of step");

/* What becomes of the guest after an exit. The stub in vmentry.S goes by it. */
enum verdict {
    GUEST_ABORTED = -1,                         /* it cannot go on */
    GUEST_RESUMES = 1,
    GUEST_DONE = 2,                             /* it wants no more */
};

/* Basic exit reasons that this VMM knows: SDM volume 3, "VMX Basic Exit Reasons". */
enum exit_reason {
    EXIT_EXCEPTION_OR_NMI = 0,
    EXIT_EXTERNAL_INTERRUPT = 1,
    EXIT_TRIPLE_FAULT = 2,
    EXIT_CPUID = 10,
    EXIT_HLT = 12,
    EXIT_VMCALL = 18,
    EXIT_CR_ACCESS = 28,
    EXIT_IO_INSTRUCTION = 30,
    EXIT_RDMSR = 31,
    EXIT_WRMSR = 32,
    EXIT_ENTRY_FAILURE_GUEST_STATE = 33,
    EXIT_EPT_VIOLATION = 48,
    EXIT_EPT_MISCONFIGURATION = 49,
    EXIT_UNKNOWN = 0xffff,                      /* not the processor's: nobody has read the reason */
};

/* vmx.c */
void vmx_init(void);
enum verdict vmx_run(struct guest *g);
enum verdict vmexit(struct guest *g);
void vmx_entry_failed(const char *instruction) __attribute__((noreturn));

/* vmcs.c */
void vmcs_init(struct guest *g);

/* vmentry.S */
enum verdict asm_vmrun(struct guest *g);
extern char asm_vmexit[];                       /* where every exit arrives */

/* vmexits.c */
enum verdict handle_interrupt(struct guest *g);
enum verdict handle_cpuid(struct guest *g);
enum verdict handle_hlt(struct guest *g);
enum verdict handle_vmcall(struct guest *g);
enum verdict handle_io(struct guest *g);
enum verdict handle_rdmsr(struct guest *g);
enum verdict handle_wrmsr(struct guest *g);
enum verdict handle_ept_violation(struct guest *g);

/* ept.c */
void ept_init(struct guest *g);
uint64_t ept_pointer(const struct guest *g);
void ept_map(struct guest *g, gpa_t gpa, hpa_t hpa);
void *ept_page(struct guest *g, gpa_t gpa);     /* the VMM's view of a guest page, which is made if need be; null outside RAM */
int ept_is_ram(gpa_t gpa);

/* guest.c */
void guest_load(struct guest *g);

/* fileserver.c */
int64_t fileserver_send(struct guest *g, int64_t value, gpa_t page);
int64_t fileserver_receive(struct guest *g, gpa_t page, int64_t *value);

#endif
