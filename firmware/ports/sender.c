/* SPDX-License-Identifier: Apache-2.0 */
#include "sender.h"

#include "cortex_m.h"
#include "secondpass/port.h"

static const uint8_t *volatile next;
static volatile uint32_t left;

void sp_sender_pump(void)
{
    while (left != 0 && sp_uart_can_send()) {
        sp_uart_send(*next++);
        --left;
    }
    sp_uart_wake_when_ready(left != 0);
}

void sp_port_send(const uint8_t *data, uint32_t length)
{
    sp_disable_interrupts();
    next = data;
    left = length;
    sp_sender_pump();
    sp_enable_interrupts();
}

int sp_port_sending(void)
{
    return left != 0;
}

void sp_port_send_blocking(const uint8_t *data, uint32_t length)
{
    for (uint32_t i = 0; i < length; ++i) {
        while (!sp_uart_can_send()) {
        }
        sp_uart_send(data[i]);
    }
}
