/* SPDX-License-Identifier: Apache-2.0
 *
 * What the time of a request is counted with: cycles of the core where it counts them, otherwise
 * the port's timer. A core may lack the counter, or have one that a debugger, a security setting
 * or an emulator holds still, so that only trying tells.
 */
#ifndef SECONDPASS_PORTS_CLOCK_H
#define SECONDPASS_PORTS_CLOCK_H

#include <stdint.h>

/* A free-running 32-bit counter. */
typedef struct {
    uint32_t (*ticks)(void);
    uint32_t hz;
    uint8_t counts_cycles; /* 1: cycles of the core; 0: ticks of a timer */
} sp_clock_t;

/* The registers of a core's cycle counter, and how it is read. */
typedef struct {
    volatile uint32_t *debug_control; /* DEMCR */
    volatile uint32_t *lock;          /* DWT_LAR */
    volatile uint32_t *control;       /* DWT_CTRL */
    uint32_t (*count)(void);          /* DWT_CYCCNT */
} sp_cycle_counter_t;

/* Switch the cycle counter on and return a clock of `core_hz` that reads it, or `timer` when it
 * stands still or there is none (NULL). */
sp_clock_t sp_choose_clock(const sp_cycle_counter_t *cycles, uint32_t core_hz, sp_clock_t timer);

/* This core's cycle counter, or NULL. */
const sp_cycle_counter_t *sp_core_cycle_counter(void);

#endif
