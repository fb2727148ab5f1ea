/* SPDX-License-Identifier: Apache-2.0
 *
 * RAM that behaves like flash: for the host twin, and for boards whose flash is not modelled by the
 * emulator. The memory must not be cleared at start-up if checkpoints are to survive a reset.
 */
#ifndef SECONDPASS_RAM_FLASH_H
#define SECONDPASS_RAM_FLASH_H

#include "secondpass/store.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint8_t *memory;     /* 2 * slot_bytes bytes */
    uint32_t page_bytes; /* as in sp_flash_t */
    uint32_t slot_bytes;
} sp_ram_flash_t;

/* The flash over `ram`, which must outlive it. Programming refuses to set a bit. */
sp_flash_t sp_ram_flash(sp_ram_flash_t *ram, uint32_t unit_bytes);

#ifdef __cplusplus
}
#endif

#endif
