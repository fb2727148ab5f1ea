/* SPDX-License-Identifier: Apache-2.0
 *
 * Sending over a UART that takes one byte at a time. A port provides the three functions below;
 * sender.c provides sp_port_send, sp_port_sending and sp_port_send_blocking with them.
 */
#ifndef SECONDPASS_PORTS_SENDER_H
#define SECONDPASS_PORTS_SENDER_H

#include <stdint.h>

/* 1 when the transmitter takes a byte. */
int sp_uart_can_send(void);

/* Hand a byte to a transmitter that takes one. */
void sp_uart_send(uint8_t byte);

/* Ask for an interrupt as soon as the transmitter takes a byte, or for none. */
void sp_uart_wake_when_ready(int wanted);

/* Hand over as many bytes as the transmitter takes; its interrupt asks for the rest. */
void sp_sender_pump(void);

#endif
