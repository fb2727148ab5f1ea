/* SPDX-License-Identifier: Apache-2.0
 *
 * The record of a crash: written before the restart, read after it. It lies above the stack, in RAM
 * that start-up does not clear.
 */
#ifndef SECONDPASS_PORTS_CRASH_H
#define SECONDPASS_PORTS_CRASH_H

#include "secondpass/fault.h"

/* Count a report, keep it and restart. */
__attribute__((noreturn)) void sp_crash(const sp_fault_t *fault);

/* The report of the last crash, or NULL: there is none, or it was cleared. */
const sp_fault_t *sp_crash_report(void);

/* Forget the report. */
void sp_crash_clear(void);

/* Why the device started, an sp_reset_cause_t. To be called once, at the start. */
uint8_t sp_crash_cause(void);

#endif
