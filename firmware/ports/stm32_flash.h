/* SPDX-License-Identifier: Apache-2.0
 *
 * Flash of the STM32F2 and STM32F4 families (RM0090, chapter 3) as two slots for checkpoints. The
 * core stands still while the flash works and code runs from the same bank, so that bytes which
 * arrive meanwhile can be lost; the link repeats them.
 */
#ifndef SECONDPASS_PORTS_STM32_FLASH_H
#define SECONDPASS_PORTS_STM32_FLASH_H

#include "secondpass/store.h"

/* Where the slots are. All sectors of both slots have the same size. */
typedef struct {
    uint32_t address;       /* of slot 0; slot 1 follows */
    uint32_t sector_bytes;
    uint32_t slot_bytes;    /* a multiple of sector_bytes */
    uint32_t first_sector;  /* number of the first sector of slot 0, 0 to 11 */
    uint32_t erase_polls;   /* readings of the status register until the flash counts as hung */
    uint32_t program_polls; /* the same for a word */
} sp_stm32_flash_t;

/* The flash; `area` must outlive it. Its program unit is a word of 4 bytes: the supply must be at
 * least 2.7 V. */
sp_flash_t sp_stm32_flash(sp_stm32_flash_t *area);

#endif
