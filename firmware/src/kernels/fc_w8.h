/* SPDX-License-Identifier: Apache-2.0
 *
 * The products of both kernels with int8 weights. A file that includes it defines
 *
 * SP_FC        the kernel's name
 * SP_SAFE      columns whose products may be summed in 32 bits, a multiple of 16
 *
 * and what fc_w8_rows.h needs.
 */
#ifndef SECONDPASS_KERNELS_FC_W8_H
#define SECONDPASS_KERNELS_FC_W8_H

#include "fc_w8_rows.h"
#include "finish.h"

/* A sum in 32 bits joins that in 64 bits. */
static inline void carry(int64_t sums[4], const int32_t part[TOGETHER])
{
    for (unsigned i = 0; i < 4; ++i) {
        sums[i] += part[i];
    }
}

#if SP_DSP
static SP_NOINLINE void listed(const rows_t *rows, const int8_t *row, const uint16_t *numbers,
                               uint32_t count, int32_t sums[4])
{
    const uint32_t stride = rows->step;
    const uint32_t stride3 = 3 * stride;
    int32_t part[4] = {0, 0, 0, 0};

    for (const uint16_t *const end = numbers + count; numbers != end; ++numbers) {
        const SP_X *x = rows->x + 4u * *numbers;
        const int8_t *weights = row + 4u * *numbers;

        quad(part, &x, &weights, stride, stride3);
    }
    put(sums, part[0], part[1], part[2], part[3]);
}
#elif !SP_MVE
static SP_NOINLINE void listed(const rows_t *rows, const int8_t *row, const uint16_t *numbers,
                               uint32_t count, int32_t sums[4])
{
    int32_t part[4] = {0, 0, 0, 0};

    for (const uint16_t *const end = numbers + count; numbers != end; ++numbers) {
        const SP_X *const x = rows->x + 4u * *numbers;
        const int8_t *weights = row + 4u * *numbers;

        for (unsigned i = 0; i < 4; ++i, weights += rows->step) {
            part[i] += weights[0] * x[0] + weights[1] * x[1] + weights[2] * x[2] +
                          weights[3] * x[3];
        }
    }
    put(sums, part[0], part[1], part[2], part[3]);
}
#endif

static void dense(const rows_t *rows, const int8_t *row, int64_t sums[4])
{
    int32_t part[TOGETHER];

    sums[0] = sums[1] = sums[2] = sums[3] = 0;
    for (uint32_t done = 0; done < rows->inputs; done += SP_SAFE) {
        const uint32_t left = rows->inputs - done;

        some(rows, row, done, left < SP_SAFE ? left : SP_SAFE, part);
        carry(sums, part);
    }
}

static void sparse(const rows_t *rows, const int8_t *row, int64_t sums[4])
{
#if SP_MVE
    dense(rows, row, sums); /* gathering bytes with vectors does not pay */
#else
    const uint32_t whole = rows->inputs & ~3u;
    const uint16_t *quads = rows->groups + 1;
    int32_t part[TOGETHER];

    sums[0] = sums[1] = sums[2] = sums[3] = 0;
    for (uint32_t left = *rows->groups; left != 0;) {
        const uint32_t count = left < SP_SAFE / 4 ? left : SP_SAFE / 4;

        listed(rows, row, quads, count, part);
        carry(sums, part);
        quads += count;
        left -= count;
    }
    if (whole != rows->inputs) {
        columns(rows, row, whole, rows->inputs - whole, part);
        carry(sums, part);
    }
#endif
}

/* y of all rows, in blocks that are requantised at once. The last group of rows begins early enough
 * to be whole, in front of its block if need be; fewer rows than a group has are computed one by
 * one, beside themselves. */
static void short_rows(sp_requantiser_t *q, const rows_t *rows, const int8_t *weights, int16_t *y)
{
    const uint32_t outputs = q->layer->outputs;
    const uint32_t together = outputs < TOGETHER ? 1 : TOGETHER;
    int32_t sums[TOGETHER + SP_BLOCK];

    for (uint32_t base = 0; base < outputs; base += SP_BLOCK) {
        const uint32_t end = base + SP_BLOCK < outputs ? base + SP_BLOCK : outputs;

        for (uint32_t row = base; row < end; row += together) {
            const uint32_t first = row + together <= outputs ? row : outputs - together;

            some(rows, weights + first * rows->stride, 0, rows->inputs,
                 sums + (TOGETHER + first - base));
        }
        sp_finish32(q, sums + TOGETHER, base, end, y);
    }
}

/* The same for lists, and for more columns than 32 bits hold. */
static void long_rows(sp_requantiser_t *q, const rows_t *rows, const int8_t *weights, int16_t *y)
{
    const uint32_t outputs = q->layer->outputs;
    const uint32_t together = outputs < TOGETHER ? 1 : TOGETHER;
    const int few = sp_few(rows->groups);
    int64_t sums[TOGETHER + SP_BLOCK];

    for (uint32_t base = 0; base < outputs; base += SP_BLOCK) {
        const uint32_t end = base + SP_BLOCK < outputs ? base + SP_BLOCK : outputs;

        for (uint32_t row = base; row < end; row += together) {
            const uint32_t first = row + together <= outputs ? row : outputs - together;
            const int8_t *const weight = weights + first * rows->stride;

            if (few) {
                sparse(rows, weight, sums + (TOGETHER + first - base));
            } else {
                dense(rows, weight, sums + (TOGETHER + first - base));
            }
        }
        sp_finish64(q, sums + TOGETHER, base, end, y);
    }
}

uint32_t SP_FC(const sp_fc_t *layer, const SP_X *x, const uint16_t *groups, const int8_t *weights,
               const int32_t *bias, int16_t *y)
{
    const uint32_t stride = sp_row_stride8(layer->inputs);
    rows_t rows = {x, groups, NULL, layer->inputs, stride, layer->outputs < TOGETHER ? 0 : stride};
    sp_requantiser_t q = sp_requantiser(layer, bias);
#ifdef PACKED
    uint32_t packed[PACKED / 2];

    if (layer->inputs <= PACKED) {
        pack(x, layer->inputs, packed);
        rows.packed = packed;
    }
#endif
    if (!sp_few(groups) && layer->inputs <= SP_SAFE) {
        short_rows(&q, &rows, weights, y);
    } else {
        long_rows(&q, &rows, weights, y);
    }
    sp_pad(y, layer->outputs);
    return q.saturations;
}

#endif
