/*
 * A file system as small as can be: one directory sector, and files that lie in one piece. The first entry of the
 * partition table in the guest's boot sector says where the directory is; lab/tools/disk.mjs writes it.
 */
#include "guest.h"
#include "console.h"
#include "hypercall.h"
#include "string.h"

#define PARTITION_TABLE     446         /* offset in the boot sector */
#define PARTITION_START     8           /* offset in an entry: first sector */
#define MAGIC               0x45544c46  /* 'FLTE' */
#define FILES               15

/* One sector: a header the size of an entry, then the files. */
struct directory {
    uint32_t magic;
    uint32_t count;
    char unused[24];
    struct file files[FILES];
};

_Static_assert(sizeof(struct directory) == SECTOR_SIZE, "the directory is one sector");

static char request_page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static char reply_page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static struct directory directory;

/* Asks the host's file server for sectors of our disk; they arrive in reply_page. */
static void read_disk(uint32_t sector, uint32_t count)
{
    struct fs_request *request = (struct fs_request *)request_page;
    int64_t size;

    request->disk = host_disk();
    request->sector = sector;
    request->count = count;
    if (ipc_host_send(IPC_HOST_FS, FSREQ_READ, request_page, IPC_PAGE_READ) < 0 ||
        ipc_host_receive(reply_page, &size) < 0 || size != count * SECTOR_SIZE)
        panic("cannot read sector %u of the disk", sector);
}

void files_mount(void)
{
    uint32_t start;

    read_disk(0, 1);
    memcpy(&start, reply_page + PARTITION_TABLE + PARTITION_START, sizeof start);
    read_disk(start, 1);
    memcpy(&directory, reply_page, sizeof directory);
    if (directory.magic != MAGIC || directory.count > FILES)
        panic("no file system at sector %u", start);
}

const struct file *file_at(int index)
{
    return index < (int)directory.count ? &directory.files[index] : 0;
}

const struct file *file_find(const char *name)
{
    const struct file *f;

    for (int i = 0; (f = file_at(i)); i++)
        if (strcmp(f->name, name) == 0)
            return f;
    return 0;
}

void file_print(const struct file *f)
{
    for (uint32_t i = 0; i < f->size; i++) {
        if (i % SECTOR_SIZE == 0)
            read_disk(f->sector + i / SECTOR_SIZE, 1);
        console_putc(reply_page[i % SECTOR_SIZE]);
    }
}
