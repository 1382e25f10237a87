/*
 * A hypervisor that is a UEFI application: on every processor, which MP Services start it on, it enters VMX operation
 * with descriptor tables of its own (firmware's have no task-state segment, which a host must have), runs a small guest
 * behind EPT in firmware's address space, and leaves VMX operation. The first processor tells what came of it and
 * switches the machine off.
 */
#include "efi.h"

#define MAX_PROCESSORS 8
#define PAGE 4096

/* VMCS fields. */
enum {
  GUEST_ES = 0x800, GUEST_CS = 0x802, GUEST_TR = 0x80e, HOST_ES = 0xc00, HOST_CS = 0xc02, HOST_TR = 0xc0c,
  EPT_POINTER = 0x201a, LINK_POINTER = 0x2800, GUEST_PAT = 0x2804, GUEST_EFER = 0x2806, HOST_PAT = 0x2c00, HOST_EFER = 0x2c02,
  PIN_CONTROLS = 0x4000, PRIMARY_CONTROLS = 0x4002, EXIT_CONTROLS = 0x400c, ENTRY_CONTROLS = 0x4012, SECONDARY_CONTROLS = 0x401e,
  INSTRUCTION_ERROR = 0x4400, EXIT_REASON = 0x4402, EXIT_LENGTH = 0x440c,
  GUEST_ES_LIMIT = 0x4800, GUEST_GDTR_LIMIT = 0x4810, GUEST_IDTR_LIMIT = 0x4812, GUEST_ES_ACCESS = 0x4814,
  GUEST_CR0 = 0x6800, GUEST_CR3 = 0x6802, GUEST_CR4 = 0x6804, GUEST_ES_BASE = 0x6806, GUEST_TR_BASE = 0x6814, GUEST_GDTR_BASE = 0x6816, GUEST_IDTR_BASE = 0x6818,
  GUEST_DR7 = 0x681a, GUEST_RSP = 0x681c, GUEST_RIP = 0x681e, GUEST_RFLAGS = 0x6820,
  HOST_CR0 = 0x6c00, HOST_CR3 = 0x6c02, HOST_CR4 = 0x6c04, HOST_TR_BASE = 0x6c0a, HOST_GDTR_BASE = 0x6c0c, HOST_IDTR_BASE = 0x6c0e, HOST_RSP = 0x6c14, HOST_RIP = 0x6c16,
};
enum { SEGMENTS = 8, CODE = 0x08, DATA = 0x10, TASK = 0x18 };
enum { MSR_FEATURE_CONTROL = 0x3a, MSR_PAT = 0x277, MSR_VMX_BASIC = 0x480, MSR_EFER = 0xc0000080 };
enum { EXIT_CPUID = 10, EXIT_VMCALL = 18, EXIT_RDMSR = 31 };
enum { CR4_VMXE = 1 << 13 };
#define SIGNATURE 0x49464555 /* "UEFI" */

typedef struct { uint64_t rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15; } Registers;
typedef struct __attribute__((packed)) { uint16_t limit; uint64_t base; } TableRegister;

typedef struct {
  _Alignas(PAGE) uint8_t vmxon[PAGE];
  _Alignas(PAGE) uint8_t vmcs[PAGE];
  _Alignas(PAGE) uint8_t task[PAGE];
  _Alignas(16) uint64_t gdt[5];
  uint32_t step, error, cpuid, rdmsr, vmcall;
  uint64_t seen;
} Processor;

static Processor processors[MAX_PROCESSORS];
static _Alignas(PAGE) uint64_t ept_top[512], ept_gigabytes[512];
static MpServices *mp;
static TextOutput *out;

