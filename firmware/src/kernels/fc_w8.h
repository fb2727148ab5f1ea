/* SPDX-License-Identifier: Apache-2.0
 *
 * The products of both kernels with int8 weights. A file that includes it defines
 *
 * SP_X         type of an input, int16_t or int8_t
 * SP_NEXT      dsp.h: the next four inputs, packed
 * SP_FC        the kernel's name
 * SP_SAFE      columns whose products may be summed in 32 bits, a multiple of 16
 *
 * and what fc_w8_mve.h needs. Four rows share the inputs' loads.
 */
#ifndef SECONDPASS_KERNELS_FC_W8_H
#define SECONDPASS_KERNELS_FC_W8_H

#include "dsp.h"
#include "finish.h"

#define TOGETHER 4u

/* What the products of one layer share. */
typedef struct {
    const SP_X *x;
    const uint16_t *groups;
    const uint32_t *packed; /* the inputs as `pack` leaves them, or NULL */
    uint32_t inputs;
    uint32_t stride; /* from a row to the next */
    uint32_t step;   /* the same within a group; 0: all are the same row */
} rows_t;

#if SP_MVE
#include "fc_w8_mve.h"
#else
#include "fc_w8_columns.h"
#endif

/* A sum in 32 bits joins that in 64 bits. */
static inline void carry(int64_t sums[4], const int32_t part[TOGETHER])
{
    for (unsigned i = 0; i < 4; ++i) {
        sums[i] += part[i];
    }
}

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
