/* SPDX-License-Identifier: Apache-2.0
 *
 * The flash controller of an STM32F4 as RM0090 describes it, with a memory that a power cut can stop
 * at any byte. Only the sectors of the two slots are there; whatever touches others is misuse.
 */
#ifndef STM32_CONTROLLER_H
#define STM32_CONTROLLER_H

#include <stdint.h>

#include "stm32_flash.h"

typedef struct {
    uint8_t *memory;
    uint32_t address;       /* of memory[0], where sector `first` begins */
    uint32_t first;         /* number of that sector */
    uint32_t sectors;       /* how many there are */
    uint32_t sector_bytes;
    uint32_t absent;        /* 1: no controller: registers read as 0, the memory keeps what it has */
    uint32_t hung;          /* 1: an operation never ends */
    uint32_t protected_at;  /* address in a sector that is write-protected */
    uint32_t erase_polls;   /* readings of the status that an operation takes */
    uint32_t program_polls;
    uint32_t erase_us;      /* time that an operation takes */
    uint32_t program_us;
    uint32_t cut_after;     /* as in flash_simulator_t */
    uint32_t scattered;
    uint32_t random;
    uint32_t changed;
    uint32_t erased;        /* sectors erased, also in part */
    uint32_t busy_us;       /* time of all operations */
    uint32_t misuse;        /* what the manual forbids or calls an error */
    uint32_t control, status, access, keys, polls;
    uint8_t *cache;         /* what the data cache holds; as long as memory */
    uint8_t *cached;        /* one byte a line of 16: is it in the cache? */
} stm32_controller_t;

/* As after power-up: locked, no errors, the data cache on. Counters stay. */
void stm32_controller_reset(stm32_controller_t *controller);

/* 1: the control register is locked. */
int stm32_controller_locked(const stm32_controller_t *controller);

#endif
