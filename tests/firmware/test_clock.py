# SPDX-License-Identifier: Apache-2.0
"""What the time of a request is counted with.

The choice is the firmware's own C, compiled here. No core with a cycle counter is at hand: what
stands in for its registers is memory, and for the counter a function that behaves as one does.
"""

from types import ModuleType

import pytest

from secondpass import resources
from secondpass.device.hostbuild import build_module

PORTS = resources.folder("firmware") / "ports"
TIMER_HZ, CORE_HZ = 1_000_000, 64_000_000
TRACE_ENABLE, COUNT_ENABLE, LOCK_KEY = 1 << 24, 1, 0xC5ACCE55

DECLARATIONS = """
typedef struct { uint32_t (*ticks)(void); uint32_t hz; uint8_t counts_cycles; } sp_clock_t;
extern uint32_t debug_control, lock, control;
uint32_t timer_ticks(void);
uint32_t counting(void);
sp_clock_t choose(int kind, uint32_t core_hz, uint32_t timer_hz);
"""

FAKES = """
#include <stddef.h>
#include "clock.h"

static uint32_t debug_control, lock, control, reads;

static uint32_t timer_ticks(void) { return 5; }

/* Counts as a core's counter does: only when it is unlocked and both switches are on. */
static uint32_t counting(void)
{
    reads += (debug_control >> 24 & 1u) & (control & 1u) & (lock == 0xC5ACCE55u);
    return reads / 3u; /* slower than it is read */
}

static uint32_t standing(void) { return 7; }

static sp_clock_t choose(int kind, uint32_t core_hz, uint32_t timer_hz)
{
    const sp_clock_t timer = {timer_ticks, timer_hz, 0};
    const sp_cycle_counter_t cycles = {&debug_control, &lock, &control,
                                       kind == 1 ? counting : standing};

    debug_control = 0x10000u;
    lock = 0;
    control = 0x40000000u;
    reads = 0;
    return sp_choose_clock(kind == 0 ? NULL : &cycles, core_hz, timer);
}
"""
NONE, COUNTS, STANDS = range(3)


@pytest.fixture(scope="module")
def module() -> ModuleType:
    return build_module(DECLARATIONS, FAKES, [PORTS / "clock.c"], [PORTS])


def test_a_counter_that_counts_is_used(module: ModuleType) -> None:
    clock = module.lib.choose(COUNTS, CORE_HZ, TIMER_HZ)
    assert (clock.counts_cycles, clock.hz) == (1, CORE_HZ)
    first = clock.ticks()
    assert [clock.ticks() for _ in range(6)][-1] == first + 2


def test_its_registers_keep_what_others_have_set(module: ModuleType) -> None:
    module.lib.choose(COUNTS, CORE_HZ, TIMER_HZ)
    assert module.lib.debug_control == 0x10000 | TRACE_ENABLE
    assert module.lib.control == 0x40000000 | COUNT_ENABLE
    assert module.lib.lock == LOCK_KEY


@pytest.mark.parametrize("kind", [NONE, STANDS], ids=["no counter", "one that stands still"])
def test_otherwise_the_timer_is_used(module: ModuleType, kind: int) -> None:
    clock = module.lib.choose(kind, CORE_HZ, TIMER_HZ)
    assert (clock.counts_cycles, clock.hz) == (0, TIMER_HZ)
    assert clock.ticks() == 5
    touched = module.lib.control & COUNT_ENABLE
    assert touched == (kind == STANDS)
