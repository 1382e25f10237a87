/*
 * Executes single instructions on the host's real processor and reports what they did. Standard input and output are
 * arrays of struct test_case; the driver (compare.ts) makes the cases and compares the engine's results.
 *
 * A case's instruction is copied to CODE between a prologue that loads the registers and an epilogue that saves them.
 * RSP is the runner's own and never an operand. Memory operands point into the DATA page. After a fault only MXCSR is
 * reported: its flags are set before the exception.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define CODE 0x10000000UL
#define DATA 0x20000000UL
#define STATE 0x30000000UL
#define DATA_SIZE 256

struct test_case {
  uint8_t length;
  uint8_t fault; /* out: signal number, 0 when it completed */
  uint8_t code[30];
  uint64_t regs[16];
  uint64_t flags;
  uint8_t data[DATA_SIZE];
  uint8_t ymm[16][32]; /* without AVX only the lower halves are loaded and saved */
  uint32_t mxcsr;
  uint32_t unused;
};

static sigjmp_buf back;
static volatile uint32_t faulting_mxcsr;
static void on_signal(int number, siginfo_t *info, void *context) {
  (void)info;
  faulting_mxcsr = ((ucontext_t *)context)->uc_mcontext.fpregs->mxcsr;
  siglongjmp(back, number);
}

static uint8_t *emit(uint8_t *at, const void *bytes, int n) { memcpy(at, bytes, n); return at + n; }

/* mov r64, [STATE + 8*r] or the reverse: absolute 32-bit addressing. */
static uint8_t *move_register(uint8_t *at, int r, int store) {
  uint8_t bytes[8] = { 0x48 | (r >> 3) << 2, store ? 0x89 : 0x8b, 0x04 | (r & 7) << 3, 0x25 };
  uint32_t address = STATE + 8 * r;
  memcpy(bytes + 4, &address, 4);
  return emit(at, bytes, 8);
}

#define MXCSR_STATE (STATE + 0x200)
#define YMM_STATE (STATE + 0x400)

static int has_avx;

/* (v)movups [YMM_STATE + 32*r] or the reverse. */
static uint8_t *move_vector(uint8_t *at, int r, int store) {
  uint8_t bytes[9] = { 0x40 | (r >> 3) << 2, 0x0f, store ? 0x11 : 0x10, 0x04 | (r & 7) << 3, 0x25 };
  uint32_t address = YMM_STATE + 32 * r;
  if (has_avx) {
    bytes[0] = 0xc5;
    bytes[1] = r < 8 ? 0xfc : 0x7c;
  }
  if (has_avx) bytes[2] = store ? 0x11 : 0x10;
  memcpy(bytes + 5, &address, 4);
  return emit(at, bytes, 9);
}

static void build(const struct test_case *c) {
  static const uint8_t load_flags[] = { 0xff, 0x34, 0x25, 0x80, 0, 0, 0x30, 0x9d };  /* push [STATE+128]; popfq */
  static const uint8_t save_flags[] = { 0x9c, 0x8f, 0x04, 0x25, 0x80, 0, 0, 0x30 };  /* pushfq; pop [STATE+128] */
  static const uint8_t pushes[] = { 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57 };
  static const uint8_t pops[] = { 0xfc, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3 };
  uint8_t *at = (uint8_t *)CODE;
  static const uint8_t load_mxcsr[] = { 0x0f, 0xae, 0x14, 0x25, 0, 2, 0, 0x30 };
  static const uint8_t save_mxcsr[] = { 0x0f, 0xae, 0x1c, 0x25, 0, 2, 0, 0x30 };
  at = emit(at, pushes, sizeof pushes);
  for (int r = 0; r < 16; r++) at = move_vector(at, r, 0);
  at = emit(at, load_mxcsr, sizeof load_mxcsr);
  at = emit(at, load_flags, sizeof load_flags);
  for (int r = 0; r < 16; r++) if (r != 4) at = move_register(at, r, 0);
  at = emit(at, c->code, c->length);
  at = emit(at, save_flags, sizeof save_flags);
  for (int r = 0; r < 16; r++) if (r != 4) at = move_register(at, r, 1);
  at = emit(at, save_mxcsr, sizeof save_mxcsr);
  for (int r = 0; r < 16; r++) at = move_vector(at, r, 1);
  emit(at, pops, sizeof pops);
}

int main(void) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  mmap((void *)CODE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0);
  mmap((void *)DATA, 4096, PROT_READ | PROT_WRITE, flags, -1, 0);
  mmap((void *)STATE, 4096, PROT_READ | PROT_WRITE, flags, -1, 0);
  static const int signals[] = { SIGFPE, SIGSEGV, SIGILL, SIGBUS, SIGTRAP };
  static uint8_t signal_stack[1 << 16];
  stack_t alternative = { .ss_sp = signal_stack, .ss_size = sizeof signal_stack };
  sigaltstack(&alternative, 0);
  struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_ONSTACK | SA_NODEFER | SA_SIGINFO };
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);

  has_avx = __builtin_cpu_supports("avx") != 0;
  static struct test_case c;
  uint64_t *state = (uint64_t *)STATE;
  while (fread(&c, sizeof c, 1, stdin) == 1) {
    memcpy(state, c.regs, sizeof c.regs);
    state[16] = c.flags;
    memcpy((void *)YMM_STATE, c.ymm, sizeof c.ymm);
    memcpy((void *)MXCSR_STATE, &c.mxcsr, 4);
    memcpy((void *)DATA, c.data, DATA_SIZE);
    build(&c);
    c.fault = sigsetjmp(back, 1);
    if (!c.fault) {
      ((void (*)(void))CODE)();
      memcpy(c.regs, state, sizeof c.regs);
      c.flags = state[16];
      memcpy(c.ymm, (void *)YMM_STATE, sizeof c.ymm);
      memcpy(&c.mxcsr, (void *)MXCSR_STATE, 4);
    } else c.mxcsr = faulting_mxcsr;
    static const uint32_t default_mxcsr = 0x1f80;
    __asm__ volatile("cld; emms; ldmxcsr %0" : : "m"(default_mxcsr));
    memcpy(c.data, (void *)DATA, DATA_SIZE);
    fwrite(&c, sizeof c, 1, stdout);
  }
  return 0;
}
