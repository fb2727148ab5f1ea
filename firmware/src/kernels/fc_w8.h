/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame of both products with int8 weights. A file that includes it defines
 *
 * SP_X         type of an input, int16_t or int8_t
 * SP_NEXT      dsp.h: the next four inputs, packed
 * SP_FC        the kernel's name
 * SP_SAFE      columns whose products may be summed in 32 bits, a multiple of 16
 *
 * and what fc_w8_mve.h needs. Four rows share the inputs' loads. The last group of
 * rows begins early enough to be whole, and writes only what is new; fewer than four rows are
 * computed one by one, each four times beside itself.
 */
#ifndef SECONDPASS_KERNELS_FC_W8_H
#define SECONDPASS_KERNELS_FC_W8_H

#include "dsp.h"
#include "finish.h"

/* The sums of four rows. */
typedef struct {
    int32_t of[4];
} sums_t;

#if SP_MVE

#include "fc_w8_mve.h"

#else

/* Some columns, one by one. */
static SP_NOINLINE void columns(sums_t *sums, const SP_X *x, const int8_t *row, uint32_t stride,
                                uint32_t count)
{
    const int8_t *row1 = row + stride;
    const int8_t *row2 = row1 + stride;
    const int8_t *row3 = row2 + stride;
    sums_t now = *sums;

    for (const SP_X *const end = x + count; x != end; ++x) {
        const int32_t value = *x;

        now.of[0] += *row++ * value;
        now.of[1] += *row1++ * value;
        now.of[2] += *row2++ * value;
        now.of[3] += *row3++ * value;
    }
    *sums = now;
}

#if SP_DSP

static inline void four_columns(sums_t *sums, const SP_X **x, const int8_t **row, uint32_t stride,
                                uint32_t stride3)
{
    uint32_t even, odd;

    SP_NEXT(x, &even, &odd);
    sp_four_rows(even, odd, row, stride, stride3, sums->of);
}

static SP_NOINLINE void dense(sums_t *sums, const SP_X *x, const int8_t *row, uint32_t stride,
                              uint32_t count)
{
    const SP_X *const sixteens = x + (count & ~15u);
    const SP_X *const end = x + (count & ~3u);
    const uint32_t stride3 = 3 * stride;
    sums_t now = *sums;

    while (x != sixteens) {
        four_columns(&now, &x, &row, stride, stride3);
        four_columns(&now, &x, &row, stride, stride3);
        four_columns(&now, &x, &row, stride, stride3);
        four_columns(&now, &x, &row, stride, stride3);
    }
    while (x != end) {
        four_columns(&now, &x, &row, stride, stride3);
    }
    *sums = now;
    if (count % 4 != 0) {
        columns(sums, x, row, stride, count % 4);
    }
}

/* Some quads of columns. */
static SP_NOINLINE void sparse(sums_t *sums, const SP_X *x, const int8_t *row, uint32_t stride,
                               const uint16_t *quads, uint32_t count)
{
    const uint32_t stride3 = 3 * stride;
    sums_t now = *sums;

    for (const uint16_t *const end = quads + count; quads != end; ++quads) {
        const SP_X *four = x + 4u * *quads;
        const int8_t *weights = row + 4u * *quads;

        four_columns(&now, &four, &weights, stride, stride3);
    }
    *sums = now;
}

#else

static void dense(sums_t *sums, const SP_X *x, const int8_t *row, uint32_t stride, uint32_t count)
{
    columns(sums, x, row, stride, count);
}

static SP_NOINLINE void sparse(sums_t *sums, const SP_X *x, const int8_t *row, uint32_t stride,
                               const uint16_t *quads, uint32_t count)
{
    sums_t now = *sums;

    for (const uint16_t *const end = quads + count; quads != end; ++quads) {
        const SP_X *const four = x + 4u * *quads;
        const int8_t *weights = row + 4u * *quads;

        for (unsigned i = 0; i < 4; ++i, weights += stride) {
            now.of[i] += weights[0] * four[0] + weights[1] * four[1] + weights[2] * four[2] +
                         weights[3] * four[3];
        }
    }
    *sums = now;
}

#endif

#endif

/* Sums in 32 bits join those in 64 bits. */
static void carry(int64_t totals[4], sums_t *sums)
{
    for (unsigned i = 0; i < 4; ++i) {
        totals[i] += sums->of[i];
        sums->of[i] = 0;
    }
}

/* All columns. */
static void all(int64_t totals[4], sums_t *sums, const SP_X *x, const int8_t *row,
                uint32_t stride, uint32_t inputs)
{
    for (; inputs > SP_SAFE; inputs -= SP_SAFE, x += SP_SAFE, row += SP_SAFE) {
        dense(sums, x, row, stride, SP_SAFE);
        carry(totals, sums);
    }
    dense(sums, x, row, stride, inputs);
}

/* The listed quads, and what is behind the last whole one. */
static void listed(int64_t totals[4], sums_t *sums, const SP_X *x, const uint16_t *groups,
                   const int8_t *row, uint32_t stride, uint32_t inputs)
{
#if SP_MVE
    (void)groups; /* gathering bytes with vectors does not pay */
    all(totals, sums, x, row, stride, inputs);
#else
    const uint32_t whole = inputs & ~3u;
    uint32_t left = *groups++;

    for (; left > SP_SAFE / 4; left -= SP_SAFE / 4, groups += SP_SAFE / 4) {
        sparse(sums, x, row, stride, groups, SP_SAFE / 4);
        carry(totals, sums);
    }
    sparse(sums, x, row, stride, groups, left);
    if (whole != inputs) {
        columns(sums, x + whole, row + whole, stride, inputs - whole);
    }
#endif
}

uint32_t SP_FC(const sp_fc_t *layer, const SP_X *x, const uint16_t *groups, const int8_t *weights,
               const int32_t *bias, int16_t *y)
{
    const uint32_t stride = sp_row_stride8(layer->inputs);
    const uint32_t outputs = layer->outputs;
    const uint32_t together = outputs < 4 ? 1 : 4;
    const uint32_t step = outputs < 4 ? 0 : stride;
    const int few = sp_few(groups);
    sp_requantiser_t q = sp_requantiser(layer);

    for (uint32_t row = 0; row < outputs; row += together) {
        const uint32_t first = row + together <= outputs ? row : outputs - together;
        const int8_t *const four = weights + first * stride;
        int64_t totals[4] = {q.half, q.half, q.half, q.half};
        sums_t sums = {{0, 0, 0, 0}};

        if (few) {
            listed(totals, &sums, x, groups, four, step, layer->inputs);
        } else {
            all(totals, &sums, x, four, step, layer->inputs);
        }
        for (uint32_t i = row; i < first + together; ++i) {
            const int64_t start = totals[i - first] + (bias != NULL ? bias[i] : 0);

            y[i] = sp_finish(&q, start + sums.of[i - first]);
        }
    }
    sp_pad(y, outputs);
    return q.saturations;
}

#endif
