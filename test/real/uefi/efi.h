/* The little of UEFI that hypervisor.c uses (UEFI Specification 2.10, "EFI System Table"; PI Specification, "MP Services Protocol"). */
#pragma once
#include <stdint.h>

typedef uint64_t Status;
typedef struct { uint32_t a; uint16_t b, c; uint8_t d[8]; } Guid;

typedef struct TextOutput {
  void *reset;
  Status (*output_string)(struct TextOutput *, const uint16_t *text);
} TextOutput;

typedef struct {
  uint8_t header[24];
  void *before_locate_protocol[37];
  Status (*locate_protocol)(const Guid *, void *registration, void **interface);
} BootServices;

enum { RESET_SHUTDOWN = 2 };
typedef struct {
  uint8_t header[24];
  void *before_reset_system[10];
  void (*reset_system)(int type, Status status, uint64_t size, void *data);
} RuntimeServices;

typedef struct {
  uint8_t header[24];
  uint16_t *vendor;
  uint32_t revision;
  void *in_handle, *in, *out_handle;
  TextOutput *out;
  void *error_handle, *error;
  RuntimeServices *runtime;
  BootServices *boot;
} SystemTable;

typedef struct MpServices {
  Status (*count)(struct MpServices *, uint64_t *all, uint64_t *enabled);
  void *processor_info;
  Status (*start_all)(struct MpServices *, void (*procedure)(void *), uint8_t one_by_one, void *event, uint64_t microseconds, void *argument, void **failed);
  void *start_one, *switch_first, *enable;
  Status (*who_am_i)(struct MpServices *, uint64_t *number);
} MpServices;

static const Guid MP_SERVICES = { 0x3fdda605, 0xa76e, 0x4f46, { 0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08 } };
