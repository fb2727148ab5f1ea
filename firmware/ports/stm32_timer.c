/* SPDX-License-Identifier: Apache-2.0
 *
 * STM32 timer of 32 bits (TIM2 of an STM32F4).
 */
#include "cortex_m.h"
#include "secondpass/port.h"
#include "timer.h"

#define TIMER_CONTROL1 SP_REGISTER(SP_PORT_TIMER + 0x00u)
#define TIMER_EVENT SP_REGISTER(SP_PORT_TIMER + 0x14u)
#define TIMER_COUNT SP_REGISTER(SP_PORT_TIMER + 0x24u)
#define TIMER_PRESCALER SP_REGISTER(SP_PORT_TIMER + 0x28u)
#define TIMER_RELOAD SP_REGISTER(SP_PORT_TIMER + 0x2Cu)

void sp_timer_start(void)
{
    TIMER_PRESCALER = 0;
    TIMER_RELOAD = 0xFFFFFFFFu;
    TIMER_EVENT = 1; /* load the prescaler and the reload value */
    TIMER_CONTROL1 = 1;
}

uint32_t sp_port_ticks(void)
{
    return TIMER_COUNT;
}
