/* SPDX-License-Identifier: Apache-2.0
 *
 * Wakes a sleeping main loop so that it can feed the watchdog: the core's own timer interrupts at
 * every turn of its 24 bits. A port that counts ticks with this timer goes on doing so.
 */
#include "cortex_m.h"
#include "secondpass/port.h"

#define SYSTICK_CONTROL SP_REGISTER(0xE000E010u)
#define SYSTICK_RELOAD SP_REGISTER(0xE000E014u)
#define SYSTICK_VALUE SP_REGISTER(0xE000E018u)

#define CONTROL_RUN 7u /* enabled, interrupt, clock of the core */
#define CONTROL_ENABLE 1u

void sp_port_wake_start(void)
{
    if ((SYSTICK_CONTROL & CONTROL_ENABLE) == 0) {
        SYSTICK_RELOAD = 0x00FFFFFFu;
        SYSTICK_VALUE = 0;
    }
    SYSTICK_CONTROL = CONTROL_RUN;
}

void sp_port_wake(void)
{
}
