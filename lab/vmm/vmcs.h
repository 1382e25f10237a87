/*
 * The fields of the VMCS that this VMM touches, with their encodings: SDM volume 3, appendix "Field Encoding in VMCS".
 * An encoding tells the width (bits 13 and 14: 16, 64, 32 bits, natural) and the group (bits 10 and 11: control,
 * exit information, guest, host).
 */
#ifndef VMM_VMCS_H
#define VMM_VMCS_H

#define VMCS_HOST_RSP 0x6c14                    /* for vmentry.S too */

#ifndef __ASSEMBLER__
#include "types.h"

enum vmcs_field {
    /* Guest state */
    VMCS_GUEST_ES_SELECTOR = 0x0800,            /* ES CS SS DS FS GS LDTR TR: each group of eight in this order, 2 apart */
    VMCS_GUEST_ES_LIMIT = 0x4800,
    VMCS_GUEST_ES_RIGHTS = 0x4814,
    VMCS_GUEST_ES_BASE = 0x6806,
    VMCS_GUEST_GDTR_LIMIT = 0x4810,
    VMCS_GUEST_IDTR_LIMIT = 0x4812,
    VMCS_GUEST_GDTR_BASE = 0x6816,
    VMCS_GUEST_IDTR_BASE = 0x6818,
    VMCS_LINK_POINTER = 0x2800,
    VMCS_GUEST_DEBUGCTL = 0x2802,
    VMCS_GUEST_EFER = 0x2806,
    VMCS_GUEST_INTERRUPTIBILITY = 0x4824,
    VMCS_GUEST_ACTIVITY = 0x4826,
    VMCS_GUEST_SYSENTER_CS = 0x482a,
    VMCS_GUEST_CR0 = 0x6800,
    VMCS_GUEST_CR3 = 0x6802,
    VMCS_GUEST_CR4 = 0x6804,
    VMCS_GUEST_DR7 = 0x681a,
    VMCS_GUEST_RSP = 0x681c,
    VMCS_GUEST_RIP = 0x681e,
    VMCS_GUEST_RFLAGS = 0x6820,
    VMCS_GUEST_PENDING_DEBUG = 0x6822,
    VMCS_GUEST_SYSENTER_ESP = 0x6824,
    VMCS_GUEST_SYSENTER_EIP = 0x6826,

    /* Host state */
    VMCS_HOST_ES_SELECTOR = 0x0c00,             /* ES CS SS DS FS GS TR */
    VMCS_HOST_EFER = 0x2c02,
    VMCS_HOST_SYSENTER_CS = 0x4c00,
    VMCS_HOST_CR0 = 0x6c00,
    VMCS_HOST_CR3 = 0x6c02,
    VMCS_HOST_CR4 = 0x6c04,
    VMCS_HOST_FS_BASE = 0x6c06,
    VMCS_HOST_GS_BASE = 0x6c08,
    VMCS_HOST_TR_BASE = 0x6c0a,
    VMCS_HOST_GDTR_BASE = 0x6c0c,
    VMCS_HOST_IDTR_BASE = 0x6c0e,
    VMCS_HOST_SYSENTER_ESP = 0x6c10,
    VMCS_HOST_SYSENTER_EIP = 0x6c12,
    VMCS_HOST_RIP = 0x6c16,

