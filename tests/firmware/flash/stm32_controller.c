/* SPDX-License-Identifier: Apache-2.0 */
#include "stm32_controller.h"

#include <string.h>

#include "stm32_model_io.h"

enum { ACR = 0x00, KEYR = 0x04, SR = 0x0C, CR = 0x10 };
enum { NO_KEY, FIRST_KEY, OPEN, DEAD };

#define DCEN (1u << 10)
#define DCRST (1u << 12)
#define EOP (1u << 0)
#define WRPERR (1u << 4)
#define PGAERR (1u << 5)
#define PGPERR (1u << 6)
#define PGSERR (1u << 7)
#define BSY (1u << 16)
#define CLEARABLE 0xF3u
#define PG (1u << 0)
#define SER (1u << 1)
#define MER (1u << 2)
#define PSIZE (3u << 8)
#define WORDS (2u << 8)
#define STRT (1u << 16)
#define LOCK (1u << 31)
#define LINE 16u

static stm32_controller_t *chip;

void stm32_controller_reset(stm32_controller_t *controller)
{
    chip = controller;
    chip->control = LOCK;
    chip->status = 0;
    chip->access = DCEN;
    chip->keys = NO_KEY;
    chip->polls = 0;
    memset(chip->cached, 0, chip->sectors * chip->sector_bytes / LINE);
}

int stm32_controller_locked(const stm32_controller_t *controller)
{
    return (controller->control & LOCK) != 0;
}

static int has_power(void)
{
    return chip->changed < chip->cut_after;
}

static uint8_t some_bits(void)
{
    chip->random = chip->random * 1664525u + 1013904223u;
    return (uint8_t)(chip->random >> 24);
}

/* Count a byte. 0: the power went while it changed. */
static int change(void)
{
    return ++chip->changed < chip->cut_after;
}

static uint32_t size(void)
{
    return chip->sectors * chip->sector_bytes;
}

/* An error flag is not misuse by itself: a test may want to see it. */
static void fail(uint32_t flag)
{
    chip->status |= flag;
}

static int is_protected(uint32_t at)
{
    return (chip->protected_at - chip->address) / chip->sector_bytes == at / chip->sector_bytes;
}

static void erase_bytes(uint8_t *sector)
{
    for (uint32_t i = 0; i < chip->sector_bytes; ++i) {
        if (!change()) {
            for (uint32_t k = chip->scattered ? 0 : i; k < chip->sector_bytes; ++k) {
                sector[k] = (uint8_t)(sector[k] | (k == i || chip->scattered ? some_bits() : 0));
            }
            return;
        }
        if (!chip->scattered) {
            sector[i] = 0xFF;
        }
    }
    memset(sector, 0xFF, chip->sector_bytes);
}

static void start_erase(void)
{
    const uint32_t sector = (chip->control >> 3 & 15u) - chip->first;

    if ((chip->control & (PG | MER)) != 0 || (chip->control & SER) == 0) {
        fail(PGSERR);
        ++chip->misuse;
    } else if (sector >= chip->sectors) {
        ++chip->misuse; /* somebody's code */
    } else if (is_protected(sector * chip->sector_bytes)) {
        fail(WRPERR);
    } else {
        chip->polls = chip->erase_polls;
        chip->busy_us += chip->erase_us;
        ++chip->erased;
        erase_bytes(chip->memory + sector * chip->sector_bytes);
    }
    chip->control &= ~STRT;
}

static void set_key(uint32_t value)
{
    if (chip->keys == NO_KEY && value == 0x45670123u) {
        chip->keys = FIRST_KEY;
    } else if (chip->keys == FIRST_KEY && value == 0xCDEF89ABu) {
        chip->keys = OPEN;
        chip->control &= ~LOCK;
    } else {
        chip->keys = DEAD; /* until the next reset */
        chip->control |= LOCK;
        ++chip->misuse;
    }
}

static void set_control(uint32_t value)
{
    if (chip->polls != 0 && !chip->hung) {
        ++chip->misuse;
        return;
    }
    if ((chip->control & LOCK) != 0) {
        chip->misuse += value != LOCK;
        return;
    }
    chip->control = value;
    if ((value & LOCK) != 0) {
        chip->keys = NO_KEY;
    } else if ((value & STRT) != 0) {
        start_erase();
    }
}

static void set_access(uint32_t value)
{
    if ((value & DCRST) != 0) {
        if (((value | chip->access) & DCEN) != 0) {
            ++chip->misuse;
        } else {
            memset(chip->cached, 0, size() / LINE);
        }
    }
    chip->access = value;
}

uint32_t sp_flash_get(uint32_t offset)
{
    if (chip->absent || !has_power()) {
        return 0;
    }
    switch (offset) {
    case ACR:
        return chip->access;
    case SR:
        if (chip->polls != 0) {
            chip->polls -= !chip->hung;
            return chip->status | BSY;
        }
        return chip->status;
    case CR:
        return chip->control;
    default:
        ++chip->misuse;
        return 0;
    }
}

void sp_flash_set(uint32_t offset, uint32_t value)
{
    if (chip->absent || !has_power()) {
        return;
    }
    switch (offset) {
    case ACR:
        set_access(value);
        break;
    case KEYR:
        set_key(value);
        break;
    case SR:
        chip->status &= ~(value & CLEARABLE);
        break;
    case CR:
        set_control(value);
        break;
    default:
        ++chip->misuse;
        break;
    }
}

static void program_bytes(uint8_t *at, uint32_t value)
{
    for (uint32_t i = 0; i < 4; ++i) {
        const uint8_t byte = (uint8_t)(value >> 8 * i);

        if (!change()) {
            at[i] = (uint8_t)(at[i] & (byte | some_bits()));
            return;
        }
        at[i] = (uint8_t)(at[i] & byte); /* only an erase sets bits */
    }
}

void sp_flash_write_word(uint32_t address, uint32_t value)
{
    const uint32_t at = address - chip->address;

    if (chip->absent || !has_power()) {
        return;
    }
    if (at >= size() || (chip->polls != 0 && !chip->hung)) {
        ++chip->misuse;
    } else if ((chip->control & (LOCK | SER | MER | PG)) != PG) {
        fail(PGSERR);
        ++chip->misuse;
    } else if ((chip->control & PSIZE) != WORDS) {
        fail(PGPERR);
        ++chip->misuse;
    } else if (at % 4 != 0) {
        fail(PGAERR);
        ++chip->misuse;
    } else if (is_protected(at)) {
        fail(WRPERR);
    } else {
        chip->polls = chip->program_polls;
        chip->busy_us += chip->program_us;
        program_bytes(chip->memory + at, value);
    }
}

static uint8_t read_byte(uint32_t at)
{
    const uint32_t line = at / LINE;

    if ((chip->access & DCEN) == 0) {
        return chip->memory[at];
    }
    if (!chip->cached[line]) {
        memcpy(chip->cache + line * LINE, chip->memory + line * LINE, LINE);
        chip->cached[line] = 1;
    }
    return chip->cache[at];
}

void sp_flash_read(uint32_t address, uint8_t *data, uint32_t length)
{
    const uint32_t at = address - chip->address;

    if (!has_power() || at >= size() || length > size() - at) {
        chip->misuse += has_power() ? 1u : 0u;
        memset(data, 0, length);
        return;
    }
    for (uint32_t i = 0; i < length; ++i) {
        data[i] = read_byte(at + i);
    }
}
