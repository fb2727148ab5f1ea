/* SPDX-License-Identifier: Apache-2.0
 *
 * A flash memory that a power cut can stop at any byte.
 */
#ifndef FLASH_SIMULATOR_H
#define FLASH_SIMULATOR_H

#include "secondpass/store.h"

#define FLASH_NEVER 0xFFFFFFFFu

typedef struct {
    uint8_t *memory; /* 2 * slot_bytes */
    uint32_t page_bytes;
    uint32_t unit_bytes;
    uint32_t slot_bytes;
    uint32_t cut_after;     /* bytes erased or programmed until the power goes; FLASH_NEVER */
    uint32_t scattered;     /* 1: a cut erase leaves every byte of the page half erased */
    uint32_t random;        /* which bits of a byte that was cut have changed already */
    uint32_t refuse_from;   /* the range that cannot be programmed */
    uint32_t refuse_bytes;
    uint32_t lose_from;     /* the range whose bits stay as they are, without a word */
    uint32_t lose_bytes;
    uint32_t unreadable;    /* offset of a byte that cannot be read; FLASH_NEVER */
    uint32_t changed;       /* bytes erased or programmed */
    uint32_t erased;        /* pages erased, also in part */
    uint32_t bits_set;      /* attempts to program a bit from 0 to 1 */
    uint32_t twice;         /* units programmed that were not erased */
    uint32_t misplaced;     /* calls that are not of whole units or pages inside the memory */
    uint32_t without_power; /* calls after the cut */
} flash_simulator_t;

/* The flash that the simulator plays. */
sp_flash_t flash_simulator(flash_simulator_t *simulator);

#endif