    /* Controls */
    VMCS_PIN_CONTROLS = 0x4000,
    VMCS_PRIMARY_CONTROLS = 0x4002,
    VMCS_EXCEPTION_BITMAP = 0x4004,
    VMCS_PAGE_FAULT_MASK = 0x4006,
    VMCS_PAGE_FAULT_MATCH = 0x4008,
    VMCS_CR3_TARGET_COUNT = 0x400a,
    VMCS_EXIT_CONTROLS = 0x400c,
    VMCS_EXIT_MSR_STORE_COUNT = 0x400e,
    VMCS_EXIT_MSR_LOAD_COUNT = 0x4010,
    VMCS_ENTRY_CONTROLS = 0x4012,
    VMCS_ENTRY_MSR_LOAD_COUNT = 0x4014,
    VMCS_ENTRY_INTERRUPTION = 0x4016,
    VMCS_ENTRY_EXCEPTION_ERROR = 0x4018,
    VMCS_SECONDARY_CONTROLS = 0x401e,
    VMCS_IO_BITMAP_A = 0x2000,
    VMCS_IO_BITMAP_B = 0x2002,
    VMCS_EPT_POINTER = 0x201a,
    VMCS_CR0_MASK = 0x6000,
    VMCS_CR4_MASK = 0x6002,
    VMCS_CR0_SHADOW = 0x6004,
    VMCS_CR4_SHADOW = 0x6006,

    /* Exit information, read-only */
    VMCS_INSTRUCTION_ERROR = 0x4400,
    VMCS_EXIT_REASON = 0x4402,
    VMCS_EXIT_INTERRUPTION = 0x4404,
    VMCS_EXIT_INSTRUCTION_LENGTH = 0x440c,
    VMCS_GUEST_PHYSICAL = 0x2400,
    VMCS_EXIT_QUALIFICATION = 0x6400,
    VMCS_GUEST_LINEAR = 0x640a,
};

enum vmx_controls {
    PIN_EXTERNAL_INTERRUPT_EXITING = 1 << 0,

    PRIMARY_HLT_EXITING = 1 << 7,
    PRIMARY_USE_IO_BITMAPS = 1 << 25,
    PRIMARY_SECONDARY = 1u << 31,

    SECONDARY_EPT = 1 << 1,
    SECONDARY_UNRESTRICTED_GUEST = 1 << 7,

    EXIT_CTL_HOST_64BIT = 1 << 9,
    EXIT_CTL_ACKNOWLEDGE_INTERRUPT = 1 << 15,
    EXIT_CTL_SAVE_EFER = 1 << 20,
    EXIT_CTL_LOAD_EFER = 1 << 21,

    ENTRY_CTL_LOAD_EFER = 1 << 15,
};

enum vmx_msr {
    MSR_VMX_BASIC = 0x480,
    MSR_VMX_PIN_CONTROLS = 0x481,               /* the four have TRUE_ versions at 0x48d to 0x490 */
    MSR_VMX_PRIMARY_CONTROLS = 0x482,
    MSR_VMX_EXIT_CONTROLS = 0x483,
    MSR_VMX_ENTRY_CONTROLS = 0x484,
    MSR_VMX_CR0_FIXED0 = 0x486,
    MSR_VMX_CR0_FIXED1 = 0x487,
    MSR_VMX_CR4_FIXED0 = 0x488,
    MSR_VMX_CR4_FIXED1 = 0x489,
    MSR_VMX_SECONDARY_CONTROLS = 0x48b,
    MSR_VMX_EPT_VPID_CAP = 0x48c,
    TRUE_CONTROLS = 0x48d - 0x481,
};

/* Each VMX instruction says by CF and ZF whether it failed. A field that does not exist is a bug of ours: we stop. */
void vmcs_failed(const char *what, uint64_t field) __attribute__((noreturn));

static inline uint64_t vmcs_read(enum vmcs_field field)
{
    uint64_t value;
    uint8_t failed;

    __asm__ volatile("vmread %2, %0; setna %1" : "=r"(value), "=r"(failed) : "r"((uint64_t)field) : "cc");
    if (failed)
        vmcs_failed("VMREAD", field);
    return value;
}

static inline void vmcs_write(enum vmcs_field field, uint64_t value)
{
    uint8_t failed;

    __asm__ volatile("vmwrite %1, %2; setna %0" : "=r"(failed) : "r"(value), "r"((uint64_t)field) : "cc");
    if (failed)
        vmcs_failed("VMWRITE", field);
}
#endif

#endif
