/* SPDX-License-Identifier: Apache-2.0
 *
 * What the trainer application needs from a chip. One file in ports/ implements it.
 */
#ifndef SECONDPASS_PORT_H
#define SECONDPASS_PORT_H

#include <stdint.h>

#include "secondpass/store.h"

/* Start the timer and the UART; bytes received are handed to on_byte from an interrupt. */
void sp_port_init(void (*on_byte)(uint8_t byte));

/* Begin to send; `data` must stay unchanged until sp_port_sending() is 0. */
void sp_port_send(const uint8_t *data, uint32_t length);

/* 1 while bytes of the last sp_port_send are left. */
int sp_port_sending(void);

/* Send without interrupts, for the fault handler. */
void sp_port_send_blocking(const uint8_t *data, uint32_t length);

/* Free-running 32-bit counter at SP_PORT_TICKS_HZ. */
uint32_t sp_port_ticks(void);

/* Two slots for checkpoints; NULL: there is no room for any. Ports without it do not define
 * SP_PORT_HAS_FLASH. */
const sp_flash_t *sp_port_flash(void);

/* Called for every external interrupt. */
void sp_port_interrupt(void);

#endif
