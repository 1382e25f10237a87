/* The CMOS memory, where a PC of old kept its own size. */
#include "guest.h"
#include "x86.h"

#define CMOS_INDEX          0x70
#define CMOS_DATA           0x71
#define CMOS_EXTENDED_LOW   0x17
#define CMOS_EXTENDED_HIGH  0x18

static uint8_t cmos_read(uint8_t index)
{
    outb(CMOS_INDEX, index);
    return inb(CMOS_DATA);
}

uint32_t cmos_extended_memory(void)
{
    return cmos_read(CMOS_EXTENDED_LOW) | cmos_read(CMOS_EXTENDED_HIGH) << 8;
}