static uint64_t rdmsr(uint32_t msr) { uint32_t low, high; __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr)); return low | (uint64_t)high << 32; }
static void vmwrite(uint64_t field, uint64_t value) { __asm__ volatile("vmwrite %1, %0" ::"r"(field), "r"(value) : "cc"); }
static uint64_t vmread(uint64_t field) { uint64_t value; __asm__ volatile("vmread %1, %0" : "=r"(value) : "r"(field) : "cc"); return value; }
#define READ_CR(n) ({ uint64_t value_; __asm__ volatile("mov %%cr" #n ", %0" : "=r"(value_)); value_; })
#define SUCCEEDS(instruction, address) ({ uint8_t fails_; uint64_t at_ = (uint64_t)(address); __asm__ volatile(instruction " %1\n\tsetbe %0" : "=r"(fails_) : "m"(at_) : "cc", "memory"); !fails_; })

/* Runs the guest until its last VM exit: 0, or 1 when VM entry failed. Saves what a function of this ABI must keep. */
uint64_t launch(void);
void exit_entry(void);
void guest(void);

__asm__(
  ".globl launch\nlaunch:\n"
  "  pushfq\n  cli\n  push %rbx\n  push %rbp\n  push %rdi\n  push %rsi\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
  "  mov $0x6c14, %eax\n  vmwrite %rsp, %rax\n"
  "  vmlaunch\n"
  "failed:\n  mov $1, %eax\n"
  "finished:\n  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rsi\n  pop %rdi\n  pop %rbp\n  pop %rbx\n  popfq\n  ret\n"
  ".globl exit_entry\nexit_entry:\n"
  "  push %r15\n  push %r14\n  push %r13\n  push %r12\n  push %r11\n  push %r10\n  push %r9\n  push %r8\n"
  "  push %rdi\n  push %rsi\n  push %rbp\n  push %rbx\n  push %rdx\n  push %rcx\n  push %rax\n"
  "  mov %rsp, %rcx\n  sub $0x28, %rsp\n  call handle_exit\n  add $0x28, %rsp\n"
  "  test %eax, %eax\n  jnz leave\n"
  "  pop %rax\n  pop %rcx\n  pop %rdx\n  pop %rbx\n  pop %rbp\n  pop %rsi\n  pop %rdi\n"
  "  pop %r8\n  pop %r9\n  pop %r10\n  pop %r11\n  pop %r12\n  pop %r13\n  pop %r14\n  pop %r15\n"
  "  vmresume\n  jmp failed\n"
  "leave:\n  add $120, %rsp\n  xor %eax, %eax\n  jmp finished\n"
  ".globl guest\nguest:\n"
  "  mov $0x40000000, %eax\n  cpuid\n  mov %rbx, %r12\n"
  "  mov $0x3a, %ecx\n  rdmsr\n"
  "  mov %r12, %rbx\n  vmcall\n"
  "  ud2\n");

static Processor *here(void) {
  uint64_t number = 0;
  mp->who_am_i(mp, &number);
  return &processors[number];
}

/* Called by exit_entry. True when the guest has ended. */
int handle_exit(Registers *r) {
  Processor *p = here();
  switch ((uint32_t)vmread(EXIT_REASON)) {
  case EXIT_CPUID: /* BP: in the handler of CPUID */
    p->cpuid++;
    r->rax = 0x40000000;
    r->rbx = SIGNATURE;
    r->rcx = r->rdx = 0;
    break;
  case EXIT_RDMSR:
    p->rdmsr++;
    r->rax = r->rdx = 0;
    break;
  case EXIT_VMCALL:
    p->vmcall++;
    p->seen = r->rbx;
    return 1;
  default:
    p->error = 0x10000 | (uint32_t)vmread(EXIT_REASON);
    return 1;
  }
  vmwrite(GUEST_RIP, vmread(GUEST_RIP) + vmread(EXIT_LENGTH));
  return 0;
}

/* Controls with what the processor wants of them. */
static uint64_t controls(uint32_t capability, uint32_t wanted) {
  uint64_t allowed = rdmsr(capability);
  return (wanted | (uint32_t)allowed) & (uint32_t)(allowed >> 32);
}

