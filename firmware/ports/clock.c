/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <stddef.h>

#define DEBUG_CONTROL_TRACE (1u << 24) /* DEMCR.TRCENA */
#define LOCK_KEY 0xC5ACCE55u
#define CONTROL_COUNT (1u << 0) /* DWT_CTRL.CYCCNTENA */
#define TRIES 8

static int advances(uint32_t (*count)(void))
{
    const uint32_t first = count();

    for (int i = 0; i < TRIES; ++i) {
        if (count() != first) {
            return 1;
        }
    }
    return 0;
}

sp_clock_t sp_choose_clock(const sp_cycle_counter_t *cycles, uint32_t core_hz, sp_clock_t timer)
{
    sp_clock_t core;

    if (cycles == NULL) {
        return timer;
    }
    *cycles->debug_control |= DEBUG_CONTROL_TRACE;
    *cycles->lock = LOCK_KEY; /* the Cortex-M7 needs it, the others ignore it */
    *cycles->control |= CONTROL_COUNT;
    if (!advances(cycles->count)) {
        return timer;
    }
    core.ticks = cycles->count;
    core.hz = core_hz;
    core.counts_cycles = 1;
    return core;
}
