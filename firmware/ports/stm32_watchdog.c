/* SPDX-License-Identifier: Apache-2.0
 *
 * Independent watchdog of the STM32 families F1 to F4. It gives no warning before it resets the
 * chip; the chip tells afterwards. The emulator has none: written from the reference manuals and
 * not proven.
 */
#include "cortex_m.h"
#include "secondpass/port.h"

#define WATCHDOG_KEY SP_REGISTER(SP_PORT_WATCHDOG + 0x00u)
#define WATCHDOG_PRESCALER SP_REGISTER(SP_PORT_WATCHDOG + 0x04u)
#define WATCHDOG_RELOAD SP_REGISTER(SP_PORT_WATCHDOG + 0x08u)
#define RESET_FLAGS SP_REGISTER(SP_PORT_RESET_FLAGS)

#define KEY_START 0xCCCCu
#define KEY_ACCESS 0x5555u
#define KEY_FEED 0xAAAAu
#define PRESCALER_256 6u
#define FLAGS_CLEAR (1u << 24)
#define FLAGS_WATCHDOG (1u << 29)

void sp_port_watchdog_start(uint32_t milliseconds)
{
    WATCHDOG_KEY = KEY_START; /* starts the oscillator that the two writes below wait for */
    WATCHDOG_KEY = KEY_ACCESS;
    WATCHDOG_PRESCALER = PRESCALER_256;
    /* The build refuses a time that does not fit the 12 bits. */
    WATCHDOG_RELOAD = (uint32_t)((uint64_t)milliseconds * SP_PORT_WATCHDOG_HZ / 256000u);
    WATCHDOG_KEY = KEY_FEED;
}

void sp_port_watchdog_feed(void)
{
    WATCHDOG_KEY = KEY_FEED;
}

int sp_port_watchdog_caused_reset(void)
{
    const int caused = (RESET_FLAGS & FLAGS_WATCHDOG) != 0;

    RESET_FLAGS |= FLAGS_CLEAR;
    return caused;
}
