/*
 * Executes user-mode instructions on the host's real processor, in 64-, 32- and 16-bit code, and reports what they did.
 * Standard input and output are arrays of struct test_case (silicon/testCase.ts); the comparisons make the cases.
 *
 * Everything goes through the kernel's signal frames: a case's whole state is written into the frame of the signal that
 * ended the case before, and returning from the handler starts it. The page of the code is full of INT3, so a case ends
 * at once when it leaves its bytes; like every fault, that is a signal, whose frame has the whole state again, with
 * vector, error code and address. A case that never ends is ended by SIGPROF. One argument, "segments", asks whether the kernel allows segments of the program's own:
 * without them 16-bit code cannot run.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x10000000UL
#define DATA 0x20000000UL
#define PAGE 4096
#define CODE_SIZE 64
#define DATA_SIZE 1024
#define XSAVE_HEADER 512
#define YMM_HIGH 576
#define FX_ENVIRONMENT 32
#define FX_XMM 160
#define X87_SSE_AVX 7UL
/* Processor time after which a case counts as one that never ends: kernels have been seen to retry a fault for ever. */
#define PATIENCE_US 300000
/* What the kernel needs to give SS back as it was (asm/ucontext.h). */
#define STRICT_RESTORE_SS 4UL

struct test_case {
  uint16_t start; /* offset of the first instruction in the page of the code */
  uint8_t length;
  uint8_t signal; /* out */
  uint32_t error; /* out */
  uint64_t rip;   /* in and out */
  uint64_t address; /* out: CR2 */
  uint64_t regs[16];
  uint64_t flags;
  uint16_t es, cs, ss, ds, fs, gs;
  uint16_t vector; /* out */
  uint16_t unused;
  uint64_t fs_base, gs_base; /* in, where the selector is null, and out */
  uint8_t code[CODE_SIZE];
  uint8_t x87[FX_XMM]; /* as in FXSAVE's image, MXCSR included */
  uint8_t ymm[16][32];
  uint8_t data[DATA_SIZE];
};

static struct test_case c;
static int started;
static uint64_t own_fs_base;
static const struct itimerval patience = { .it_value = { .tv_usec = PATIENCE_US } };

static const int general[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

static void base(long what, uint64_t value) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "0"(SYS_arch_prctl), "D"(what), "S"(value) : "rcx", "r11", "memory");
}

static void report(ucontext_t *u) {
  const greg_t *r = u->uc_mcontext.gregs;
  const uint8_t *area = (const uint8_t *)u->uc_mcontext.fpregs;
  uint64_t present;
  memcpy(&present, area + XSAVE_HEADER, 8);
  for (int i = 0; i < 16; i++) c.regs[i] = r[general[i]];
  c.rip = r[REG_RIP];
  c.flags = r[REG_EFL];
  c.vector = r[REG_TRAPNO];
  c.error = r[REG_ERR];
  c.address = r[REG_CR2];
  c.cs = r[REG_CSGSFS];
  c.ss = r[REG_CSGSFS] >> 48;
  memset(c.ymm, 0, sizeof c.ymm);
  memcpy(c.x87, area, FX_XMM);
  if (!(present & 1)) { /* the initial state is not written */
    memset(c.x87, 0, 24);
    memset(c.x87 + FX_ENVIRONMENT, 0, FX_XMM - FX_ENVIRONMENT);
    c.x87[0] = 0x7f;
    c.x87[1] = 3;
  }
  for (int i = 0; i < 16; i++) {
    if (present & 2) memcpy(c.ymm[i], area + FX_XMM + 16 * i, 16);
    if (present & 4) memcpy(c.ymm[i] + 16, area + YMM_HIGH + 16 * i, 16);
  }
  memcpy(c.data, (void *)DATA, DATA_SIZE);
  fwrite(&c, sizeof c, 1, stdout);
}

static void start(ucontext_t *u) {
  greg_t *r = u->uc_mcontext.gregs;
  uint8_t *area = (uint8_t *)u->uc_mcontext.fpregs;
  memset((void *)CODE, 0xcc, PAGE);
  memcpy((void *)(CODE + c.start), c.code, c.length);
  memset((void *)DATA, 0, PAGE);
  memcpy((void *)DATA, c.data, DATA_SIZE);
  for (int i = 0; i < 16; i++) r[general[i]] = c.regs[i];
  r[REG_RIP] = c.rip;
  r[REG_EFL] = c.flags;
  r[REG_CSGSFS] = c.cs | (greg_t)c.ss << 48;
  u->uc_flags |= STRICT_RESTORE_SS;
  uint64_t present;
  memcpy(&present, area + XSAVE_HEADER, 8);
  present |= X87_SSE_AVX;
  memcpy(area + XSAVE_HEADER, &present, 8);
  memcpy(area, c.x87, FX_XMM);
  for (int i = 0; i < 16; i++) {
    memcpy(area + FX_XMM + 16 * i, c.ymm[i], 16);
    memcpy(area + YMM_HIGH + 16 * i, c.ymm[i] + 16, 16);
  }
}

