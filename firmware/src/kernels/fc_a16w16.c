/* SPDX-License-Identifier: Apache-2.0
 *
 * y = W x + b, int16 weights and inputs, sums in 64 bits.
 *
 * Two products of int16 can reach 2^31, one more than int32 holds, so nothing is summed in 32 bits
 * alone. Instructions a product, gcc 12.2 -O2:
 *
 * DSP    1.0  SMLALD, two products and a 64-bit sum in one
 * MVE    0.3  VMLALDAVA, eight products
 * plain  3.8  SMLAL takes 4 to 7 cycles on a Cortex-M3, and the Cortex-M0+ has none: two products
 *             less one fit int32 (at most 2^31 - 1, at least -2^31 + 2^16 - 1), so two MLA and one
 *             64-bit addition do it; the ones are added at the end. On a Cortex-M0+, with eight
 *             registers, rows do not share (10)
 *
 * With a list of the pairs of columns that are not zero, only those are visited (groups.c).
 */
#include "secondpass/kernels.h"

#include "dsp.h"
#include "finish.h"
#include "mve.h"

/* Rows that share the inputs' loads. The last group of rows begins early enough to be whole, in
 * front of its block if need be; fewer rows than a group has are computed one by one, beside
 * themselves. */
#if SP_MVE
#define TOGETHER 4u
#else
#define TOGETHER 2u
#endif

/* What the products of one layer share. */
typedef struct {
    const int16_t *x;
    const uint16_t *groups;
    uint32_t inputs;
    uint32_t step; /* from a row of a group to the next; 0: all are the same row */
} rows_t;

#if SP_MVE

