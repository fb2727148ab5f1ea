/* SPDX-License-Identifier: Apache-2.0
 *
 * Flash for checkpoints on boards whose flash the emulator does not model: the RAM between data and
 * stack, which start-up does not clear. It survives a reset, but not a loss of power.
 */
#include <string.h>

#include "secondpass/port.h"
#include "secondpass/ram_flash.h"

#define PAGE_BYTES 1024u
#define UNIT_BYTES 8u

/* Symbols of the linker script; only their addresses mean something. */
extern uint8_t sp_link_bss_end[], sp_link_stack_limit[];

/* In front of the slots when they are in use. RAM holds anything when the power comes. */
static const uint8_t marker[] = "Secondpass checkpoints 1";

const sp_flash_t *sp_port_flash(void)
{
    static sp_ram_flash_t ram;
    static sp_flash_t flash;
    const uintptr_t start = ((uintptr_t)sp_link_bss_end + 7u) & ~(uintptr_t)7u;
    const uintptr_t free_bytes = (uintptr_t)sp_link_stack_limit - start;
    uint8_t *const mark = (uint8_t *)start;

    if (free_bytes < 3u * PAGE_BYTES) {
        return NULL;
    }
    ram.memory = mark + PAGE_BYTES;
    ram.page_bytes = PAGE_BYTES;
    ram.slot_bytes = (uint32_t)(free_bytes / PAGE_BYTES - 1u) / 2u * PAGE_BYTES;
    flash = sp_ram_flash(&ram, UNIT_BYTES);
    if (memcmp(mark, marker, sizeof marker) != 0) {
        flash.erase(&ram, 0);
        flash.erase(&ram, ram.slot_bytes);
        memcpy(mark, marker, sizeof marker);
    }
    return &flash;
}