static void fill_vmcs(Processor *p, TableRegister *gdtr, TableRegister *idtr) {
  int true_controls = rdmsr(MSR_VMX_BASIC) >> 55 & 1;
  vmwrite(PIN_CONTROLS, controls(true_controls ? 0x48d : 0x481, 0));
  vmwrite(PRIMARY_CONTROLS, controls(true_controls ? 0x48e : 0x482, 1u << 31));
  vmwrite(SECONDARY_CONTROLS, controls(0x48b, 1 << 1));
  vmwrite(EXIT_CONTROLS, controls(true_controls ? 0x48f : 0x483, 1 << 9 | 1 << 18 | 1 << 19 | 1 << 20 | 1 << 21));
  vmwrite(ENTRY_CONTROLS, controls(true_controls ? 0x490 : 0x484, 1 << 9 | 1 << 14 | 1 << 15));
  vmwrite(EPT_POINTER, (uint64_t)ept_top | 3 << 3 | 6);
  vmwrite(LINK_POINTER, ~0ull);
  for (int field = GUEST_PAT; field <= HOST_PAT; field += HOST_PAT - GUEST_PAT) vmwrite(field, rdmsr(MSR_PAT));
  for (int field = GUEST_EFER; field <= HOST_EFER; field += HOST_EFER - GUEST_EFER) vmwrite(field, rdmsr(MSR_EFER));
  vmwrite(GUEST_CR0, READ_CR(0)), vmwrite(HOST_CR0, READ_CR(0));
  vmwrite(GUEST_CR3, READ_CR(3)), vmwrite(HOST_CR3, READ_CR(3));
  vmwrite(GUEST_CR4, READ_CR(4)), vmwrite(HOST_CR4, READ_CR(4));
  for (int n = 0; n < SEGMENTS; n++) {
    /* ES, CS, SS, DS, FS, GS, LDTR, TR. */
    int selector = n == 1 ? CODE : n == 7 ? TASK : n == 6 ? 0 : DATA;
    vmwrite(GUEST_ES + 2 * n, selector);
    vmwrite(GUEST_ES_LIMIT + 2 * n, n == 7 ? 0x67 : 0xffffffff);
    vmwrite(GUEST_ES_ACCESS + 2 * n, n == 1 ? 0xa09b : n == 7 ? 0x8b : n == 6 ? 0x10000 : 0xc093);
    vmwrite(GUEST_ES_BASE + 2 * n, n == 7 ? (uint64_t)p->task : 0);
    if (n < 6) vmwrite(HOST_ES + 2 * n, selector);
  }
  vmwrite(HOST_TR, TASK);
  vmwrite(HOST_TR_BASE, (uint64_t)p->task);
  vmwrite(GUEST_GDTR_BASE, gdtr->base), vmwrite(HOST_GDTR_BASE, gdtr->base);
  vmwrite(GUEST_IDTR_BASE, idtr->base), vmwrite(HOST_IDTR_BASE, idtr->base);
  vmwrite(GUEST_GDTR_LIMIT, gdtr->limit);
  vmwrite(GUEST_IDTR_LIMIT, idtr->limit);
  vmwrite(GUEST_DR7, 0x400);
  vmwrite(GUEST_RFLAGS, 2);
  vmwrite(GUEST_RSP, 0);
  vmwrite(GUEST_RIP, (uint64_t)guest);
  vmwrite(HOST_RIP, (uint64_t)exit_entry);
}

