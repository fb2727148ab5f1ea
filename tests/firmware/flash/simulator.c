/* SPDX-License-Identifier: Apache-2.0 */
#include "simulator.h"

#include <string.h>

static int has_power(flash_simulator_t *s)
{
    if (s->changed >= s->cut_after) {
        ++s->without_power;
        return 0;
    }
    return 1;
}

static uint8_t some_bits(flash_simulator_t *s)
{
    s->random = s->random * 1664525u + 1013904223u;
    return (uint8_t)(s->random >> 24);
}

/* Count a byte. 0: the power went while it changed. */
static int change(flash_simulator_t *s)
{
    return ++s->changed < s->cut_after;
}

static int is_inside(const flash_simulator_t *s, uint32_t offset, uint32_t length, uint32_t step)
{
    return offset % step == 0 && length % step == 0 && length != 0 &&
           length <= 2 * s->slot_bytes && offset <= 2 * s->slot_bytes - length;
}

static int erase(void *context, uint32_t offset)
{
    flash_simulator_t *s = context;
    uint8_t *page = s->memory + offset;

    if (!has_power(s)) {
        return 1;
    }
    if (!is_inside(s, offset, s->page_bytes, s->page_bytes)) {
        ++s->misplaced;
        return 1;
    }
    ++s->erased;
    for (uint32_t i = 0; i < s->page_bytes; ++i) {
        if (!change(s)) {
            for (uint32_t k = s->scattered ? 0 : i; k < s->page_bytes; ++k) {
                page[k] = (uint8_t)(page[k] | (k == i || s->scattered ? some_bits(s) : 0));
            }
            return 1;
        }
        if (!s->scattered) {
            page[i] = 0xFF;
        }
    }
    memset(page, 0xFF, s->page_bytes);
    return 0;
}

static int is_within(uint32_t at, uint32_t from, uint32_t length)
{
    return at - from < length;
}

static int program_byte(flash_simulator_t *s, uint32_t offset, uint8_t value)
{
    uint8_t *at = s->memory + offset;

    if (is_within(offset, s->refuse_from, s->refuse_bytes)) {
        return 1;
    }
    if ((value & ~*at & 0xFF) != 0) {
        ++s->bits_set;
        return 1;
    }
    if (!change(s)) {
        *at = (uint8_t)(*at & (value | some_bits(s)));
        return 1;
    }
    if (!is_within(offset, s->lose_from, s->lose_bytes)) {
        *at = (uint8_t)(*at & value);
    }
    return 0;
}

static int program(void *context, uint32_t offset, const uint8_t *data, uint32_t length)
{
    flash_simulator_t *s = context;

    if (!has_power(s)) {
        return 1;
    }
    if (!is_inside(s, offset, length, s->unit_bytes) || (uintptr_t)data % 8 != 0) {
        ++s->misplaced;
        return 1;
    }
    for (uint32_t i = 0; i < length; ++i) {
        if (i % s->unit_bytes == 0) {
            for (uint32_t k = 0; k < s->unit_bytes; ++k) {
                if (s->memory[offset + i + k] != 0xFF) {
                    ++s->twice;
                    break;
                }
            }
        }
        if (program_byte(s, offset + i, data[i]) != 0) {
            return 1;
        }
    }
    return 0;
}

static int read(void *context, uint32_t offset, uint8_t *data, uint32_t length)
{
    flash_simulator_t *s = context;

    if (!has_power(s) || is_within(s->unreadable, offset, length)) {
        return 1;
    }
    if (!is_inside(s, offset, length, 1)) {
        ++s->misplaced;
        return 1;
    }
    memcpy(data, s->memory + offset, length);
    return 0;
}

sp_flash_t flash_simulator(flash_simulator_t *s)
{
    const sp_flash_t flash = {.context = s,
                              .page_bytes = s->page_bytes,
                              .unit_bytes = s->unit_bytes,
                              .slot_bytes = s->slot_bytes,
                              .erase = erase,
                              .program = program,
                              .read = read};

    return flash;
}
