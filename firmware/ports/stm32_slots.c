/* SPDX-License-Identifier: Apache-2.0
 *
 * Flash for checkpoints of the STM32F2 and STM32F4 families: the sectors that the board's
 * description keeps free of code.
 */
#include "secondpass/port.h"
#include "stm32_flash.h"

#define POLLS(microseconds) (SP_PORT_CLOCK_HZ / 1000000u * (microseconds))

const sp_flash_t *sp_port_flash(void)
{
    /* A poll takes several cycles, so that the waits end after some times the longest operation. */
    static sp_stm32_flash_t area = {.address = SP_FLASH_SLOTS,
                                    .sector_bytes = SP_FLASH_PAGE_BYTES,
                                    .slot_bytes = SP_FLASH_SLOT_BYTES,
                                    .first_sector = SP_FLASH_FIRST_SECTOR,
                                    .erase_polls = POLLS(SP_FLASH_ERASE_US),
                                    .program_polls = POLLS(SP_FLASH_PROGRAM_US)};
    static sp_flash_t flash;

    flash = sp_stm32_flash(&area);
    return &flash;
}
