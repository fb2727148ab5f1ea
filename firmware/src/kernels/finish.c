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
static inline int finish_four(const sp_requantiser_t *q, int32x4_t sum, const int32_t *biases,
                              int16_t *y)
{
    const int32x4_t bias = vldrwq_s32(biases);
    const int32x4_t biased = vaddq_s32(sum, bias);
    const int32x4_t lowest = vdupq_n_s32(q->rectified ? 0 : INT32_MIN);
    const int32x4_t value =
        vmaxq_s32(vrshlq_n_s32(biased, -(int32_t)q->shift), lowest); /* rounds by itself */
    const int32x4_t wide = veorq_s32(biased, vqaddq_s32(sum, bias));
    const int32x4_t large = veorq_s32(value, vmovlbq_s16(vreinterpretq_s16_s32(value)));

    if (vcmpneq_n_s32(vorrq_s32(wide, large), 0)) {
        return 0;
    }
    vstrhq_s32(y, value);
    return 1;
}

/* Four sums of 64 bits as 32 bits, if they fit. */
static inline int narrow_four(const int64_t *sums, int32x4_t *sum)
{
    const int32x4x2_t halves = vld2q_s32((const int32_t *)(const void *)sums);

    *sum = halves.val[0];
    return vcmpneq_s32(halves.val[1], vshrq_n_s32(halves.val[0], 31)) == 0;
}

#endif

/* Rows from `row` on, up to the first that is not usual; return its number. */
static inline uint32_t usual32(const sp_requantiser_t *q, const int32_t *sums, uint32_t row,
                               uint32_t end, int16_t *y)
{
    const int32_t *bias = q->bias + row;
    const int32_t half = q->half;
    const unsigned shift = q->shift;
    const int32_t rectified = q->rectified;
    int16_t *at = y + row;

#if SP_MVE
    for (; y + end - at >= 4 && finish_four(q, vldrwq_s32(sums), bias, at); at += 4) {
        sums += 4;
        bias += 4;
    }
#endif
    for (; at != y + end; ++at) {
        int32_t value;

        if (!sum_fits(*sums++, *bias++, &value) || !sum_fits(value, half, &value)) {
            break;
        }
        value >>= shift;
        value &= ~((value >> 31) & rectified);
        if (value != (int16_t)value) {
            break;
        }
        *at = (int16_t)value;
    }
    return (uint32_t)(at - y);
}

static inline uint32_t usual64(const sp_requantiser_t *q, const int64_t *sums, uint32_t row,
                               uint32_t end, int16_t *y)
{
    const int32_t *bias = q->bias + row;
    const int32_t half = q->half;
    const unsigned shift = q->shift;
    const int32_t rectified = q->rectified;
    int16_t *at = y + row;

#if SP_MVE
    int32x4_t sum;

    for (; y + end - at >= 4 && narrow_four(sums, &sum) && finish_four(q, sum, bias, at);
         at += 4) {
        sums += 4;
        bias += 4;
    }
#endif
    for (; at != y + end; ++at) {
        const int64_t all = *sums++ + ((int64_t)*bias++ + half);
        int32_t value = (int32_t)all >> shift;

        value &= ~((value >> 31) & rectified);
        if (all != (int32_t)all || value != (int16_t)value) {
            break;
        }
        *at = (int16_t)value;
    }
    return (uint32_t)(at - y);
}

void sp_finish32(sp_requantiser_t *q, const int32_t *sums, uint32_t row, uint32_t end, int16_t *y)
{
    const uint32_t base = row;

    while (row < end) {
        if (q->usual) {
            row = usual32(q, sums + (row - base), row, end, y);
        }
        if (row < end) {
            y[row] = finish_any(q, row, sums[row - base]);
            ++row;
        }
    }
}

void sp_finish64(sp_requantiser_t *q, const int64_t *sums, uint32_t row, uint32_t end, int16_t *y)
{
    const uint32_t base = row;

    while (row < end) {
        if (q->usual) {
            row = usual64(q, sums + (row - base), row, end, y);
        }
        if (row < end) {
            y[row] = finish_any(q, row, sums[row - base]);
            ++row;
        }
    }
}
