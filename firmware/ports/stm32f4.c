/* SPDX-License-Identifier: Apache-2.0
 *
 * STM32F4 USART1 and TIM2. Clocks and pins are left as the boot code or the emulator set them.
 */
#include "cortex_m.h"
#include "secondpass/port.h"

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

#define TIMER_CONTROL1 SP_REGISTER(SP_PORT_TIMER + 0x00u)
#define TIMER_EVENT SP_REGISTER(SP_PORT_TIMER + 0x14u)
#define TIMER_COUNT SP_REGISTER(SP_PORT_TIMER + 0x24u)
#define TIMER_PRESCALER SP_REGISTER(SP_PORT_TIMER + 0x28u)
#define TIMER_RELOAD SP_REGISTER(SP_PORT_TIMER + 0x2Cu)

#define BAUD 115200u

static void (*receive_byte)(uint8_t byte);
static const uint8_t *volatile send_next;
static volatile uint32_t send_left;

/* Hand over as many bytes as the transmitter takes; its interrupt asks for the rest. */
static void pump(void)
{
    while (send_left != 0 && (USART_STATUS & STATUS_TX_EMPTY) != 0) {
        USART_DATA = *send_next++;
        --send_left;
    }
    USART_CONTROL1 = send_left != 0 ? CONTROL1_RUNNING | CONTROL1_TX_INTERRUPT : CONTROL1_RUNNING;
}

void sp_port_init(void (*on_byte)(uint8_t byte))
{
    receive_byte = on_byte;
    TIMER_PRESCALER = 0;
    TIMER_RELOAD = 0xFFFFFFFFu;
    TIMER_EVENT = 1; /* load the prescaler and the reload value */
    TIMER_CONTROL1 = 1;
    USART_BAUD = SP_PORT_CLOCK_HZ / BAUD;
    USART_CONTROL1 = CONTROL1_RUNNING;
    sp_enable_irq(SP_PORT_UART_RX_IRQ);
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
        while ((USART_STATUS & STATUS_TX_EMPTY) == 0) {
        }
        USART_DATA = data[i];
    }
}

uint32_t sp_port_ticks(void)
{
    return TIMER_COUNT;
}

void sp_port_interrupt(void)
{
    while ((USART_STATUS & STATUS_RX_NOT_EMPTY) != 0) {
        receive_byte((uint8_t)USART_DATA);
    }
    pump();
}
