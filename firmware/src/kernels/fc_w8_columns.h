/* SPDX-License-Identifier: Apache-2.0
 *
 * Four rows of int8 weights, in plain C and with the DSP extension: a part of fc_w8_rows.h.
 *
 * With the DSP extension, short vectors are packed once for all rows, on the stack: what a row
 * costs beside its products counts most there.
 */
#ifndef SECONDPASS_KERNELS_FC_W8_COLUMNS_H
#define SECONDPASS_KERNELS_FC_W8_COLUMNS_H

static inline void put(int32_t sums[4], int32_t sum0, int32_t sum1, int32_t sum2, int32_t sum3)
{
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

/* Some columns, one by one. */
static SP_NOINLINE void columns(const rows_t *rows, const int8_t *row, uint32_t first,
                                uint32_t count, int32_t sums[4])
{
    const SP_X *x = rows->x + first;
    const int8_t *row0 = row + first;
    const int8_t *row1 = row0 + rows->step;
    const int8_t *row2 = row1 + rows->step;
    const int8_t *row3 = row2 + rows->step;
    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;

    for (const SP_X *const end = x + count; x != end; ++x) {
        const int32_t value = *x;

        sum0 += *row0++ * value;
        sum1 += *row1++ * value;
        sum2 += *row2++ * value;
        sum3 += *row3++ * value;
    }
    put(sums, sum0, sum1, sum2, sum3);
}

#if SP_DSP

#define PACKED 192u

/* Inputs as sp_four_rows wants them, for whole quads. */
static void pack(const SP_X *x, uint32_t inputs, uint32_t *packed)
{
    for (uint32_t quads = inputs / 4; quads != 0; --quads, packed += 2) {
        SP_NEXT(&x, &packed[0], &packed[1]);
    }
}

static inline void packed_quad(int32_t part[4], const uint32_t **packed, const int8_t **row,
                               uint32_t stride, uint32_t stride3)
{
    uint32_t even, odd;

    sp_next_packed(packed, &even, &odd);
    sp_four_rows(even, odd, row, stride, stride3, part);
}

static SP_NOINLINE void packed_quads(const rows_t *rows, const int8_t *row, int32_t sums[4])
{
    const uint32_t stride = rows->step;
    const uint32_t stride3 = 3 * stride;
    const uint32_t *packed = rows->packed;
    const uint32_t *const fours = packed + rows->inputs / 16 * 8;
    const uint32_t *const end = packed + rows->inputs / 4 * 2;
    int32_t part[4] = {0, 0, 0, 0};

    while (packed != fours) {
        packed_quad(part, &packed, &row, stride, stride3);
        packed_quad(part, &packed, &row, stride, stride3);
        packed_quad(part, &packed, &row, stride, stride3);
        packed_quad(part, &packed, &row, stride, stride3);
    }
    while (packed != end) {
        packed_quad(part, &packed, &row, stride, stride3);
    }
    put(sums, part[0], part[1], part[2], part[3]);
}

static inline void quad(int32_t part[4], const SP_X **x, const int8_t **row, uint32_t stride,
                        uint32_t stride3)
{
    uint32_t even, odd;

    SP_NEXT(x, &even, &odd);
    sp_four_rows(even, odd, row, stride, stride3, part);
}

static SP_NOINLINE void quads(const rows_t *rows, const int8_t *row, uint32_t first,
                              uint32_t count, int32_t sums[4])
{
    const uint32_t stride = rows->step;
    const uint32_t stride3 = 3 * stride;
    const SP_X *x = rows->x + first;
    const SP_X *const sixteens = x + (count & ~15u);
    const SP_X *const end = x + (count & ~3u);
    int32_t part[4] = {0, 0, 0, 0};

    row += first;
    while (x != sixteens) {
        quad(part, &x, &row, stride, stride3);
        quad(part, &x, &row, stride, stride3);
        quad(part, &x, &row, stride, stride3);
        quad(part, &x, &row, stride, stride3);
    }
    while (x != end) {
        quad(part, &x, &row, stride, stride3);
    }
    put(sums, part[0], part[1], part[2], part[3]);
}

static inline void some(const rows_t *rows, const int8_t *row, uint32_t first, uint32_t count,
                        int32_t sums[4])
{
    if (rows->packed != NULL) {
        packed_quads(rows, row, sums);
    } else {
        quads(rows, row, first, count, sums);
    }
    if (count % 4 != 0) {
        int32_t rest[4];

        columns(rows, row, first + (count & ~3u), count % 4, rest);
        for (unsigned i = 0; i < 4; ++i) {
            sums[i] += rest[i];
        }
    }
}

#else

static inline void some(const rows_t *rows, const int8_t *row, uint32_t first, uint32_t count,
                        int32_t sums[4])
{
    columns(rows, row, first, count, sums);
}

#endif

#endif
