/* SPDX-License-Identifier: Apache-2.0
 *
 * The core's own timer, for chips that have no timer of 32 bits. Its 24 bits are extended whenever
 * it is read, not by its interrupt, whose instructions would be counted with the work: a time
 * between two readings is right below 2^24 ticks, and modulo 2^24 beyond. Not for interrupts.
 */
#include "cortex_m.h"
#include "secondpass/port.h"
#include "timer.h"

#define SYSTICK_CONTROL SP_REGISTER(SP_PORT_TIMER + 0x00u)
#define SYSTICK_RELOAD SP_REGISTER(SP_PORT_TIMER + 0x04u)
#define SYSTICK_VALUE SP_REGISTER(SP_PORT_TIMER + 0x08u)

#define CONTROL_ENABLE (1u << 0)
#define CONTROL_CORE_CLOCK (1u << 2)
#define BITS 0x00FFFFFFu

static uint32_t ticks;

void sp_timer_start(void)
{
    SYSTICK_RELOAD = BITS;
    SYSTICK_VALUE = 0; /* any write clears it: it begins with the reload value */
    SYSTICK_CONTROL = CONTROL_ENABLE | CONTROL_CORE_CLOCK;
}

uint32_t sp_port_ticks(void)
{
    const uint32_t now = ~SYSTICK_VALUE; /* the timer counts down */

    ticks += (now - ticks) & BITS;
    return ticks;
}
