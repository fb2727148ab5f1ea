/* SPDX-License-Identifier: Apache-2.0
 *
 * The trainer application as an Arduino sketch: polls, answers a request or a command, polls again.
 */
#include "arduino_port.h"

extern "C" {
#include "../trainer/text.h"
#include "clock.h"
}

#include <Arduino.h> /* last: it defines macros with short names */

/* The core may run at another rate than the board's description says; its own header knows. */
#ifndef F_CPU
#define F_CPU SP_PORT_CLOCK_HZ
#endif

#ifdef SERIAL_RX_BUFFER_SIZE
static_assert(SERIAL_RX_BUFFER_SIZE > SP_LINK_ENCODED(SP_REQUEST_FRAME),
              "a whole request arrives while the one before it is worked on");
#endif

static sp_model_t model;
static sp_trainer_t trainer;
static sp_platform_t platform;

static void on_byte(uint8_t byte)
{
    sp_console_receive(&trainer, byte);
}

void setup(void)
{
    const sp_clock_t timer = {sp_port_ticks, SP_ARDUINO_TICKS_HZ, 0};
    const sp_clock_t clock =
        sp_choose_clock(sp_core_cycle_counter(), static_cast<uint32_t>(F_CPU), timer);

    platform.ticks = clock.ticks;
    platform.ticks_hz = clock.hz;
    platform.counts_cycles = clock.counts_cycles;
    platform.board = SP_BOARD_NAME;
    platform.core = SP_BOARD_CORE;
    sp_trainer_init(&trainer, &model, &platform);
    sp_console_init(&trainer, sp_arduino_poll);
    sp_port_init(on_byte);
    sp_console_start();
}

void loop(void)
{
    sp_arduino_poll();
    if (sp_trainer_pending(&trainer)) {
        const sp_answer_t answer = sp_trainer_answer(&trainer);

        if (answer.length != 0) {
            sp_console_separate();
            sp_port_send(answer.data, answer.length);
        }
    } else if (sp_console_pending()) {
        sp_console_answer();
    }
}
