/* SPDX-License-Identifier: Apache-2.0
 *
 * y = W x + b, int16 weights and inputs, sums in 64 bits.
 *
 * Two products of int16 can reach 2^31, one more than int32 holds, so nothing is summed in 32 bits
 * alone. Two rows share the inputs' loads; an odd last row is its own partner. Instructions a
 * product, gcc 12.2 -O2:
 *
 * DSP    1.0  SMLALD, two products and a 64-bit sum in one
 * MVE    0.4  VMLALDAVA, eight products
 * plain  4.1  SMLAL takes 4 to 7 cycles on a Cortex-M3, and the Cortex-M0+ has none: two products
 *             less one fit int32 (at most 2^31 - 1, at least -2^31 + 2^16 - 1), so two MLA and one
 *             64-bit addition do it; the ones are added at the end. On a Cortex-M0+, with eight
 *             registers, rows do not share (9)
 *
 * With a list of the pairs of columns that are not zero, only those are visited (groups.c).
 */
#include "secondpass/kernels.h"

#include "dsp.h"
#include "finish.h"
#include "mve.h"

typedef struct {
    int64_t first;
    int64_t second;
} sums_t;

#if SP_MVE

static SP_NOINLINE void dense(sums_t *sums, const int16_t *x, const int16_t *upper,
                              const int16_t *lower, uint32_t stride)
{
    const mve_pred16_t lanes = vctp16q(stride & 7u);
    int64_t first = sums->first;
    int64_t second = sums->second;

    for (uint32_t eights = stride / 8; eights != 0; --eights) {
        const int16x8_t values = vldrhq_s16(x);

        first = vmlaldavaq_s16(first, vldrhq_s16(upper), values);
        second = vmlaldavaq_s16(second, vldrhq_s16(lower), values);
        x += 8;
        upper += 8;
        lower += 8;
    }
    sums->first = vmlaldavaq_s16(first, vldrhq_z_s16(upper, lanes), vldrhq_z_s16(x, lanes));
    sums->second = vmlaldavaq_s16(second, vldrhq_z_s16(lower, lanes), vldrhq_z_s16(x, lanes));
}

static SP_NOINLINE void sparse(sums_t *sums, const int16_t *x, const int16_t *upper,
                               const int16_t *lower, const uint16_t *groups)
{
    const uint32_t count = *groups++;
    const mve_pred16_t lanes = vctp32q(count & 3u);
    int64_t first = sums->first;
    int64_t second = sums->second;
    uint32x4_t pair;
    int16x8_t values;

    for (uint32_t fours = count / 4; fours != 0; --fours, groups += 4) {
        pair = vldrhq_u32(groups);
        values = sp_gather_pairs(x, pair);
        first = vmlaldavaq_s16(first, sp_gather_pairs(upper, pair), values);
        second = vmlaldavaq_s16(second, sp_gather_pairs(lower, pair), values);
    }
    pair = vldrhq_z_u32(groups, lanes);
    values = sp_gather_some_pairs(x, pair, lanes);
    sums->first = vmlaldavaq_s16(first, sp_gather_some_pairs(upper, pair, lanes), values);
    sums->second = vmlaldavaq_s16(second, sp_gather_some_pairs(lower, pair, lanes), values);
}

#elif SP_DSP

static SP_NOINLINE void dense(sums_t *sums, const int16_t *x, const int16_t *upper,
                              const int16_t *lower, uint32_t stride)
{
    const int16_t *const eights = x + (stride & ~7u);
    const int16_t *const end = x + stride;
    int64_t first = sums->first;
    int64_t second = sums->second;

    while (x != eights) {
        sp_block_a16w16(&x, &upper, &lower, &first, &second);
    }
    for (; x != end; x += 2, upper += 2, lower += 2) {
        const uint32_t pair = sp_load_word(x);

        first = sp_smlald(sp_load_word(upper), pair, first);
        second = sp_smlald(sp_load_word(lower), pair, second);
    }
    sums->first = first;
    sums->second = second;
}

static inline void add_pair(sums_t *sums, uint32_t pair, const int16_t *x, const int16_t *upper,
                            const int16_t *lower)
{
    const uint32_t values = sp_load_word(x + 2 * pair);

    sums->first = sp_smlald(sp_load_word(upper + 2 * pair), values, sums->first);
    sums->second = sp_smlald(sp_load_word(lower + 2 * pair), values, sums->second);
}

#else

/* Two products less one; `minus_one` is a variable so that the compiler keeps it in a register. */
static inline int32_t two_products(const int16_t *x, const int16_t *weight, int32_t minus_one)
{
    return weight[1] * x[1] + (weight[0] * x[0] + minus_one);
}

