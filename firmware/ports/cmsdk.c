/* SPDX-License-Identifier: Apache-2.0
 *
 * Arm CMSDK UART and timer: the MPS2 and MPS3 boards.
 */
#include "cortex_m.h"
#include "secondpass/port.h"

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

#define TIMER_CONTROL SP_REGISTER(SP_PORT_TIMER + 0x00u)
#define TIMER_VALUE SP_REGISTER(SP_PORT_TIMER + 0x04u)
#define TIMER_RELOAD SP_REGISTER(SP_PORT_TIMER + 0x08u)

#define BAUD 115200u

static void (*receive_byte)(uint8_t byte);
static const uint8_t *volatile send_next;
static volatile uint32_t send_left;

/* Hand over as many bytes as the transmitter takes; its interrupt asks for the rest. */
static void pump(void)
{
    while (send_left != 0 && (UART_STATE & STATE_TX_FULL) == 0) {
        UART_DATA = *send_next++;
        --send_left;
    }
}

void sp_port_init(void (*on_byte)(uint8_t byte))
{
    receive_byte = on_byte;
    TIMER_CONTROL = 0;
    TIMER_RELOAD = 0xFFFFFFFFu;
    TIMER_VALUE = 0xFFFFFFFFu;
    TIMER_CONTROL = 1;
    UART_DIVIDER = SP_PORT_CLOCK_HZ / BAUD;
    UART_CONTROL = CONTROL_ENABLE | CONTROL_TX_INTERRUPT | CONTROL_RX_INTERRUPT;
    sp_enable_irq(SP_PORT_UART_RX_IRQ);
    sp_enable_irq(SP_PORT_UART_TX_IRQ);
    sp_enable_interrupts();
}

void sp_port_send(const uint8_t *data, uint32_t length)
{
    sp_disable_interrupts();
    send_next = data;
    send_left = length;
    pump();
    sp_enable_interrupts();
}

int sp_port_sending(void)
{
    return send_left != 0;
}

void sp_port_send_blocking(const uint8_t *data, uint32_t length)
{
    for (uint32_t i = 0; i < length; ++i) {
        while ((UART_STATE & STATE_TX_FULL) != 0) {
        }
        UART_DATA = data[i];
    }
}

uint32_t sp_port_ticks(void)
{
    return ~TIMER_VALUE; /* the timer counts down from all ones */
}

void sp_port_interrupt(void)
{
    while ((UART_STATE & STATE_RX_FULL) != 0) {
        const uint8_t byte = (uint8_t)UART_DATA;

        UART_INTERRUPT = INTERRUPT_RX;
        receive_byte(byte);
    }
    UART_INTERRUPT = INTERRUPT_TX;
    pump();
}
