/* SPDX-License-Identifier: Apache-2.0
 *
 * Arm CMSDK watchdog. The first time-out raises the non-maskable interrupt, which sp_on_fault gets
 * with the place where the program hangs; a second one resets the board.
 */
#include "cortex_m.h"
#include "secondpass/port.h"

#define WATCHDOG_LOAD SP_REGISTER(SP_PORT_WATCHDOG + 0x000u)
#define WATCHDOG_CONTROL SP_REGISTER(SP_PORT_WATCHDOG + 0x008u)
#define WATCHDOG_CLEAR SP_REGISTER(SP_PORT_WATCHDOG + 0x00Cu)
#define WATCHDOG_LOCK SP_REGISTER(SP_PORT_WATCHDOG + 0xC00u)

#define UNLOCK 0x1ACCE551u
#define CONTROL_INTERRUPT_AND_RESET 3u

void sp_port_watchdog_start(uint32_t milliseconds)
{
    WATCHDOG_LOCK = UNLOCK;
    WATCHDOG_LOAD = (uint32_t)((uint64_t)milliseconds * SP_PORT_WATCHDOG_HZ / 1000u);
    WATCHDOG_CONTROL = CONTROL_INTERRUPT_AND_RESET;
    WATCHDOG_LOCK = 0;
}

void sp_port_watchdog_feed(void)
{
    WATCHDOG_LOCK = UNLOCK;
    WATCHDOG_CLEAR = 1;
    WATCHDOG_LOCK = 0;
}

int sp_port_watchdog_caused_reset(void)
{
    return 0; /* its interrupt comes first and leaves a report */
}
