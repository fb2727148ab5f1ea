/* SPDX-License-Identifier: Apache-2.0
 *
 * The trainer application: sleeps until a request arrives, answers it, sleeps again.
 */
#include <stddef.h>

#include "checkpoints.h"
#include "clock.h"
#include "cortex_m.h"
#include "secondpass/port.h"
#include "secondpass/trainer.h"
#include "text.h"

static sp_model_t model;
static sp_trainer_t trainer;
static sp_platform_t platform;

static void on_byte(uint8_t byte)
{
    sp_console_receive(&trainer, byte);
}

void sp_on_fault(uint32_t fault_status)
{
    const sp_answer_t answer = sp_trainer_fault(&trainer, fault_status);
    const uint8_t separator = 0; /* ends a frame that the fault may have cut short */

    sp_port_send_blocking(&separator, 1);
    sp_port_send_blocking(answer.data, answer.length);
}

/* Checks and sleeps with interrupts held back, so that none can slip in between. */
static void sleep_while_idle(void)
{
    sp_disable_interrupts();
    if (!(sp_trainer_pending(&trainer) || sp_console_pending()) || sp_port_sending()) {
        sp_wait_for_interrupt();
    }
    sp_enable_interrupts();
}

int main(void)
{
    const sp_clock_t timer = {sp_port_ticks, SP_PORT_TICKS_HZ, 0};
    const sp_clock_t clock = sp_choose_clock(sp_core_cycle_counter(), SP_PORT_CLOCK_HZ, timer);

    platform.ticks = clock.ticks;
    platform.ticks_hz = clock.hz;
    platform.counts_cycles = clock.counts_cycles;
    platform.stack_used = sp_stack_used;
    platform.stack_size = sp_stack_size();
    platform.board = SP_BOARD_NAME;
    platform.core = SP_BOARD_CORE;
#ifdef SP_PORT_HAS_FLASH
    platform.save = sp_save_checkpoint;
    platform.load = sp_load_checkpoint;
#endif
    sp_trainer_init(&trainer, &model, &platform);
    sp_console_init(&model, &platform, NULL);
    sp_port_init(on_byte);
    sp_console_start();
    for (;;) {
        /* The last answer leaves before its buffer is written again. */
        if (sp_trainer_pending(&trainer) && !sp_port_sending()) {
            const sp_answer_t answer = sp_trainer_answer(&trainer);

            if (answer.length != 0) {
                sp_console_separate();
                sp_port_send(answer.data, answer.length);
            }
        } else if (sp_console_pending() && !sp_port_sending()) {
            sp_console_answer();
        } else {
            sleep_while_idle();
        }
    }
}
