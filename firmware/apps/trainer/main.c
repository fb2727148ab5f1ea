/* SPDX-License-Identifier: Apache-2.0
 *
 * The trainer application: sleeps until a request arrives, answers it, sleeps again.
 */
#include <stddef.h>

#include "checkpoints.h"
#include "clock.h"
#include "cortex_m.h"
#include "crash.h"
#include "secondpass/port.h"
#include "secondpass/trainer.h"
#include "text.h"

#define EXCEPTION_NMI 2u

static sp_model_t model;
static sp_trainer_t trainer;
static sp_platform_t platform;

static void on_byte(uint8_t byte)
{
    sp_console_receive(&trainer, byte);
}

void sp_on_fault(const sp_fault_t *fault)
{
    sp_fault_t report = *fault;

#ifdef SP_WATCHDOG_MS
    if (report.exception == EXCEPTION_NMI) {
        report.cause = SP_RESET_WATCHDOG;
    }
#endif
    sp_crash(&report);
}

/* What runs once is not inlined: its variables would stay on main's stack for good. */
#define SP_ONCE __attribute__((noinline)) static

SP_ONCE void crash_by_stack(void)
{
    const sp_fault_t report = {.cause = SP_RESET_STACK, .flags = SP_FAULT_STACK};

    sp_crash(&report);
}

/* Once the stack has run over its end, nothing below it can be trusted. */
static void check_stack(void)
{
    if (!sp_stack_whole()) {
        crash_by_stack();
    }
}

static void start_watchdog(void)
{
#ifdef SP_WATCHDOG_MS
    if (sp_port_watchdog_caused_reset()) {
        platform.reset_cause = SP_RESET_WATCHDOG;
    }
    sp_port_watchdog_start(SP_WATCHDOG_MS);
    sp_port_wake_start();
#endif
}

static void feed_watchdog(void)
{
#ifdef SP_WATCHDOG_MS
    sp_port_watchdog_feed();
#endif
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

SP_ONCE void describe_platform(void)
{
    const sp_clock_t timer = {sp_port_ticks, SP_PORT_TICKS_HZ, 0};
    const sp_clock_t clock = sp_choose_clock(sp_core_cycle_counter(), SP_PORT_CLOCK_HZ, timer);

    platform.ticks = clock.ticks;
    platform.ticks_hz = clock.hz;
    platform.counts_cycles = clock.counts_cycles;
    platform.stack_used = sp_stack_used;
    platform.stack_size = sp_stack_size();
    platform.stack_whole = sp_stack_whole;
    platform.board = SP_BOARD_NAME;
    platform.core = SP_BOARD_CORE;
    platform.fault = sp_crash_report;
    platform.clear_fault = sp_crash_clear;
    platform.reset_cause = sp_crash_cause();
#ifdef SP_HAS_CHECKPOINTS
    platform.save = sp_save_checkpoint;
    platform.load = sp_load_checkpoint;
#endif
}

static void send(sp_answer_t answer)
{
    if (answer.length != 0) {
        sp_console_separate();
        sp_port_send(answer.data, answer.length);
    }
}

/* A host that waits for an answer hears at once that none will come. */
SP_ONCE void tell_crash(void)
{
    const sp_fault_t *report = sp_crash_report();
    const uint8_t separator = 0; /* ends an answer that the crash cut short */

    if (platform.reset_cause != SP_RESET_OTHER && report != NULL) {
        sp_port_send_blocking(&separator, 1);
        send(sp_trainer_crashed(&trainer, report));
    }
}

int main(void)
{
    describe_platform();
    sp_trainer_init(&trainer, &model, &platform);
    sp_console_init(&trainer, feed_watchdog);
    sp_port_init(on_byte);
    start_watchdog();
    tell_crash();
    sp_console_start();
    for (;;) {
        feed_watchdog();
        /* The last answer leaves before its buffer is written again. */
        if (sp_trainer_pending(&trainer) && !sp_port_sending()) {
            const sp_answer_t answer = sp_trainer_answer(&trainer);

            check_stack();
            send(answer);
        } else if (sp_console_pending() && !sp_port_sending()) {
            sp_console_answer();
            check_stack();
        } else {
            sleep_while_idle();
        }
    }
}
