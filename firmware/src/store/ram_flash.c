/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/ram_flash.h"

#include <string.h>

static int erase(void *context, uint32_t offset)
{
    const sp_ram_flash_t *ram = context;

    memset(ram->memory + offset, 0xFF, ram->page_bytes);
    return 0;
}

static int program(void *context, uint32_t offset, const uint8_t *data, uint32_t length)
{
    const sp_ram_flash_t *ram = context;
    uint8_t *at = ram->memory + offset;

    for (uint32_t i = 0; i < length; ++i) {
        at[i] = (uint8_t)(at[i] & data[i]);
        if (at[i] != data[i]) {
            return 1;
        }
    }
    return 0;
}

static int read(void *context, uint32_t offset, uint8_t *data, uint32_t length)
{
    const sp_ram_flash_t *ram = context;

    memcpy(data, ram->memory + offset, length);
    return 0;
}

sp_flash_t sp_ram_flash(sp_ram_flash_t *ram, uint32_t unit_bytes)
{
    const sp_flash_t flash = {.context = ram,
                              .page_bytes = ram->page_bytes,
                              .unit_bytes = unit_bytes,
                              .slot_bytes = ram->slot_bytes,
                              .erase = erase,
                              .program = program,
                              .read = read};

    return flash;
}
