/*
 * What the guest may ask of the VMM: VMCALL with a number in RAX. This file is the whole contract between the two, and
 * the only one that both include.
 *
 *  number                 in                                           out
 *  1 VMCALL_MBMAP                                                      RBX = Gpa of a multiboot_info with a memory map
 *  2 VMCALL_IPCSEND       RBX to whom, RCX value, RDX Gpa of a page,   RAX = 0 or an error
 *                         RSI permission
 *  3 VMCALL_IPCRECV       RBX Gpa of the page to fill                  RAX = 0 or an error, RSI value
 *  4 VMCALL_LAPICEOI                                                   nothing: this VMM gives its guest no local APIC
 *  5 VMCALL_BACKTOHOST                                                 does not return: the guest is finished
 *  6 VMCALL_GETDISK                                                    RAX = number of the disk that is the guest's
 */
#ifndef LAB_HYPERCALL_H
#define LAB_HYPERCALL_H

#define VMCALL_MBMAP        1
#define VMCALL_IPCSEND      2
#define VMCALL_IPCRECV      3
#define VMCALL_LAPICEOI     4
#define VMCALL_BACKTOHOST   5
#define VMCALL_GETDISK      6

/* To whom a message goes: the host's file server is the only one who listens. */
#define IPC_HOST_FS         1

/* Permissions of the page that travels with a message. */
#define IPC_PAGE_READ       1
#define IPC_PAGE_WRITE      2

/* What the file server does: the value of the message. The page holds a struct fs_request. */
#define FSREQ_READ          1               /* replies with the sectors in the page, and their size in bytes as the value */

#define SECTOR_SIZE         512
#define SECTORS_PER_PAGE    8

/* Errors are negative. */
#define E_INVAL             3               /* a parameter makes no sense */
#define E_IPC_NOT_RECV      8               /* nobody of that number listens, or no reply waits */
#define E_NO_CALL           9               /* there is no hypercall of that number */

#ifndef __ASSEMBLER__
#include "types.h"

struct fs_request {
    uint32_t disk;                          /* as VMCALL_GETDISK says */
    uint32_t sector;                        /* first sector, from 0 */
    uint32_t count;                         /* 1 to SECTORS_PER_PAGE */
};
#endif

#endif
