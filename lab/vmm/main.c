/* The VMM from its first line of C to the guest's first instruction. */
#include "vmm.h"
#include "console.h"
#include "trap.h"
#include "vmx.h"
#include "x86.h"

static struct guest guest;

void kernel_main(const struct multiboot_info *mb)
{
    console_init();
    cprintf("Hyperstep lab: a small VMM and its guest\n");
    e820_print(mb);
    page_init(mb);
    trap_init();
    segment_init();
    timer_init();

    vmx_init();
    guest_load(&guest);
    vmcs_init(&guest);
    cprintf("VMM: launching the guest at 0x%x in real mode.\n", GUEST_START);
    /* BP: before the guest */
    if (vmx_run(&guest) == GUEST_DONE) {
        cprintf("VMM: the guest has gone back to its host. Good bye.\n");
        power_off();
    }
    halt_forever();                     /* the guest was aborted, and has been told about */
}
