/* SPDX-License-Identifier: Apache-2.0
 *
 * What the Arduino port has beside secondpass/port.h. Of that interface it leaves out what the
 * Arduino core does (sp_port_interrupt) and what it has no flash for (sp_port_flash).
 */
#ifndef SECONDPASS_PORTS_ARDUINO_PORT_H
#define SECONDPASS_PORTS_ARDUINO_PORT_H

#include <stdint.h>

extern "C" {
#include "secondpass/port.h"
}

/* Rate of sp_port_ticks: micros() counts it. */
#define SP_ARDUINO_TICKS_HZ 1000000u

/* Hand over the bytes that have arrived. */
void sp_arduino_poll(void);

#endif
