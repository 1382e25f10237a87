/* The guest's side of the hypercalls. A page is handed over by its guest-physical address. */
#include "guest.h"
#include "console.h"
#include "hypercall.h"
#include "x86.h"

/* Sends a value and a page to somebody on the host. Returns 0 or an error. */
int64_t ipc_host_send(uint64_t to, uint64_t value, void *page, uint64_t permission)
{
    /* LAB ipc: VMCALL_IPCSEND with its arguments in the registers that hypercall.h names. */
    /* BP: in ipc_host_send */
#ifdef LAB_IPC
    int64_t error;

    __asm__ volatile("vmcall" : "=a"(error)
                     : "a"(VMCALL_IPCSEND), "b"(to), "c"(value), "d"(pa(page)), "S"(permission) : "memory");
    return error;
#else
    (void)to, (void)value, (void)page, (void)permission;
    user_panic("fs", "ipc_host_send not implemented");
#endif
}

/* Fetches the reply: its page and its value. Returns 0 or an error. */
int64_t ipc_host_receive(void *page, int64_t *value)
{
    int64_t error;

    __asm__ volatile("vmcall" : "=a"(error), "=S"(*value) : "a"(VMCALL_IPCRECV), "b"(pa(page)) : "memory");
    return error;
}

uint64_t host_disk(void)
{
    uint64_t disk;

    __asm__ volatile("vmcall" : "=a"(disk) : "a"(VMCALL_GETDISK));
    return disk;
}

void back_to_host(void)
{
    __asm__ volatile("vmcall" : : "a"(VMCALL_BACKTOHOST));
    halt_forever();                     /* a VMM that does not know the call comes back */
}

/* The message is the course's: there the file system is a user program of the guest's, here it is a part of the kernel. */
void user_panic_at(const char *who, const char *file, int line, const char *message)
{
    cprintf("user panic in %s at %s:%d: %s\n", who, file, line, message);
    halt_forever();
}
