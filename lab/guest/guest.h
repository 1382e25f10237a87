/* What the guest's parts offer each other. */
#ifndef GUEST_H
#define GUEST_H

#include "memory.h"
#include "multiboot.h"

/* cmos.c */
uint32_t cmos_extended_memory(void);                    /* KiB above 1 MiB */

/* processor.c */
void processor_check(void);                             /* says whether VMX shows */
void processor_print(void);

/* ipc.c */
int64_t ipc_host_send(uint64_t to, uint64_t value, void *page, uint64_t permission);
int64_t ipc_host_receive(void *page, int64_t *value);
uint64_t host_disk(void);
void back_to_host(void) __attribute__((noreturn));
void user_panic_at(const char *who, const char *file, int line, const char *message) __attribute__((noreturn));
#define user_panic(who, message) user_panic_at(who, __FILE__, __LINE__, message)

/* files.c */
struct file {
    char name[24];                                      /* ends with a 0 */
    uint32_t sector;                                    /* first sector, counted from the start of the disk */
    uint32_t size;                                      /* bytes */
};
void files_mount(void);
const struct file *file_at(int index);                  /* null behind the last one */
const struct file *file_find(const char *name);
void file_print(const struct file *f);

/* shell.c */
void shell(const struct multiboot_info *mb) __attribute__((noreturn));

#endif
