// The kernel's tests of the processor and of what the kernel makes of it, for programs; each has to pass. Folder under
// tools/testing/selftests, name, and
//   bits    of the programs that are built from it; those of 32 bits also run on the 32-bit kernel
//   flags   further words for the compiler
//   files   further sources, by bits
// Not here: tests of minutes, of other hardware, and those that want a kernel configured for them.

const BOTH = [64, 32];
const withFiles = (...files) => ({ files: { 64: files, 32: files } });
const x86 = (name, more = {}) => ({ folder: 'x86', name, bits: BOTH, ...more });

export const CASES = [
  // Segments, system calls and returns from them.
  x86('single_step_syscall'),
  x86('sysret_ss_attrs', { files: { 64: ['thunks.S'] } }),
  x86('syscall_nt'),
  x86('syscall_arg_fault'),
  x86('sysret_rip', { bits: [64] }),
  x86('sigreturn'),
  x86('sigaltstack'),
  x86('sigtrap_loop'),
  x86('ldt_gdt'),
  x86('fsgsbase', { bits: [64] }),
  x86('fsgsbase_restore'),
  x86('mov_ss_trap'),
  x86('check_initial_reg_state', { flags: ['-Wl,-ereal_start', '-static'] }),
  x86('ptrace_syscall', { files: { 32: ['raw_syscall_helper_32.S'] } }),
  x86('iopl'),
  x86('ioperm'),
  // The vDSO and the vsyscall page.
  x86('test_mremap_vdso'),
  x86('test_vsyscall'),
  x86('test_syscall_vdso', { bits: [32], files: { 32: ['thunks_32.S'] } }),
  x86('unwind_vdso', { bits: [32] }),
  x86('vdso_restorer', { bits: [32] }),
  // x87, extended state.
  x86('test_FCMOV', { bits: [32] }),
  x86('test_FCOMI', { bits: [32] }),
  x86('test_FISTTP', { bits: [32] }),
  x86('corrupt_xstate_header', { bits: [64] }),
  // Debug registers, single steps, protection keys.
  { folder: 'breakpoints', name: 'breakpoint_test', bits: BOTH },
  { folder: 'ptrace', name: 'get_syscall_info', bits: BOTH },
  { folder: 'ptrace', name: 'peeksiginfo', bits: BOTH },
  { folder: 'vm', name: 'protection_keys', bits: [64], flags: ['-mxsave', '-I../../../..'] },
  { folder: 'sigaltstack', name: 'sas', bits: BOTH },
  // What several processors do to each other.
  { folder: 'membarrier', name: 'membarrier_test_single_thread', bits: BOTH },
  { folder: 'membarrier', name: 'membarrier_test_multi_thread', bits: BOTH },
  { folder: 'rseq', name: 'basic_test', bits: BOTH, ...withFiles('rseq.c'), flags: ['-I.'] },
  // Clocks.
  { folder: 'vDSO', name: 'vdso_test_gettimeofday', bits: BOTH, ...withFiles('parse_vdso.c') },
  { folder: 'vDSO', name: 'vdso_test_getcpu', bits: [64], ...withFiles('parse_vdso.c') },
  { folder: 'vDSO', name: 'vdso_test_abi', bits: [64], ...withFiles('parse_vdso.c') },
  { folder: 'vDSO', name: 'vdso_test_clock_getres', bits: BOTH },
  { folder: 'vDSO', name: 'vdso_test_correctness', bits: BOTH },
];
