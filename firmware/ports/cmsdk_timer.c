/* SPDX-License-Identifier: Apache-2.0
 *
 * Arm CMSDK timer: the MPS2 boards.
 */
#include "cortex_m.h"
#include "secondpass/port.h"
#include "timer.h"

#define TIMER_CONTROL SP_REGISTER(SP_PORT_TIMER + 0x00u)
#define TIMER_VALUE SP_REGISTER(SP_PORT_TIMER + 0x04u)
#define TIMER_RELOAD SP_REGISTER(SP_PORT_TIMER + 0x08u)

void sp_timer_start(void)
{
    TIMER_CONTROL = 0;
    TIMER_RELOAD = 0xFFFFFFFFu;
    TIMER_VALUE = 0xFFFFFFFFu;
    TIMER_CONTROL = 1;
}

uint32_t sp_port_ticks(void)
{
    return ~TIMER_VALUE; /* the timer counts down from all ones */
}
