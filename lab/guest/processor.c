/* What the processor says about itself. CPUID always exits, so these are the VMM's words. */
#include "guest.h"
#include "console.h"
#include "string.h"
#include "x86.h"

void processor_check(void)
{
    uint32_t eax, ebx, ecx, edx;

    /* BP: guest asks for VMX */
    cpuid(1, 0, &eax, &ebx, &ecx, &edx);
    if (ecx & CPUID_1_ECX_VMX)
        cprintf("VMX extension exposed to guest.\n");
    else
        cprintf("VMX extension hidden from guest.\n");
}

void processor_print(void)
{
    uint32_t eax, ebx, ecx, edx;
    char vendor[13];

    cpuid(0, 0, &eax, &ebx, &ecx, &edx);
    memcpy(vendor, &ebx, 4);
    memcpy(vendor + 4, &edx, 4);
    memcpy(vendor + 8, &ecx, 4);
    vendor[12] = 0;
    cprintf("vendor %s, highest leaf 0x%x\n", vendor, eax);
    cpuid(1, 0, &eax, &ebx, &ecx, &edx);
    cprintf("signature 0x%x, features ECX 0x%08x EDX 0x%08x\n", eax, ecx, edx);
    processor_check();
}
