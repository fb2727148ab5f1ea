/* SPDX-License-Identifier: Apache-2.0 */
#include "stm32_flash.h"

#include "secondpass/link.h"

#ifndef SP_STM32_FLASH_IO
#define SP_STM32_FLASH_IO "stm32_flash_io.h"
#endif
#include SP_STM32_FLASH_IO

#define ACCESS 0x00u
#define KEY 0x04u
#define STATUS 0x0Cu
#define CONTROL 0x10u

#define ACCESS_DATA_CACHE (1u << 10)
#define ACCESS_RESET_DATA_CACHE (1u << 12)
#define KEY_FIRST 0x45670123u
#define KEY_SECOND 0xCDEF89ABu
#define STATUS_BUSY (1u << 16)
#define STATUS_ERRORS 0xF2u /* sequence, parallelism, alignment, protection, operation */
#define STATUS_CLEAR 0xF3u  /* the errors and the end of an operation; cleared by writing ones */
#define CONTROL_PROGRAM (1u << 0)
#define CONTROL_ERASE_SECTOR (1u << 1)
#define CONTROL_SECTOR_SHIFT 3
#define CONTROL_WORDS (2u << 8) /* program 32 bits at a time */
#define CONTROL_START (1u << 16)
#define CONTROL_LOCK (1u << 31)

#define WORD 4u

/* 0: the controller is idle. A number of polls bounds the wait, as the data sheet bounds the
 * operation: flash that is worn out or a controller that is none must not hang the device. */
static int wait_until_idle(uint32_t polls)
{
    for (; polls != 0; --polls) {
        if ((sp_flash_get(STATUS) & STATUS_BUSY) == 0) {
            return 0;
        }
    }
    return 1;
}

static int finished(uint32_t polls)
{
    return wait_until_idle(polls) != 0 || (sp_flash_get(STATUS) & STATUS_ERRORS) != 0;
}

static void lock(void)
{
    sp_flash_set(CONTROL, CONTROL_LOCK);
}

/* Errors of an earlier operation would be taken for this one's. The keys may be written only while
 * the controller is locked; a wrong sequence locks it until the next reset. */
static int unlock(uint32_t polls)
{
    if (wait_until_idle(polls) != 0) {
        return 1;
    }
    if ((sp_flash_get(CONTROL) & CONTROL_LOCK) != 0) {
        sp_flash_set(KEY, KEY_FIRST);
        sp_flash_set(KEY, KEY_SECOND);
    }
    sp_flash_set(STATUS, STATUS_CLEAR);
    return (sp_flash_get(CONTROL) & CONTROL_LOCK) != 0;
}

/* Write the control register and see that it took the value: a controller that is not there, or
 * locked by somebody else, is found before anything is written. */
static int control(uint32_t value)
{
    sp_flash_set(CONTROL, value);
    return sp_flash_get(CONTROL) != value;
}

/* The data cache may still hold what was there before. It can be reset only while it is off. */
static void forget_cached(void)
{
    const uint32_t access = sp_flash_get(ACCESS);

    if ((access & ACCESS_DATA_CACHE) != 0) {
        sp_flash_set(ACCESS, access & ~ACCESS_DATA_CACHE);
        sp_flash_set(ACCESS, (access & ~ACCESS_DATA_CACHE) | ACCESS_RESET_DATA_CACHE);
        sp_flash_set(ACCESS, access & ~ACCESS_DATA_CACHE);
        sp_flash_set(ACCESS, access);
    }
}

static int erase_sector(uint32_t sector, uint32_t polls)
{
    const uint32_t selected =
        CONTROL_WORDS | CONTROL_ERASE_SECTOR | sector << CONTROL_SECTOR_SHIFT;

    if (unlock(polls) != 0 || control(selected) != 0) {
        return 1;
    }
    sp_flash_set(CONTROL, selected | CONTROL_START);
    return finished(polls);
}

static int erase(void *context, uint32_t offset)
{
    const sp_stm32_flash_t *area = context;
    const uint32_t sector = area->first_sector + offset / area->sector_bytes;
    const int failed = erase_sector(sector, area->erase_polls);

    lock();
    forget_cached();
    return failed;
}

static int program_words(uint32_t address, const uint8_t *data, uint32_t length, uint32_t polls)
{
    if (unlock(polls) != 0 || control(CONTROL_WORDS | CONTROL_PROGRAM) != 0) {
        return 1;
    }
    for (uint32_t i = 0; i < length; i += WORD) {
        sp_flash_write_word(address + i, sp_get32(data + i));
        if (finished(polls) != 0) {
            return 1;
        }
    }
    return 0;
}

static int program(void *context, uint32_t offset, const uint8_t *data, uint32_t length)
{
    const sp_stm32_flash_t *area = context;
    const int failed = program_words(area->address + offset, data, length, area->program_polls);

    lock();
    forget_cached();
    return failed;
}

static int read(void *context, uint32_t offset, uint8_t *data, uint32_t length)
{
    const sp_stm32_flash_t *area = context;

    sp_flash_read(area->address + offset, data, length);
    return 0;
}

sp_flash_t sp_stm32_flash(sp_stm32_flash_t *area)
{
    const sp_flash_t flash = {.context = area,
                              .page_bytes = area->sector_bytes,
                              .unit_bytes = WORD,
                              .slot_bytes = area->slot_bytes,
                              .erase = erase,
                              .program = program,
                              .read = read};

    return flash;
}
