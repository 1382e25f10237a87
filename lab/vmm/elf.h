/* As much of the ELF format as a loader needs. */
#ifndef VMM_ELF_H
#define VMM_ELF_H

#include "types.h"

#define ELF_MAGIC 0x464c457f            /* 0x7f 'E' 'L' 'F' */

struct elf_header {
    uint32_t magic;
    uint8_t ident[12];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry;
    uint64_t segments_offset, sections_offset;
    uint32_t flags;
    uint16_t header_size;
    uint16_t segment_size, segments;
    uint16_t section_size, sections, section_names;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset;                    /* in the file */
    uint64_t linear, physical;
    uint64_t file_size, memory_size;
    uint64_t alignment;
};

_Static_assert(sizeof(struct elf_header) == 64 && sizeof(struct elf_segment) == 56, "fixed by the ELF specification");

#endif