static SP_NOINLINE void dense(const rows_t *rows, const int16_t *row, int64_t sums[4])
{
    const uint32_t stride = rows->step;
    const int16_t *x = rows->x;
    const int16_t *row1 = row + stride;
    const int16_t *row2 = row1 + stride;
    const int16_t *row3 = row2 + stride;
    int64_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    int16x8_t values;

    for (uint32_t eights = rows->inputs / 8; eights != 0; --eights) {
        values = vldrhq_s16(x);
        sum0 = vmlaldavaq_s16(sum0, vldrhq_s16(row), values);
        sum1 = vmlaldavaq_s16(sum1, vldrhq_s16(row1), values);
        sum2 = vmlaldavaq_s16(sum2, vldrhq_s16(row2), values);
        sum3 = vmlaldavaq_s16(sum3, vldrhq_s16(row3), values);
        x += 8;
        row += 8;
        row1 += 8;
        row2 += 8;
        row3 += 8;
    }
    if (rows->inputs % 8 != 0) {
        const mve_pred16_t lanes = vctp16q(rows->inputs % 8);

        values = vldrhq_z_s16(x, lanes);
        sum0 = vmlaldavaq_s16(sum0, vldrhq_z_s16(row, lanes), values);
        sum1 = vmlaldavaq_s16(sum1, vldrhq_z_s16(row1, lanes), values);
        sum2 = vmlaldavaq_s16(sum2, vldrhq_z_s16(row2, lanes), values);
        sum3 = vmlaldavaq_s16(sum3, vldrhq_z_s16(row3, lanes), values);
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

/* Two rows, listed pairs. */
static SP_NOINLINE void gathered(const rows_t *rows, const int16_t *upper, const int16_t *lower,
                                 int64_t sums[2])
{
    const uint16_t *groups = rows->groups + 1;
    const int16_t *const x = rows->x;
    const uint32_t count = *rows->groups;
    int64_t first = 0, second = 0;
    uint32x4_t pair;
    int16x8_t values;

    for (uint32_t fours = count / 4; fours != 0; --fours, groups += 4) {
        pair = vldrhq_u32(groups);
        values = sp_gather_pairs(x, pair);
        first = vmlaldavaq_s16(first, sp_gather_pairs(upper, pair), values);
        second = vmlaldavaq_s16(second, sp_gather_pairs(lower, pair), values);
    }
    if (count % 4 != 0) {
        const mve_pred16_t lanes = vctp32q(count % 4);

        pair = vldrhq_z_u32(groups, lanes);
        values = sp_gather_some_pairs(x, pair, lanes);
        first = vmlaldavaq_s16(first, sp_gather_some_pairs(upper, pair, lanes), values);
        second = vmlaldavaq_s16(second, sp_gather_some_pairs(lower, pair, lanes), values);
    }
    sums[0] = first;
    sums[1] = second;
}

static void sparse(const rows_t *rows, const int16_t *row, int64_t sums[4])
{
    const uint32_t stride = rows->step;

    gathered(rows, row, row + stride, sums);
    gathered(rows, row + 2 * stride, row + 3 * stride, sums + 2);
}

#elif SP_DSP

static SP_NOINLINE void dense(const rows_t *rows, const int16_t *upper, int64_t sums[2])
{
    const int16_t *x = rows->x;
    const int16_t *lower = upper + rows->step;
    const uint32_t padded = sp_row_stride(rows->inputs);
    const int16_t *const long_end = x + (padded & ~31u);
    const int16_t *const eights = x + (padded & ~7u);
    const int16_t *const end = x + padded;
    int64_t first = 0, second = 0;

    while (x != long_end) {
        sp_block_a16w16(&x, &upper, &lower, &first, &second);
        sp_block_a16w16(&x, &upper, &lower, &first, &second);
        sp_block_a16w16(&x, &upper, &lower, &first, &second);
        sp_block_a16w16(&x, &upper, &lower, &first, &second);
    }
    while (x != eights) {
        sp_block_a16w16(&x, &upper, &lower, &first, &second);
    }
    for (; x != end; x += 2, upper += 2, lower += 2) {
        const uint32_t pair = sp_load_word(x);

        first = sp_smlald(sp_load_word(upper), pair, first);
        second = sp_smlald(sp_load_word(lower), pair, second);
    }
    sums[0] = first;
    sums[1] = second;
}

static SP_NOINLINE void sparse(const rows_t *rows, const int16_t *upper, int64_t sums[2])
{
    const int16_t *const x = rows->x;
    const int16_t *const lower = upper + rows->step;
    const uint16_t *const end = rows->groups + 1 + *rows->groups;
    int64_t first = 0, second = 0;

    for (const uint16_t *group = rows->groups + 1; group != end; ++group) {
        const uint32_t column = 2u * *group;
        const uint32_t pair = sp_load_word(x + column);

        first = sp_smlald(sp_load_word(upper + column), pair, first);
        second = sp_smlald(sp_load_word(lower + column), pair, second);
    }
    sums[0] = first;
    sums[1] = second;
}

#else

#if !defined(__ARM_ARCH_7M__)
/* Two products less one; `minus_one` is a variable so that the compiler keeps it in a register. */
static inline int32_t two_products(const int16_t *x, const int16_t *weight, int32_t minus_one)
{
    return weight[1] * x[1] + (weight[0] * x[0] + minus_one);
}
#endif

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

#if defined(SP_NO_LONG_MULTIPLY)

/* The halves of two products less one are summed apart: 2048 of them fit 27 bits each. */
static SP_NOINLINE int64_t one_row(const int16_t *x, const int16_t *weight, uint32_t inputs)
{
    const uint32_t padded = sp_row_stride(inputs);
    uint32_t low = 0;
    int32_t high = 0;

    for (uint32_t j = 0; j != padded; j += 2) {
        const int32_t two = two_products(x + j, weight + j, -1);

        low += (uint16_t)two;
        high += two >> 16;
    }
    return high * (int64_t)0x10000 + low + padded / 2;
}

static void dense(const rows_t *rows, const int16_t *upper, int64_t sums[2])
{
    sums[0] = one_row(rows->x, upper, rows->inputs);
    sums[1] = one_row(rows->x, upper + rows->step, rows->inputs);
}

#else

static SP_NOINLINE void dense(const rows_t *rows, const int16_t *upper, int64_t sums[2])
{
    const int32_t minus_one = sp_hidden(-1);
    const int16_t *x = rows->x;
    const int16_t *lower = upper + rows->step;
    const uint32_t padded = sp_row_stride(rows->inputs);
    const int16_t *const fours = x + (padded & ~3u);
    int64_t first = padded / 2, second = padded / 2;

    while (x != fours) {
        two_columns(&x, &upper, &lower, &first, &second, minus_one);
        two_columns(&x, &upper, &lower, &first, &second, minus_one);
    }
    if (padded % 4 != 0) {
        two_columns(&x, &upper, &lower, &first, &second, minus_one);
    }
    sums[0] = first;
    sums[1] = second;
}

#endif

static SP_NOINLINE void sparse(const rows_t *rows, const int16_t *upper, int64_t sums[2])
{
    const int32_t minus_one = sp_hidden(-1);
    const uint16_t *const end = rows->groups + 1 + *rows->groups;
    int64_t first = *rows->groups, second = *rows->groups;

    for (const uint16_t *group = rows->groups + 1; group != end; ++group) {
        const int16_t *x = rows->x + 2u * *group;
        const int16_t *weight = upper + 2u * *group;
        const int16_t *weight1 = weight + rows->step;

        two_columns(&x, &weight, &weight1, &first, &second, minus_one);
    }
    sums[0] = first;
    sums[1] = second;
}

#endif

uint32_t sp_fc_a16w16(const sp_fc_t *layer, const int16_t *x, const uint16_t *groups,
                      const int16_t *weights, const int32_t *bias, int16_t *y)
{
    const uint32_t stride = sp_row_stride(layer->inputs);
    const uint32_t outputs = layer->outputs;
    const uint32_t together = outputs < TOGETHER ? 1 : TOGETHER;
    const int few = sp_few(groups);
    const rows_t rows = {x, groups, layer->inputs, together == 1 ? 0 : stride};
    sp_requantiser_t q = sp_requantiser(layer, bias);
    int64_t sums[TOGETHER + SP_BLOCK];

    for (uint32_t base = 0; base < outputs; base += SP_BLOCK) {
        const uint32_t end = base + SP_BLOCK < outputs ? base + SP_BLOCK : outputs;

        for (uint32_t row = base; row < end; row += together) {
            const uint32_t first = row + together <= outputs ? row : outputs - together;

            if (few) {
                sparse(&rows, weights + first * stride, sums + (TOGETHER + first - base));
            } else {
                dense(&rows, weights + first * stride, sums + (TOGETHER + first - base));
            }
        }
        sp_finish64(&q, sums + TOGETHER, base, end, y);
    }
    sp_pad(y, outputs);
    return q.saturations;
}
