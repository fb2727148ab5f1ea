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

#if !SP_MVE

/* Some columns of four rows, one by one. */
static inline sums_t columns(sums_t sums, const SP_X *x, const int8_t *row, uint32_t stride,
                             uint32_t count)
{
    const int8_t *row1 = row + stride;
    const int8_t *row2 = row1 + stride;
    const int8_t *row3 = row2 + stride;

    for (const SP_X *const end = x + count; x != end; ++x) {
        const int32_t value = *x;

        sums.of[0] += *row++ * value;
        sums.of[1] += *row1++ * value;
        sums.of[2] += *row2++ * value;
        sums.of[3] += *row3++ * value;
    }
    return sums;
}

#endif

#if SP_MVE

#include "fc_w8_mve.h"

#elif SP_DSP

static sums_t dense(sums_t sums, const SP_X *x, const int8_t *row, uint32_t stride, uint32_t count)
{
    const SP_X *const sixteens = x + (count & ~15u);
    const SP_X *const end = x + (count & ~3u);
    const uint32_t stride3 = 3 * stride;
    uint32_t even, odd;

    while (x != sixteens) {
        for (unsigned i = 0; i < 4; ++i) {
            SP_NEXT(&x, &even, &odd);
            sp_four_rows(even, odd, &row, stride, stride3, sums.of);
        }
    }
    while (x != end) {
        SP_NEXT(&x, &even, &odd);
        sp_four_rows(even, odd, &row, stride, stride3, sums.of);
    }
    return columns(sums, x, row, stride, count & 3u);
}

/* Some quads of columns. */
static sums_t sparse(sums_t sums, const SP_X *x, const int8_t *row, uint32_t stride,
                     const uint16_t *quads, uint32_t count)
{
    const uint32_t stride3 = 3 * stride;
    uint32_t even, odd;

    for (const uint16_t *const end = quads + count; quads != end; ++quads) {
        const SP_X *four = x + 4u * *quads;
        const int8_t *weights = row + 4u * *quads;

        SP_NEXT(&four, &even, &odd);
        sp_four_rows(even, odd, &weights, stride, stride3, sums.of);
    }
    return sums;
}

#else

static sums_t dense(sums_t sums, const SP_X *x, const int8_t *row, uint32_t stride, uint32_t count)
{
    return columns(sums, x, row, stride, count);
}

static sums_t sparse(sums_t sums, const SP_X *x, const int8_t *row, uint32_t stride,
                     const uint16_t *quads, uint32_t count)
{
    for (const uint16_t *const end = quads + count; quads != end; ++quads) {
        sums = columns(sums, x + 4u * *quads, row + 4u * *quads, stride, 4);
    }
    return sums;
}

#endif

static inline void add(int64_t totals[4], sums_t sums)
{
    for (unsigned i = 0; i < 4; ++i) {
        totals[i] += sums.of[i];
    }
}

/* Add the products of four rows to their totals, so many in 32 bits as is safe. */
static inline void four_rows(int64_t totals[4], const SP_X *x, const uint16_t *groups,
                             const int8_t *row, uint32_t stride, uint32_t inputs)
{
    const sums_t none = {{0, 0, 0, 0}};
    uint32_t done = 0;

#if !SP_MVE
    if (sp_few(groups)) {
        const uint32_t quads = *groups++;
        const uint32_t safe = SP_SAFE / 4u;

        for (; done < quads; done += safe) {
            const uint32_t count = quads - done < safe ? quads - done : safe;

            add(totals, sparse(none, x, row, stride, groups + done, count));
        }
        done = inputs & ~3u;
        add(totals, columns(none, x + done, row + done, stride, inputs - done));
        return;
    }
#else
    (void)groups; /* gathering bytes does not pay */
#endif
    for (; done < inputs; done += SP_SAFE) {
        const uint32_t count = inputs - done < SP_SAFE ? inputs - done : SP_SAFE;

        add(totals, dense(none, x + done, row + done, stride, count));
    }
}

uint32_t SP_FC(const sp_fc_t *layer, const SP_X *x, const uint16_t *groups, const int8_t *weights,
               const int32_t *bias, int16_t *y)
{
    const uint32_t stride = sp_row_stride8(layer->inputs);
    const uint32_t outputs = layer->outputs;
    const uint32_t together = outputs < 4 ? 1 : 4;
    const uint32_t step = outputs < 4 ? 0 : stride;
    sp_requantiser_t requantiser = sp_requantiser(layer, bias);

    for (uint32_t row = 0; row < outputs; row += together) {
        const uint32_t first = row + together <= outputs ? row : outputs - together;
        int64_t totals[4] = {0, 0, 0, 0};

        for (uint32_t i = row - first; i < together; ++i) {
            totals[i] = sp_row_start(&requantiser, first + i);
        }
        four_rows(totals, x, groups, weights + first * stride, step, layer->inputs);
        for (uint32_t i = row - first; i < together; ++i) {
            y[first + i] = sp_finish(&requantiser, totals[i]);
        }
    }
    sp_pad(y, outputs);
    return requantiser.saturations;
}

#endif
