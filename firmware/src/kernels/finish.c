/* SPDX-License-Identifier: Apache-2.0
 *
 * Bias and requantisation of the rows of a layer: 15 instructions a row for sums of 32 bits, 18 for
 * 64 bits.
 *
 * A sum that fits 32 bits with its bias and a value that needs no clamp, the usual case, are in the
 * loops; everything else is one function away.
 */
#include "finish.h"

#include "mve.h"

/* Any sum of any row. */
static SP_NOINLINE int16_t finish_any(sp_requantiser_t *q, uint32_t row, int64_t sum)
{
    const sp_fc_t *const layer = q->layer;
    const int64_t all = sum + (q->bias != NULL ? q->bias[row] : 0);
    const int64_t value = layer->shift < 0 ? all * ((int64_t)1 << -layer->shift)
                                           : sp_round_shift(all, (unsigned)layer->shift);
    const int16_t lowest = layer->relu ? 0 : INT16_MIN;

    if (value > INT16_MAX) {
        q->saturations += (layer->counted & SP_COUNT_HIGH) != 0;
        return INT16_MAX;
    }
    if (value < lowest) {
        q->saturations += (layer->counted & SP_COUNT_LOW) != 0;
        return lowest;
    }
    return (int16_t)value;
}

/* Is first + second an int32? */
static inline int sum_fits(int32_t first, int32_t second, int32_t *sum)
{
#ifdef __GNUC__
    return !__builtin_add_overflow(first, second, sum);
#else
    const int64_t wide = (int64_t)first + second;

    *sum = (int32_t)wide;
    return wide == *sum;
#endif
}

#if SP_MVE

/* Four rows, if none of them needs a clamp or more than 32 bits. */
static inline int finish_four(const sp_requantiser_t *q, const int32_t *sums, uint32_t row,
                              int16_t *y)
{
    const int32x4_t sum = vldrwq_s32(sums);
    const int32x4_t bias = vldrwq_s32(q->bias + row);
    const int32x4_t biased = vaddq_s32(sum, bias);
    const int32x4_t rounded = vaddq_n_s32(biased, q->half);
    mve_pred16_t odd = vcmpneq_s32(biased, vqaddq_s32(sum, bias));
    int32x4_t value = vshlq_r_s32(rounded, -(int32_t)q->shift);

    odd |= vcmpneq_s32(rounded, vqaddq_n_s32(biased, q->half));
    value = vbicq_s32(value, vandq_s32(vshrq_n_s32(value, 31), vdupq_n_s32(q->rectified)));
    odd |= vcmpneq_s32(value, vmovlbq_s16(vreinterpretq_s16_s32(value)));
    if (odd) {
        return 0;
    }
    vstrhq_s32(y + row, value);
    return 1;
}

#endif

void sp_finish32(sp_requantiser_t *q, const int32_t *sums, uint32_t row, uint32_t end, int16_t *y)
{
    const int32_t *const bias = q->bias;
    const int32_t half = q->half;
    const unsigned shift = q->shift;
    const int32_t rectified = q->rectified;

    if (!q->usual) {
        for (; row < end; ++row) {
            y[row] = finish_any(q, row, *sums++);
        }
        return;
    }
#if SP_MVE
    for (; row + 4 <= end && finish_four(q, sums, row, y); row += 4, sums += 4) {
    }
#endif
    for (; row < end; ++row) {
        const int32_t sum = *sums++;
        int32_t value;

        if (sum_fits(sum, bias[row], &value) && sum_fits(value, half, &value)) {
            value >>= shift;
            value &= ~((value >> 31) & rectified);
            if (value == (int16_t)value) {
                y[row] = (int16_t)value;
                continue;
            }
        }
        y[row] = finish_any(q, row, sum);
    }
}

void sp_finish64(sp_requantiser_t *q, const int64_t *sums, uint32_t row, uint32_t end, int16_t *y)
{
    const int32_t *const bias = q->bias;
    const int32_t half = q->half;
    const unsigned shift = q->shift;
    const int32_t rectified = q->rectified;

    if (!q->usual) {
        for (; row < end; ++row) {
            y[row] = finish_any(q, row, *sums++);
        }
        return;
    }
    for (; row < end; ++row) {
        const int64_t sum = *sums++;
        const int64_t all = sum + bias[row] + half;
        int32_t value = (int32_t)all >> shift;

        value &= ~((value >> 31) & rectified);
        y[row] = (int16_t)value;
        if (all != (int32_t)all || value != (int16_t)value) {
            y[row] = finish_any(q, row, sum);
        }
    }
}
