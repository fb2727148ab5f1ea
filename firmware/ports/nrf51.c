/* SPDX-License-Identifier: Apache-2.0
 *
 * nRF51 UART0 and TIMER0. Pins are left as the boot code or the emulator set them.
 *
 * The chip tells by events: an event stays set, and interrupts, until it is cleared. The
 * transmitter's event says that the byte handed over last has left, so that whether another one is
 * taken must be kept here; before the first byte no event comes.
 */
#include "cortex_m.h"
#include "secondpass/port.h"
#include "sender.h"

#define UART_START_RX SP_REGISTER(SP_PORT_UART + 0x000u)
#define UART_START_TX SP_REGISTER(SP_PORT_UART + 0x008u)
#define UART_RX_READY SP_REGISTER(SP_PORT_UART + 0x108u)
#define UART_TX_READY SP_REGISTER(SP_PORT_UART + 0x11Cu)
#define UART_INTERRUPT_ON SP_REGISTER(SP_PORT_UART + 0x304u)
#define UART_INTERRUPT_OFF SP_REGISTER(SP_PORT_UART + 0x308u)
#define UART_ENABLE SP_REGISTER(SP_PORT_UART + 0x500u)
#define UART_RX_DATA SP_REGISTER(SP_PORT_UART + 0x518u)
#define UART_TX_DATA SP_REGISTER(SP_PORT_UART + 0x51Cu)
#define UART_BAUD SP_REGISTER(SP_PORT_UART + 0x524u)

#define INTERRUPT_RX_READY (1u << 2)
#define INTERRUPT_TX_READY (1u << 7)
#define ENABLED 4u
#define BAUD_115200 0x01D7E000u

#define TIMER_START SP_REGISTER(SP_PORT_TIMER + 0x000u)
#define TIMER_CLEAR SP_REGISTER(SP_PORT_TIMER + 0x00Cu)
#define TIMER_CAPTURE SP_REGISTER(SP_PORT_TIMER + 0x040u)
#define TIMER_MODE SP_REGISTER(SP_PORT_TIMER + 0x504u)
#define TIMER_WIDTH SP_REGISTER(SP_PORT_TIMER + 0x508u)
#define TIMER_PRESCALER SP_REGISTER(SP_PORT_TIMER + 0x510u)
#define TIMER_CAPTURED SP_REGISTER(SP_PORT_TIMER + 0x540u)

#define MODE_TIMER 0u
#define WIDTH_32 3u

static void (*receive_byte)(uint8_t byte);
static volatile int transmitter_free = 1;

int sp_uart_can_send(void)
{
    if (UART_TX_READY != 0) {
        UART_TX_READY = 0;
        transmitter_free = 1;
    }
    return transmitter_free;
}

void sp_uart_send(uint8_t byte)
{
    transmitter_free = 0;
    UART_TX_DATA = byte;
}

void sp_uart_wake_when_ready(int wanted)
{
    if (wanted) {
        UART_INTERRUPT_ON = INTERRUPT_TX_READY;
    } else {
        UART_INTERRUPT_OFF = INTERRUPT_TX_READY;
    }
}

static void start_timer(void)
{
    TIMER_MODE = MODE_TIMER;
    TIMER_WIDTH = WIDTH_32;
    TIMER_PRESCALER = 0;
    TIMER_CLEAR = 1;
    TIMER_START = 1;
}

void sp_port_init(void (*on_byte)(uint8_t byte))
{
    receive_byte = on_byte;
    start_timer();
    UART_BAUD = BAUD_115200;
    UART_ENABLE = ENABLED;
    UART_RX_READY = 0;
    UART_TX_READY = 0;
    UART_INTERRUPT_ON = INTERRUPT_RX_READY;
    UART_START_RX = 1;
    UART_START_TX = 1;
    sp_enable_irq(SP_PORT_UART_RX_IRQ);
    sp_enable_interrupts();
}

uint32_t sp_port_ticks(void)
{
    TIMER_CAPTURE = 1;
    return TIMER_CAPTURED;
}

void sp_port_interrupt(void)
{
    while (UART_RX_READY != 0) {
        UART_RX_READY = 0; /* before the byte is read: the next one sets it again */
        receive_byte((uint8_t)UART_RX_DATA);
    }
    sp_sender_pump();
}
