// The kernel's tests of KVM on Intel processors, and what they say: each passes unless `skips` has the reason for which
// it may find nothing to test. Not here: tests of AMD's processors, of memory's speed, and those that take minutes.

/** The exit status of a test that has nothing to test. */
export const SKIPPED = 4;

export const CASES = [
  // Nested virtualization: KVM carries out its guest's VMX instructions by the processor's.
  { name: 'nested_exceptions_test' },
  { name: 'state_test' },
  { name: 'smm_test' },
  { name: 'evmcs_test' },
  { name: 'triple_fault_event_test' },
  { name: 'vmx_apic_access_test' },
  { name: 'vmx_close_while_nested_test' },
  { name: 'vmx_dirty_log_test' },
  { name: 'vmx_invalid_nested_guest_state' },
  { name: 'vmx_msrs_test' },
  { name: 'vmx_set_nested_state_test' },
  { name: 'vmx_tsc_adjust_test' },
  { name: 'vmx_nested_tsc_scaling_test' },
  { name: 'vmx_exception_with_invalid_guest_state', skips: 'it tests KVM without unrestricted guest' },
  { name: 'vmx_pmu_caps_test', skips: 'the processor has no performance counters' },
  // One level of guests.
  { name: 'cr4_cpuid_sync_test' },
  { name: 'debug_regs' },
  { name: 'fix_hypercall_test' },
  { name: 'kvm_pv_test' },
  { name: 'platform_info_test' },
  { name: 'set_sregs_test' },
  { name: 'sync_regs_test' },
  { name: 'tsc_msrs_test' },
  { name: 'ucna_injection_test' },
  { name: 'userspace_io_test' },
  { name: 'userspace_msr_exit_test' },
  { name: 'xapic_state_test' },
  { name: 'xss_msr_test', skips: 'the processor has no XSAVES' },
  { name: 'hyperv_clock' },
  { name: 'hyperv_cpuid' },
  { name: 'hyperv_features' },
];
