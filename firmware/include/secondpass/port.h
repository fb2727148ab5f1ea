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

/* Send without interrupts. */
void sp_port_send_blocking(const uint8_t *data, uint32_t length);

/* Free-running 32-bit counter at SP_PORT_TICKS_HZ. */
uint32_t sp_port_ticks(void);

/* Two slots for checkpoints; NULL: there is no room for any. Ports without it do not define
 * SP_PORT_HAS_FLASH. */
const sp_flash_t *sp_port_flash(void);

/* Called for every external interrupt. */
void sp_port_interrupt(void);

/* Start the watchdog: the device restarts when it is not fed for so long. It cannot be stopped.
 * Only for builds with SP_WATCHDOG_MS; a port that has none is refused by the build. */
void sp_port_watchdog_start(uint32_t milliseconds);

/* Tell the watchdog that the main loop is alive. */
void sp_port_watchdog_feed(void);

/* 1: the chip says that its watchdog caused the last reset. Asked once, at the start. */
int sp_port_watchdog_caused_reset(void);

/* Wake the main loop from time to time, at the latest after 2^24 cycles; sp_port_wake is the
 * interrupt. Only for builds with SP_WATCHDOG_MS. */
void sp_port_wake_start(void);
void sp_port_wake(void);

#endif
