/* Offsets of the guest's registers in struct guest, for the assembler. vmx.h checks them. */
#ifndef VMM_GUESTREGS_H
#define VMM_GUESTREGS_H

#define GUEST_RAX   0
#define GUEST_RBX   8
#define GUEST_RCX   16
#define GUEST_RDX   24
#define GUEST_RSI   32
#define GUEST_RDI   40
#define GUEST_RBP   48
#define GUEST_R8    56
#define GUEST_R9    64
#define GUEST_R10   72
#define GUEST_R11   80
#define GUEST_R12   88
#define GUEST_R13   96
#define GUEST_R14   104
#define GUEST_R15   112

#endif
