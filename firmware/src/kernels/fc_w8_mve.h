/* SPDX-License-Identifier: Apache-2.0
 *
 * Four rows of int8 weights with vectors: a part of fc_w8_rows.h. The kernel's file defines
 *
 * SP_LANES, SP_ON     lanes of a vector of inputs, and a choice of them
 * SP_VALUES           type of that vector
 * SP_INPUTS, _SOME    load of inputs, of all lanes and of some
 * SP_WEIGHTS, _SOME   load of weights, as wide as inputs
 * SP_ADD              products of two vectors, added to a sum
 */
#ifndef SECONDPASS_KERNELS_FC_W8_MVE_H
#define SECONDPASS_KERNELS_FC_W8_MVE_H

#include "mve.h"

/* The columns behind the last whole vector join the sums. */
static SP_NOINLINE void rest(const SP_X *x, const int8_t *row, uint32_t step, uint32_t count,
                             int32_t sums[4])
{
    const mve_pred16_t on = SP_ON(count);
    const SP_VALUES values = SP_INPUTS_SOME(x, on);

    for (unsigned i = 0; i < 4; ++i, row += step) {
        sums[i] = SP_ADD(sums[i], SP_WEIGHTS_SOME(row, on), values);
    }
}

static SP_NOINLINE void vectors(const SP_X *x, const int8_t *row, uint32_t step, uint32_t count,
                                int32_t sums[4])
{
    const int8_t *row1 = row + step;
    const int8_t *row2 = row1 + step;
    const int8_t *row3 = row2 + step;
    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;

    for (; count != 0; --count) {
        const SP_VALUES values = SP_INPUTS(x);

        sum0 = SP_ADD(sum0, SP_WEIGHTS(row), values);
        sum1 = SP_ADD(sum1, SP_WEIGHTS(row1), values);
        sum2 = SP_ADD(sum2, SP_WEIGHTS(row2), values);
        sum3 = SP_ADD(sum3, SP_WEIGHTS(row3), values);
        x += SP_LANES;
        row += SP_LANES;
        row1 += SP_LANES;
        row2 += SP_LANES;
        row3 += SP_LANES;
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

static inline void some(const rows_t *rows, const int8_t *row, uint32_t first, uint32_t count,
                        int32_t sums[4])
{
    const uint32_t whole = count / SP_LANES * SP_LANES;

    vectors(rows->x + first, row + first, rows->step, count / SP_LANES, sums);
    if (whole != count) {
        rest(rows->x + first + whole, row + first + whole, rows->step, count - whole, sums);
    }
}

#endif
