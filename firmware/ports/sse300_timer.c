/* SPDX-License-Identifier: Apache-2.0
 *
 * System counter of the Arm SSE-300 subsystem: the MPS3 boards with a Cortex-M55, which have no
 * other timer of 32 bits. Its 64 bits never wrap; the lower half is what a port counts with.
 */
#include "cortex_m.h"
#include "secondpass/port.h"
#include "timer.h"

#define COUNTER_CONTROL SP_REGISTER(SP_PORT_TIMER + 0x00u)
#define COUNTER_VALUE_LOW SP_REGISTER(SP_PORT_TIMER + 0x08u)

void sp_timer_start(void)
{
    COUNTER_CONTROL = 1;
}

uint32_t sp_port_ticks(void)
{
    return COUNTER_VALUE_LOW;
}
