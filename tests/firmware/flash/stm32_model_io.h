/* SPDX-License-Identifier: Apache-2.0
 *
 * In place of the driver's access to the chip: the model of stm32_controller.h.
 */
#ifndef STM32_MODEL_IO_H
#define STM32_MODEL_IO_H

#include <stdint.h>

uint32_t sp_flash_get(uint32_t offset);
void sp_flash_set(uint32_t offset, uint32_t value);
void sp_flash_write_word(uint32_t address, uint32_t value);
void sp_flash_read(uint32_t address, uint8_t *data, uint32_t length);

#endif
