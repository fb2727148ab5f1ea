/* SPDX-License-Identifier: Apache-2.0
 *
 * A small Arduino core for the emulated MPS2 boards, so that the Arduino port runs on a real
 * Cortex-M: main() calls setup() and loop(), Serial has a receive buffer that its interrupt fills
 * and that loses what does not fit, as the STM32 core's does.
 */
#include <Arduino.h>

extern "C" {
#include "cortex_m.h"
#include "secondpass/port.h"
}

#define UART_DATA SP_REGISTER(SP_PORT_UART + 0x00u)
#define UART_STATE SP_REGISTER(SP_PORT_UART + 0x04u)
#define UART_CONTROL SP_REGISTER(SP_PORT_UART + 0x08u)
#define UART_INTERRUPT SP_REGISTER(SP_PORT_UART + 0x0Cu)
#define UART_DIVIDER SP_REGISTER(SP_PORT_UART + 0x10u)
#define TIMER_CONTROL SP_REGISTER(SP_PORT_TIMER + 0x00u)
#define TIMER_VALUE SP_REGISTER(SP_PORT_TIMER + 0x04u)
#define TIMER_RELOAD SP_REGISTER(SP_PORT_TIMER + 0x08u)

static volatile uint8_t ring[SERIAL_RX_BUFFER_SIZE];
static volatile uint32_t head, tail;

HardwareSerial Serial;

extern "C" void sp_port_interrupt(void)
{
    while ((UART_STATE & 2u) != 0) {
        const uint8_t byte = static_cast<uint8_t>(UART_DATA);

        UART_INTERRUPT = 2u;
        if ((head + 1) % SERIAL_RX_BUFFER_SIZE != tail) {
            ring[head] = byte;
            head = (head + 1) % SERIAL_RX_BUFFER_SIZE;
        }
    }
}

void HardwareSerial::begin(unsigned long baud)
{
    UART_DIVIDER = SP_PORT_CLOCK_HZ / static_cast<uint32_t>(baud);
    UART_CONTROL = 1u | 2u | 8u; /* transmit, receive, interrupt when received */
    sp_enable_irq(SP_PORT_UART_RX_IRQ);
    sp_enable_interrupts();
}

int HardwareSerial::available(void)
{
    return static_cast<int>((head + SERIAL_RX_BUFFER_SIZE - tail) % SERIAL_RX_BUFFER_SIZE);
}

int HardwareSerial::read(void)
{
    if (head == tail) {
        return -1;
    }
    const uint8_t byte = ring[tail];
    tail = (tail + 1) % SERIAL_RX_BUFFER_SIZE;
    return byte;
}

void HardwareSerial::flush(void) {}

size_t HardwareSerial::write(uint8_t byte)
{
    while ((UART_STATE & 1u) != 0) {
    }
    UART_DATA = byte;
    return 1;
}

size_t Print::write(const uint8_t *buffer, size_t size)
{
    for (size_t i = 0; i < size; ++i) {
        (void)write(buffer[i]);
    }
    return size;
}

extern "C" unsigned long micros(void)
{
    return (0xFFFFFFFFu - TIMER_VALUE) / (SP_PORT_TICKS_HZ / 1000000u);
}

extern "C" void __cxa_pure_virtual(void)
{
    for (;;) {
    }
}

extern "C" void sp_on_fault(const sp_fault_t *fault)
{
    (void)fault;
}

extern "C" int main(void)
{
    TIMER_RELOAD = 0xFFFFFFFFu;
    TIMER_VALUE = 0xFFFFFFFFu;
    TIMER_CONTROL = 1u;
    setup();
    for (;;) {
        loop();
    }
}
