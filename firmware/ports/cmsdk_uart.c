/* SPDX-License-Identifier: Apache-2.0
 *
 * Arm CMSDK UART: the MPS2 and MPS3 boards. Their timers differ: timer.h.
 */
#include "cortex_m.h"
#include "secondpass/port.h"
#include "sender.h"
#include "timer.h"

#define UART_DATA SP_REGISTER(SP_PORT_UART + 0x00u)
#define UART_STATE SP_REGISTER(SP_PORT_UART + 0x04u)
#define UART_CONTROL SP_REGISTER(SP_PORT_UART + 0x08u)
#define UART_INTERRUPT SP_REGISTER(SP_PORT_UART + 0x0Cu)
#define UART_DIVIDER SP_REGISTER(SP_PORT_UART + 0x10u)

#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u
#define CONTROL_ENABLE 3u        /* transmitter and receiver */
#define CONTROL_TX_INTERRUPT 4u
#define CONTROL_RX_INTERRUPT 8u
#define INTERRUPT_TX 1u
#define INTERRUPT_RX 2u

#define BAUD 115200u

static void (*receive_byte)(uint8_t byte);

int sp_uart_can_send(void)
{
    return (UART_STATE & STATE_TX_FULL) == 0;
}

void sp_uart_send(uint8_t byte)
{
    UART_DATA = byte;
}

void sp_uart_wake_when_ready(int wanted)
{
    (void)wanted; /* the transmitter interrupts after every byte */
}

void sp_port_init(void (*on_byte)(uint8_t byte))
{
    receive_byte = on_byte;
    sp_timer_start();
    UART_DIVIDER = SP_PORT_CLOCK_HZ / BAUD;
    UART_CONTROL = CONTROL_ENABLE | CONTROL_TX_INTERRUPT | CONTROL_RX_INTERRUPT;
    sp_enable_irq(SP_PORT_UART_RX_IRQ);
    sp_enable_irq(SP_PORT_UART_TX_IRQ);
    sp_enable_interrupts();
}

void sp_port_interrupt(void)
{
    while ((UART_STATE & STATE_RX_FULL) != 0) {
        const uint8_t byte = (uint8_t)UART_DATA;

        UART_INTERRUPT = INTERRUPT_RX;
        receive_byte(byte);
    }
    UART_INTERRUPT = INTERRUPT_TX;
    sp_sender_pump();
}
