/*
 * The host's file server: it reads disks for the guest. A request comes as a message (VMCALL_IPCSEND), the reply waits
 * in the mailbox until the guest fetches it (VMCALL_IPCRECV). The server knows sectors only; what they mean is the
 * guest's business.
 */
#include "vmx.h"
#include "vmm.h"
#include "hypercall.h"
#include "string.h"

/* The page that a message is about, as we see it; null when it is no page of the guest's RAM. */
static void *message_page(struct guest *g, gpa_t gpa)
{
    return gpa % PAGE_SIZE == 0 ? ept_page(g, gpa) : 0;
}

static int64_t read_sectors(struct mailbox *reply, const struct fs_request *request)
{
    if (request->count == 0 || request->count > SECTORS_PER_PAGE)
        return -E_INVAL;
    if (ide_read(request->disk, request->sector, request->count, reply->page) < 0)
        return -E_INVAL;
    return request->count * SECTOR_SIZE;
}

/* Serves a request at once. Returns 0, or an error when the message could not be delivered. */
int64_t fileserver_send(struct guest *g, int64_t value, gpa_t page)
{
    const struct fs_request *request = message_page(g, page);

    if (!request)
        return -E_INVAL;
    if (!g->reply.page)
        g->reply.page = page_alloc();
    g->reply.value = value == FSREQ_READ ? read_sectors(&g->reply, request) : -E_INVAL;
    g->reply.full = 1;
    return 0;
}

/* Hands out the reply. Returns 0, or an error when there is none. */
int64_t fileserver_receive(struct guest *g, gpa_t page, int64_t *value)
{
    void *to = message_page(g, page);

    if (!to)
        return -E_INVAL;
    if (!g->reply.full)
        return -E_IPC_NOT_RECV;
    if (g->reply.value > 0)
        memcpy(to, g->reply.page, g->reply.value);
    *value = g->reply.value;
    g->reply.full = 0;
    return 0;
}
