/* SPDX-License-Identifier: Apache-2.0
 *
 * USART of the first STM32 families (F1, F2, F4). Their timers differ: timer.h. Clocks and pins are
 * left as the boot code or the emulator set them.
 */
#include "cortex_m.h"
#include "secondpass/port.h"
#include "sender.h"
#include "timer.h"

#define USART_STATUS SP_REGISTER(SP_PORT_UART + 0x00u)
#define USART_DATA SP_REGISTER(SP_PORT_UART + 0x04u)
#define USART_BAUD SP_REGISTER(SP_PORT_UART + 0x08u)
#define USART_CONTROL1 SP_REGISTER(SP_PORT_UART + 0x0Cu)

#define STATUS_RX_NOT_EMPTY (1u << 5)
#define STATUS_TX_EMPTY (1u << 7)
#define CONTROL1_RECEIVE (1u << 2)
#define CONTROL1_TRANSMIT (1u << 3)
#define CONTROL1_RX_INTERRUPT (1u << 5)
#define CONTROL1_TX_INTERRUPT (1u << 7)
#define CONTROL1_ENABLE (1u << 13)
#define CONTROL1_RUNNING \
    (CONTROL1_ENABLE | CONTROL1_TRANSMIT | CONTROL1_RECEIVE | CONTROL1_RX_INTERRUPT)

#define BAUD 115200u

static void (*receive_byte)(uint8_t byte);

int sp_uart_can_send(void)
{
    return (USART_STATUS & STATUS_TX_EMPTY) != 0;
}

void sp_uart_send(uint8_t byte)
{
    USART_DATA = byte;
}

void sp_uart_wake_when_ready(int wanted)
{
    USART_CONTROL1 = wanted ? CONTROL1_RUNNING | CONTROL1_TX_INTERRUPT : CONTROL1_RUNNING;
}

void sp_port_init(void (*on_byte)(uint8_t byte))
{
    receive_byte = on_byte;
    sp_timer_start();
    USART_BAUD = SP_PORT_CLOCK_HZ / BAUD;
    USART_CONTROL1 = CONTROL1_RUNNING;
    sp_enable_irq(SP_PORT_UART_RX_IRQ);
    sp_enable_interrupts();
}

void sp_port_interrupt(void)
{
    while ((USART_STATUS & STATUS_RX_NOT_EMPTY) != 0) {
        receive_byte((uint8_t)USART_DATA);
    }
    sp_sender_pump();
}