/* Two columns of two rows, less one: 14 instructions for 4 products. */
static inline void two_columns(const int16_t **x, const int16_t **upper, const int16_t **lower,
                               int64_t *first, int64_t *second, int32_t minus_one)
{
#if defined(__ARM_ARCH_7M__)
    int32_t x0, x1, u, l;

    /* gcc spills here, and moves the pointers on their own. */
    __asm__("ldrsh %5, [%2], #2\n\t"
            "ldrsh %7, [%3], #2\n\t"
            "ldrsh %8, [%4], #2\n\t"
            "mla %7, %7, %5, %9\n\t"
            "mla %8, %8, %5, %9\n\t"
            "ldrsh %6, [%2], #2\n\t"
            "ldrsh %5, [%3], #2\n\t"
            "mla %7, %5, %6, %7\n\t"
            "ldrsh %5, [%4], #2\n\t"
            "mla %8, %5, %6, %8\n\t"
            "adds %Q0, %Q0, %7\n\t"
            "adc %R0, %R0, %7, asr #31\n\t"
            "adds %Q1, %Q1, %8\n\t"
            "adc %R1, %R1, %8, asr #31"
            : "+&r"(*first), "+&r"(*second), "+&r"(*x), "+&r"(*upper), "+&r"(*lower), "=&r"(x0),
              "=&r"(x1), "=&r"(u), "=&r"(l)
            : "r"(minus_one)
            : "cc", "memory");
#else
    *first += two_products(*x, *upper, minus_one);
    *second += two_products(*x, *lower, minus_one);
    *x += 2;
    *upper += 2;
    *lower += 2;
#endif
}

#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1

/* The halves of two products less one are summed apart: 2048 of them fit 27 bits each. */
static SP_NOINLINE int64_t one_row(const int16_t *x, const int16_t *weight, uint32_t stride)
{
    uint32_t low = 0;
    int32_t high = 0;

    for (uint32_t j = 0; j != stride; j += 2) {
        const int32_t two = two_products(x + j, weight + j, -1);

        low += (uint16_t)two;
        high += two >> 16;
    }
    return high * (int64_t)0x10000 + low + stride / 2;
}

static void dense(sums_t *sums, const int16_t *x, const int16_t *upper, const int16_t *lower,
                  uint32_t stride)
{
    sums->first += one_row(x, upper, stride);
    sums->second += one_row(x, lower, stride);
}

#else

static SP_NOINLINE void dense(sums_t *sums, const int16_t *x, const int16_t *upper,
                              const int16_t *lower, uint32_t stride)
{
    const int32_t minus_one = sp_hidden(-1);
    const int16_t *const fours = x + (stride & ~3u);
    int64_t first = sums->first + stride / 2;
    int64_t second = sums->second + stride / 2;

    while (x != fours) {
        two_columns(&x, &upper, &lower, &first, &second, minus_one);
        two_columns(&x, &upper, &lower, &first, &second, minus_one);
    }
    if (stride % 4 != 0) {
        two_columns(&x, &upper, &lower, &first, &second, minus_one);
    }
    sums->first = first;
    sums->second = second;
}

#endif

static inline void add_pair(sums_t *sums, uint32_t pair, const int16_t *x, const int16_t *upper,
                            const int16_t *lower)
{
    const int32_t minus_one = sp_hidden(-1);

    sums->first += two_products(x + 2 * pair, upper + 2 * pair, minus_one) + (int64_t)1;
    sums->second += two_products(x + 2 * pair, lower + 2 * pair, minus_one) + (int64_t)1;
}

#endif

#if !SP_MVE

static SP_NOINLINE void sparse(sums_t *sums, const int16_t *x, const int16_t *upper,
                               const int16_t *lower, const uint16_t *groups)
{
    const uint16_t *const end = groups + 1 + *groups;
    sums_t now = *sums;

    for (const uint16_t *group = groups + 1; group != end; ++group) {
        add_pair(&now, *group, x, upper, lower);
    }
    *sums = now;
}

#endif

uint32_t sp_fc_a16w16(const sp_fc_t *layer, const int16_t *x, const uint16_t *groups,
                      const int16_t *weights, const int32_t *bias, int16_t *y)
{
    const uint32_t stride = sp_row_stride(layer->inputs);
    const uint32_t outputs = layer->outputs;
    const int few = sp_few(groups);
    sp_requantiser_t q = sp_requantiser(layer);

    for (uint32_t row = 0; row < outputs; row += 2, weights += 2 * stride) {
        const uint32_t partner = row + 1 < outputs ? row + 1 : row;
        const int16_t *const lower = partner != row ? weights + stride : weights;
        sums_t sums = {q.half, q.half};

        if (bias != NULL) {
            sums.first += bias[row];
            sums.second += bias[partner];
        }
        if (few) {
            sparse(&sums, x, weights, lower, groups);
        } else {
            dense(&sums, x, weights, lower, stride);
        }
        y[row] = sp_finish(&q, sums.first);
        if (partner != row) {
            y[partner] = sp_finish(&q, sums.second);
        }
    }
    sp_pad(y, outputs);
    return q.saturations;
}
