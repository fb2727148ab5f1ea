/* SPDX-License-Identifier: Apache-2.0
 *
 * y = W x + b, int16 weights and inputs, sums in 64 bits.
 *
 * Two products of int16 can reach 2^31, one more than int32 holds, so nothing is summed in 32 bits
 * alone. All forms work on two rows, which share the inputs' loads; an odd last row is its own
 * partner. Instructions a product, gcc 12.2 -O2:
 *
 * DSP    1.0  SMLALD, two products and a 64-bit sum in one
 * MVE    0.3  VMLALDAVA, eight products
 * plain  3.9  SMLAL takes 4 to 7 cycles on a Cortex-M3, and the Cortex-M0+ has none: two products
 *             less one fit int32 (at most 2^31 - 1, at least -2^31 + 2^16 - 1), so two MLA and one
 *             64-bit addition do it; the ones are added at the end
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

static sums_t dense(sums_t sums, const int16_t *x, const int16_t *upper, const int16_t *lower,
                    uint32_t stride)
{
    for (uint32_t left = stride; left != 0; left -= left < 8 ? left : 8) {
        const mve_pred16_t lanes = vctp16q(left);
        const int16x8_t values = vldrhq_z_s16(x, lanes);

        sums.first = vmlaldavaq_s16(sums.first, vldrhq_z_s16(upper, lanes), values);
        sums.second = vmlaldavaq_s16(sums.second, vldrhq_z_s16(lower, lanes), values);
        x += 8;
        upper += 8;
        lower += 8;
    }
    return sums;
}

static sums_t sparse(sums_t sums, const int16_t *x, const int16_t *upper, const int16_t *lower,
                     const uint16_t *groups)
{
    for (int32_t left = *groups++; left > 0; left -= 4, groups += 4) {
        const mve_pred16_t lanes = vctp32q((uint32_t)left);
        const uint32x4_t pair = vldrhq_z_u32(groups, lanes);
        const int16x8_t values = sp_gather_pairs(x, pair, lanes);

        sums.first = vmlaldavaq_s16(sums.first, sp_gather_pairs(upper, pair, lanes), values);
        sums.second = vmlaldavaq_s16(sums.second, sp_gather_pairs(lower, pair, lanes), values);
    }
    return sums;
}

#elif SP_DSP

static sums_t dense(sums_t sums, const int16_t *x, const int16_t *upper, const int16_t *lower,
                    uint32_t stride)
{
    const int16_t *const blocks = x + (stride & ~7u);
    const int16_t *const end = x + stride;

    while (x != blocks) {
        sp_block_a16w16(&x, &upper, &lower, &sums.first, &sums.second);
    }
    for (; x != end; x += 2, upper += 2, lower += 2) {
        const uint32_t pair = sp_load_word(x);

        sums.first = sp_smlald(sp_load_word(upper), pair, sums.first);
        sums.second = sp_smlald(sp_load_word(lower), pair, sums.second);
    }
    return sums;
}

static sums_t sparse(sums_t sums, const int16_t *x, const int16_t *upper, const int16_t *lower,
                     const uint16_t *groups)
{
    const uint16_t *const end = groups + 1 + *groups;

    for (const uint16_t *group = groups + 1; group != end; ++group) {
        const uint32_t column = 2u * *group;
        const uint32_t pair = sp_load_word(x + column);

        sums.first = sp_smlald(sp_load_word(upper + column), pair, sums.first);
        sums.second = sp_smlald(sp_load_word(lower + column), pair, sums.second);
    }
    return sums;
}

#else

/* Two products less one; `minus_one` is a variable so that the compiler keeps it in a register. */
static inline int32_t two_products(const int16_t *weight, int32_t x0, int32_t x1,
                                   int32_t minus_one)
{
    return weight[1] * x1 + (weight[0] * x0 + minus_one);
}

static sums_t dense(sums_t sums, const int16_t *x, const int16_t *upper, const int16_t *lower,
                    uint32_t stride)
{
    const int32_t minus_one = sp_hidden(-1);
    const int16_t *const end = x + stride;

    for (; x != end; x += 2, upper += 2, lower += 2) {
        sums.first += two_products(upper, x[0], x[1], minus_one);
        sums.second += two_products(lower, x[0], x[1], minus_one);
    }
    sums.first += stride / 2;
    sums.second += stride / 2;
    return sums;
}

static sums_t sparse(sums_t sums, const int16_t *x, const int16_t *upper, const int16_t *lower,
                     const uint16_t *groups)
{
    const int32_t minus_one = sp_hidden(-1);
    const uint16_t *const end = groups + 1 + *groups;

    for (const uint16_t *group = groups + 1; group != end; ++group) {
        const uint32_t column = 2u * *group;
        const int32_t x0 = x[column];
        const int32_t x1 = x[column + 1];

        sums.first += two_products(upper + column, x0, x1, minus_one);
        sums.second += two_products(lower + column, x0, x1, minus_one);
    }
    sums.first += *groups;
    sums.second += *groups;
    return sums;
}

#endif

uint32_t sp_fc_a16w16(const sp_fc_t *layer, const int16_t *x, const uint16_t *groups,
                      const int16_t *weights, const int32_t *bias, int16_t *y)
{
    const uint32_t stride = sp_row_stride(layer->inputs);
    const uint32_t outputs = layer->outputs;
    const int few = sp_few(groups);
    sp_requantiser_t requantiser = sp_requantiser(layer, bias);

    for (uint32_t row = 0; row < outputs; row += 2, weights += 2 * stride) {
        const uint32_t partner = row + 1 < outputs ? row + 1 : row;
        const int16_t *const lower = partner != row ? weights + stride : weights;
        sums_t sums = {sp_row_start(&requantiser, row), sp_row_start(&requantiser, partner)};

        sums = few ? sparse(sums, x, weights, lower, groups)
                   : dense(sums, x, weights, lower, stride);
        y[row] = sp_finish(&requantiser, sums.first);
        if (partner != row) {
            y[partner] = sp_finish(&requantiser, sums.second);
        }
    }
    sp_pad(y, outputs);
    return requantiser.saturations;
}
