/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums and measures of int16 vectors. An element of a sum takes nine instructions on Armv7-M, three
 * of them the clamp and its count (sp_fit16); shifts and squares fit 32 bits.
 * MVE: 9 for eight elements. A lane is saturated if the wrapped result has another sign: counted
 * without a branch.
 */
#include "secondpass/kernels.h"

#include "mve.h"

#if SP_MVE

static inline int16x8_t add_eight(int16x8_t first, int16x8_t second, int subtract,
                                  uint32_t *saturations)
{
    const int16x8_t fitted =
        subtract ? vqsubq_s16(first, second) : vqaddq_s16(first, second);
    const int16x8_t wrapped = subtract ? vsubq_s16(first, second) : vaddq_s16(first, second);

    const uint16x8_t differ = vreinterpretq_u16_s16(veorq_s16(fitted, wrapped));

    *saturations = vaddvaq_u16(*saturations, vshrq_n_u16(differ, 15));
    return fitted;
}

/* first + second, or first - second. */
static inline uint32_t add_vectors(const int16_t *first, const int16_t *second, uint32_t length,
                                   int subtract, int16_t *sum)
{
    uint32_t saturations = 0;

    for (uint32_t eights = length / 8; eights != 0; --eights) {
        const int16x8_t one = vldrhq_s16(first);
        const int16x8_t other = vldrhq_s16(second);

        vstrhq_s16(sum, add_eight(one, other, subtract, &saturations));
        first += 8;
        second += 8;
        sum += 8;
    }
    if (length % 8 != 0) {
        const mve_pred16_t lanes = vctp16q(length % 8);
        const int16x8_t one = vldrhq_z_s16(first, lanes);
        const int16x8_t other = vldrhq_z_s16(second, lanes);

        vstrhq_p_s16(sum, add_eight(one, other, subtract, &saturations), lanes);
        sp_pad(sum, length % 8);
    }
    return saturations;
}

uint32_t sp_add_a16(const int16_t *first, const int16_t *second, uint32_t length, int16_t *sum)
{
    return add_vectors(first, second, length, 0, sum);
}

uint32_t sp_subtract_a16(const int16_t *first, const int16_t *second, uint32_t length,
                         int16_t *difference)
{
    return add_vectors(first, second, length, 1, difference);
}

#else

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

#endif

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
