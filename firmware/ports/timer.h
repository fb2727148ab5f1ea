/* SPDX-License-Identifier: Apache-2.0
 *
 * The timer behind sp_port_ticks, for ports that share their UART but not their timer.
 */
#ifndef SECONDPASS_PORTS_TIMER_H
#define SECONDPASS_PORTS_TIMER_H

/* Let the counter of sp_port_ticks run. */
void sp_timer_start(void);

#endif
