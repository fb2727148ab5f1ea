/* SPDX-License-Identifier: Apache-2.0
 *
 * In place of the library's file of this name: the first byte of a sample chooses how it ends.
 */
#include <stddef.h>

#include "secondpass/kernels.h"

enum { UNDEFINED = 1, BUS, OVERFLOW, RUNAWAY, HANG };

/* In flash: a stack that runs through the RAM would overwrite a variable that is to stop it. Volatile,
 * so that the compiler makes no copy of the function for a known depth. */
static const volatile uint32_t too_deep = 40; /* more than a stack of 2048 bytes, and it returns */
static const volatile uint32_t endless = UINT32_MAX;

void fault_by_instruction(void);
uint32_t fault_by_address(void);
uint32_t fault_by_stack(uint32_t depth, uint32_t wanted);
void fault_by_hanging(void);

__attribute__((noinline)) void fault_by_instruction(void)
{
    __asm__ volatile("udf #0");
}

__attribute__((noinline)) uint32_t fault_by_address(void)
{
    return *(volatile uint32_t *)(uintptr_t)0xF0000000u;
}

/* Some 80 bytes of stack a level. */
__attribute__((noinline)) uint32_t fault_by_stack(uint32_t depth, uint32_t wanted)
{
    volatile uint32_t room[16];

    for (uint32_t i = 0; i < 16; ++i) {
        room[i] = depth + i;
    }
    if (depth < wanted) {
        room[0] = fault_by_stack(depth + 1, wanted);
    }
    return room[0] + room[15];
}

__attribute__((noinline)) void fault_by_hanging(void)
{
    for (;;) {
        __asm__ volatile("");
    }
}

uint32_t sp_quantise_i16(const uint8_t *sample, uint32_t length, int32_t zero_point,
                         sp_scale_t scale, int16_t *x)
{
    (void)zero_point;
    (void)scale;
    for (uint32_t i = 0; i < length; ++i) {
        x[i] = 0;
    }
    switch (sample[0]) {
    case UNDEFINED:
        fault_by_instruction();
        break;
    case BUS:
        return fault_by_address();
    case OVERFLOW:
        return fault_by_stack(0, too_deep);
    case RUNAWAY:
        return fault_by_stack(0, endless);
    case HANG:
        fault_by_hanging();
        break;
    default:
        break;
    }
    return 0;
}