static void run_on(void *unused) {
  Processor *p = here();
  (void)unused;
  if ((rdmsr(MSR_FEATURE_CONTROL) & 5) != 5) return;
  p->step = 1;
  uint64_t cr4 = READ_CR(4);
  __asm__ volatile("mov %0, %%cr4" ::"r"(cr4 | CR4_VMXE));
  *(uint32_t *)p->vmxon = *(uint32_t *)p->vmcs = (uint32_t)rdmsr(MSR_VMX_BASIC) & 0x7fffffff;
  uint64_t task = (uint64_t)p->task;
  p->gdt[1] = 0x00af9b000000ffff;
  p->gdt[2] = 0x00cf93000000ffff;
  p->gdt[3] = 0x0000890000000067 | (task & 0xffffff) << 16 | (task >> 24 & 0xff) << 56;
  p->gdt[4] = task >> 32;
  TableRegister gdtr = { sizeof p->gdt - 1, (uint64_t)p->gdt }, idtr, firmware;
  __asm__ volatile("sidt %0" : "=m"(idtr));
  __asm__ volatile("sgdt %0" : "=m"(firmware));
  if (SUCCEEDS("vmxon", p->vmxon)) {
    p->step = 2;
    if (SUCCEEDS("vmclear", p->vmcs) && SUCCEEDS("vmptrld", p->vmcs)) {
      p->step = 3;
      fill_vmcs(p, &gdtr, &idtr);
      /* VM exits load the host's GDTR and selectors, not firmware's: interrupts stay off until those are back. */
      uint64_t flags;
      uint16_t es, cs, ss, ds, fs, gs;
      __asm__ volatile("pushfq; pop %0; cli" : "=r"(flags));
      __asm__ volatile("mov %%es, %0; mov %%cs, %1; mov %%ss, %2; mov %%ds, %3; mov %%fs, %4; mov %%gs, %5" : "=r"(es), "=r"(cs), "=r"(ss), "=r"(ds), "=r"(fs), "=r"(gs));
      if (launch()) p->error = (uint32_t)vmread(INSTRUCTION_ERROR);
      else p->step = 4;
      __asm__ volatile("lgdt %0" ::"m"(firmware));
      __asm__ volatile("pushq %0; lea 1f(%%rip), %%rax; pushq %%rax; lretq; 1: mov %1, %%ss; mov %2, %%ds; mov %3, %%es; mov %4, %%fs; mov %5, %%gs"
        ::"r"((uint64_t)cs), "r"(ss), "r"(ds), "r"(es), "r"(fs), "r"(gs) : "rax", "memory");
      __asm__ volatile("push %0; popfq" ::"r"(flags) : "cc", "memory");
    }
    __asm__ volatile("vmxoff" ::: "cc");
  }
  __asm__ volatile("mov %0, %%cr4" ::"r"(cr4));
}

static void print(const char *text) {
  for (; *text; text++) {
    uint16_t character[3] = { (uint8_t)*text, 0, 0 };
    if (*text == '\n') character[0] = '\r', character[1] = '\n';
    out->output_string(out, character);
  }
}

static void number(uint64_t value) {
  char digits[21];
  int at = sizeof digits - 1;
  digits[at] = 0;
  do digits[--at] = '0' + value % 10; while (value /= 10);
  print(digits + at);
}

static void told(const char *what, uint64_t value) { print(what); number(value); }

Status efi_main(void *image, SystemTable *system) {
  (void)image;
  out = system->out;
  print("a hypervisor from UEFI\n");
  if (system->boot->locate_protocol(&MP_SERVICES, 0, (void **)&mp)) {
    print("there are no MP Services\n");
    return 1;
  }
  uint64_t all = 0, enabled = 0;
  mp->count(mp, &all, &enabled);
  ept_top[0] = (uint64_t)ept_gigabytes | 7;
  for (uint64_t n = 0; n < 512; n++) ept_gigabytes[n] = n << 30 | 6 << 3 | 1 << 7 | 7;
  run_on(0);
  if (enabled > 1) {
    Status status = mp->start_all(mp, run_on, 0, 0, 0, 0, 0);
    if (status) told("the others cannot be started: ", status & 0xff), print("\n");
  }
  uint64_t good = 0;
  for (uint64_t n = 0; n < all && n < MAX_PROCESSORS; n++) {
    Processor *p = &processors[n];
    told("processor ", n), told(": step ", p->step), told(", error ", p->error), told(", CPUID ", p->cpuid), told(", RDMSR ", p->rdmsr), told(", VMCALL ", p->vmcall);
    print(p->seen == SIGNATURE ? ", the guest has seen UEFI\n" : ", the guest has not seen UEFI\n");
    good += p->step == 4 && p->seen == SIGNATURE;
  }
  told("guests ran on ", good), told(" of ", enabled), print("\n");
  system->runtime->reset_system(RESET_SHUTDOWN, 0, 0, 0);
  return 0;
}
