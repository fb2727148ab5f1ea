/* SPDX-License-Identifier: Apache-2.0 */
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
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < length; ++i) {
        const int64_t value = shift >= 0 ? sp_round_shift(values[i], (unsigned)shift)
                                         : values[i] * ((int64_t)1 << -shift);

        rescaled[i] = sp_saturate16(value, &saturations);
    }
    sp_pad(rescaled, length);
    return saturations;
}

uint32_t sp_mean_square(const int16_t *error, uint32_t length)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < length; ++i) {
        total += (uint64_t)((int64_t)error[i] * error[i]);
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
