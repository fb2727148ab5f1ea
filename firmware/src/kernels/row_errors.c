/* SPDX-License-Identifier: Apache-2.0
 *
 * A layer's row errors, int16 in place of its deltas, and the step of its int32 bias
 * (docs/learning-step.md).
 *
 * Everything but the bias fits 32 bits: a delta times a multiplier is below 2^30 (fixed.h), an
 * error times 2^14 is 2^29 at most. Clamps hardly ever act: one branch finds out.
 * Instructions on Armv7-M: 14 for a row error, 10 for a bias.
 */
#include "secondpass/kernels.h"

uint32_t sp_row_errors(int16_t *delta, uint32_t length, sp_scale_t rate, int16_t clip,
                       uint32_t *active_rows)
{
    const sp_scale_t factor = sp_short_scale(rate);
    const uint32_t width = 2u * (uint32_t)clip;
    uint32_t saturations = 0;
    uint32_t active = 0;

    for (uint32_t i = 0; i < length; ++i) {
        int32_t value = sp_round_shift32(delta[i] * factor.multiplier, factor.shift);

        if (SP_UNLIKELY((uint32_t)(value + clip) > width)) {
            value = value < 0 ? -clip : clip;
            ++saturations;
        }
        delta[i] = (int16_t)value;
        active += value != 0;
    }
    *active_rows += active;
    return saturations;
}

/* bias -= step; |step| < 2^30. */
static int32_t move_bias(int32_t bias, int32_t step, uint32_t *saturations)
{
    int32_t moved;

    if (SP_UNLIKELY(__builtin_sub_overflow(bias, step, &moved))) {
        ++*saturations;
        moved = INT32_MIN ^ (step >> 31); /* the complement of the lowest is the highest */
    }
    return moved;
}

uint32_t sp_update_bias(const int16_t *row_errors, uint32_t length, int exponent, int32_t *bias)
{
    const unsigned up = exponent >= 0 ? (unsigned)exponent : 0u;
    const unsigned down = exponent >= 0 ? 0u : (unsigned)-exponent;
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < length; ++i) {
        const int32_t step = sp_round_shift32(row_errors[i] * ((int32_t)1 << up), down);

        bias[i] = move_bias(bias[i], step, &saturations);
    }
    return saturations;
}
