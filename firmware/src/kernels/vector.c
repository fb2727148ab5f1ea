/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums and measures of int16 vectors. An element of a sum takes nine instructions on Armv7-M, three
 * of them the clamp and its count (sp_fit16); shifts and squares fit 32 bits.
 */
#include "secondpass/kernels.h"

uint32_t sp_add_a16(const int16_t *first, const int16_t *second, uint32_t length, int16_t *sum)
{
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < length; ++i) {
        sum[i] = sp_fit16((int32_t)first[i] + second[i], &saturations);
    }
    sp_pad(sum, length);
    return saturations;
}

uint32_t sp_subtract_a16(const int16_t *first, const int16_t *second, uint32_t length,
                         int16_t *difference)
{
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < length; ++i) {
        difference[i] = sp_fit16((int32_t)first[i] - second[i], &saturations);
    }
    sp_pad(difference, length);
    return saturations;
}

uint32_t sp_negate_a16(const int16_t *values, uint32_t length, int16_t *negative)
{
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < length; ++i) {
        negative[i] = sp_fit16(-(int32_t)values[i], &saturations);
    }
    sp_pad(negative, length);
    return saturations;
}

uint32_t sp_rescale_a16(const int16_t *values, uint32_t length, int shift, int16_t *rescaled)
{
    const unsigned up = shift >= 0 ? 0u : (unsigned)-shift;
    const unsigned down = shift >= 0 ? (unsigned)shift : 0u;
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < length; ++i) {
        const int32_t raised = values[i] * ((int32_t)1 << up);

        rescaled[i] = sp_fit16(sp_round_shift32(raised, down), &saturations);
    }
    sp_pad(rescaled, length);
    return saturations;
}

uint32_t sp_mean_square(const int16_t *error, uint32_t length)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < length; ++i) {
        total += (uint32_t)(error[i] * error[i]);
    }
    return (uint32_t)((total + length / 2) / length);
}

uint32_t sp_largest(const int16_t *values, uint32_t length)
{
    uint32_t largest = 0;

    for (uint32_t i = 0; i < length; ++i) {
        const uint32_t magnitude = (uint32_t)(values[i] < 0 ? -(int32_t)values[i] : values[i]);

        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}