static void on_signal(int number, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  uint16_t ds, es, fs, gs;
  uint64_t fs_base = 0, gs_base = 0;
  (void)info;
  /* The handler inherits AC, NT and ID. Its own accesses are not aligned; and returning from it keeps what it has of NT and ID. */
  __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; andl $~0x244000, (%%rsp); popfq; lea 128(%%rsp), %%rsp" : : : "memory", "cc");
  __asm__ volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3" : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
  if (started) {
    base(ARCH_GET_FS, (uint64_t)&fs_base);
    base(ARCH_GET_GS, (uint64_t)&gs_base);
    __asm__ volatile("mov %0, %%fs; mov %0, %%gs" : : "r"(0));
    base(ARCH_SET_FS, own_fs_base);
    c.signal = number;
    c.ds = ds; c.es = es; c.fs = fs; c.gs = gs;
    c.fs_base = fs_base; c.gs_base = gs_base;
    report(u);
  }
  started = 1;
  if (fread(&c, sizeof c, 1, stdin) != 1) {
    fflush(stdout);
    _exit(0);
  }
  start(u);
  setitimer(ITIMER_PROF, &patience, 0);
  __asm__ volatile("mov %0, %%ds; mov %1, %%es" : : "r"(c.ds), "r"(c.es));
  __asm__ volatile("mov %0, %%gs" : : "r"(c.gs));
  if (c.gs == 0) base(ARCH_SET_GS, c.gs_base);
  __asm__ volatile("mov %0, %%fs" : : "r"(c.fs)); /* from here on there is no thread-local storage */
  if (c.fs == 0) base(ARCH_SET_FS, c.fs_base);
}

/* The segments of testCase.ts: entries of the local descriptor table in order. */
static int make_segments(void) {
  static const struct user_desc segments[] = {
    { .entry_number = 0, .base_addr = CODE, .limit = 0xfff, .contents = 2 },
    { .entry_number = 1, .base_addr = DATA, .limit = 0xfff, .seg_32bit = 1 },
    { .entry_number = 2, .base_addr = DATA, .limit = 0x3ff },
    { .entry_number = 3, .base_addr = DATA, .limit = 0x3f, .contents = 1 },
    { .entry_number = 4, .base_addr = DATA, .limit = 0xfff, .read_exec_only = 1 },
    { .entry_number = 5, .base_addr = CODE, .limit = 0xfff, .seg_32bit = 1, .contents = 2, .read_exec_only = 1 },
    { .entry_number = 6, .base_addr = DATA, .limit = 0xfff, .seg_32bit = 1, .seg_not_present = 1 },
    { .entry_number = 7, .base_addr = CODE, .limit = 0, .seg_32bit = 1, .contents = 2, .limit_in_pages = 1 },
  };
  for (unsigned i = 0; i < sizeof segments / sizeof *segments; i++)
    if (syscall(SYS_modify_ldt, 1, &segments[i], sizeof *segments) != 0) return 0;
  return 1;
}

int main(int count, char **arguments) {
  int segments = make_segments();
  if (count > 1 && strcmp(arguments[1], "segments") == 0) return segments ? 0 : 1;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  mmap((void *)CODE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0);
  mmap((void *)DATA, PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
  static uint8_t signal_stack[1 << 17];
  stack_t alternative = { .ss_sp = signal_stack, .ss_size = sizeof signal_stack };
  sigaltstack(&alternative, 0);
  struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_ONSTACK | SA_NODEFER | SA_SIGINFO };
  sigaddset(&action.sa_mask, SIGPROF);
  static const int signals[] = { SIGFPE, SIGSEGV, SIGILL, SIGBUS, SIGTRAP, SIGPROF };
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
  /* LSL of Linux's segment for GETCPU tells the processor's number: always the first one's. */
  cpu_set_t first;
  CPU_ZERO(&first);
  CPU_SET(0, &first);
  sched_setaffinity(0, sizeof first, &first);
  base(ARCH_GET_FS, (uint64_t)&own_fs_base);
  __asm__ volatile("int3");
  return 1;
}
