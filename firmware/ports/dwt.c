/* SPDX-License-Identifier: Apache-2.0
 *
 * The cycle counter of the data watchpoint and trace unit. Armv6-M has none, and keeps its debug
 * registers from the program.
 */
#include <stddef.h>

#include "clock.h"
#include "cortex_m.h"

#if defined(__ARM_ARCH_6M__)

const sp_cycle_counter_t *sp_core_cycle_counter(void)
{
    return NULL;
}

#else

static uint32_t cycle_count(void)
{
    return SP_REGISTER(0xE0001004u);
}

const sp_cycle_counter_t *sp_core_cycle_counter(void)
{
    static const sp_cycle_counter_t counter = {
        &SP_REGISTER(0xE000EDFCu),
        &SP_REGISTER(0xE0001FB0u),
        &SP_REGISTER(0xE0001000u),
        cycle_count,
    };

    return &counter;
}

#endif
