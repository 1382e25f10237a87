/*
 * Executes single x87 and MMX instructions on the host's real processor and reports what they did. Standard input and
 * output are arrays of struct test_case; the driver (compareX87.ts) makes the cases and compares the engine's results.
 *
 * A case's instruction is copied to INSTRUCTION, between a prologue that loads the registers and then the x87 state
 * (FRSTOR) and an epilogue that saves the x87 state (FNSAVE) and then the registers. RSP is the runner's own.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <stdio.h>
#include <sys/mman.h>

#define CODE 0x10000000UL
#define INSTRUCTION (CODE + 0x200)
#define DATA 0x20000000UL
#define STATE 0x30000000UL
#define IMAGE (STATE + 0x100)
#define DATA_SIZE 256
#define IMAGE_SIZE 112

struct test_case {
  uint8_t length;
  uint8_t fault; /* out: signal number, 0 when it completed */
  uint8_t code[14];
  uint64_t regs[16];
  uint64_t flags;
  uint8_t image[IMAGE_SIZE];
  uint8_t data[DATA_SIZE];
};

static sigjmp_buf back;
static void on_signal(int number) { siglongjmp(back, number); }

static uint8_t *emit(uint8_t *at, const void *bytes, int n) { memcpy(at, bytes, n); return at + n; }

/* mov r64, [STATE + 8*r] or the reverse: absolute 32-bit addressing. */
static uint8_t *move_register(uint8_t *at, int r, int store) {
  uint8_t bytes[8] = { 0x48 | (r >> 3) << 2, store ? 0x89 : 0x8b, 0x04 | (r & 7) << 3, 0x25 };
  uint32_t address = STATE + 8 * r;
  memcpy(bytes + 4, &address, 4);
  return emit(at, bytes, 8);
}

static void *build(const struct test_case *c) {
  static const uint8_t load_flags[] = { 0xff, 0x34, 0x25, 0x80, 0, 0, 0x30, 0x9d };  /* push [STATE+128]; popfq */
  static const uint8_t save_flags[] = { 0x9c, 0x8f, 0x04, 0x25, 0x80, 0, 0, 0x30 };  /* pushfq; pop [STATE+128] */
  static const uint8_t load_image[] = { 0xdd, 0x24, 0x25, 0, 1, 0, 0x30 };           /* frstor [IMAGE] */
  static const uint8_t save_image[] = { 0xdd, 0x34, 0x25, 0, 1, 0, 0x30 };           /* fnsave [IMAGE] */
  static const uint8_t pushes[] = { 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57 };
  static const uint8_t pops[] = { 0xfc, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3 };
  uint8_t before[256], *at = before;
  at = emit(at, pushes, sizeof pushes);
  at = emit(at, load_flags, sizeof load_flags);
  for (int r = 0; r < 16; r++) if (r != 4) at = move_register(at, r, 0);
  at = emit(at, load_image, sizeof load_image);
  uint8_t *start = (uint8_t *)INSTRUCTION - (at - before);
  emit(start, before, at - before);
  at = emit((uint8_t *)INSTRUCTION, c->code, c->length);
  at = emit(at, save_image, sizeof save_image);
  at = emit(at, save_flags, sizeof save_flags);
  for (int r = 0; r < 16; r++) if (r != 4) at = move_register(at, r, 1);
  emit(at, pops, sizeof pops);
  return start;
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
  struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_NODEFER };
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);

  static struct test_case c;
  uint64_t *state = (uint64_t *)STATE;
  while (fread(&c, sizeof c, 1, stdin) == 1) {
    memcpy(state, c.regs, sizeof c.regs);
    state[16] = c.flags;
    memcpy((void *)IMAGE, c.image, IMAGE_SIZE);
    memcpy((void *)DATA, c.data, DATA_SIZE);
    void *start = build(&c);
    c.fault = sigsetjmp(back, 1);
    if (!c.fault) {
      ((void (*)(void))start)();
      memcpy(c.regs, state, sizeof c.regs);
      c.flags = state[16];
      memcpy(c.image, (void *)IMAGE, IMAGE_SIZE);
    }
    __asm__ volatile("cld; fninit");
    memcpy(c.data, (void *)DATA, DATA_SIZE);
    fwrite(&c, sizeof c, 1, stdout);
  }
  return 0;
}
