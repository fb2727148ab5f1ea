/* SPDX-License-Identifier: Apache-2.0
 *
 * The port interface on top of an Arduino core: Serial and micros(). The core owns clocks, pins and
 * interrupts, so that bytes are polled from its receive buffer; that buffer must take what arrives
 * while the trainer works (SERIAL_RX_BUFFER_SIZE). No flash for checkpoints, no fault report.
 */
#include "arduino_port.h"

#include <Arduino.h>

static const unsigned long baud = 115200;
static void (*receive_byte)(uint8_t byte);

void sp_port_init(void (*on_byte)(uint8_t byte))
{
    receive_byte = on_byte;
    Serial.begin(baud);
}

void sp_arduino_poll(void)
{
    for (int waiting = Serial.available(); waiting > 0; --waiting) {
        receive_byte(static_cast<uint8_t>(Serial.read()));
    }
}

/* Serial takes all of it, and waits where its buffer is full. */
void sp_port_send(const uint8_t *data, uint32_t length)
{
    (void)Serial.write(data, length);
}

int sp_port_sending(void)
{
    return 0;
}

void sp_port_send_blocking(const uint8_t *data, uint32_t length)
{
    (void)Serial.write(data, length);
    Serial.flush();
}

uint32_t sp_port_ticks(void)
{
    return static_cast<uint32_t>(micros());
}
