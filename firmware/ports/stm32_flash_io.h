/* SPDX-License-Identifier: Apache-2.0
 *
 * How the flash driver reaches the controller and the memory. Tests put a model in its place.
 */
#ifndef SECONDPASS_PORTS_STM32_FLASH_IO_H
#define SECONDPASS_PORTS_STM32_FLASH_IO_H

#include <string.h>

#include "cortex_m.h"

static inline uint32_t sp_flash_get(uint32_t offset)
{
    return SP_REGISTER(SP_FLASH_CONTROLLER + offset);
}

static inline void sp_flash_set(uint32_t offset, uint32_t value)
{
    SP_REGISTER(SP_FLASH_CONTROLLER + offset) = value;
}

static inline void sp_flash_write_word(uint32_t address, uint32_t value)
{
    SP_REGISTER(address) = value;
    __asm__ volatile("dsb" ::: "memory");
}

static inline void sp_flash_read(uint32_t address, uint8_t *data, uint32_t length)
{
    memcpy(data, (const void *)(uintptr_t)address, length);
}

#endif
