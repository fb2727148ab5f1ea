/* SPDX-License-Identifier: Apache-2.0
 *
 * Four rows of int8 weights with vectors: a part of fc_w8.h. The kernel's file defines
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

static SP_NOINLINE void some(const rows_t *rows, const int8_t *row, uint32_t first, uint32_t count,
                             int32_t sums[4])
{
    const SP_X *x = rows->x + first;
    const int8_t *row0 = row + first;
    const int8_t *row1 = row0 + rows->step;
    const int8_t *row2 = row1 + rows->step;
    const int8_t *row3 = row2 + rows->step;
    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    SP_VALUES values;

    for (uint32_t vectors = count / SP_LANES; vectors != 0; --vectors) {
        values = SP_INPUTS(x);
        sum0 = SP_ADD(sum0, SP_WEIGHTS(row0), values);
        sum1 = SP_ADD(sum1, SP_WEIGHTS(row1), values);
        sum2 = SP_ADD(sum2, SP_WEIGHTS(row2), values);
        sum3 = SP_ADD(sum3, SP_WEIGHTS(row3), values);
        x += SP_LANES;
        row0 += SP_LANES;
        row1 += SP_LANES;
        row2 += SP_LANES;
        row3 += SP_LANES;
    }
    if (count % SP_LANES != 0) {
        const mve_pred16_t on = SP_ON(count % SP_LANES);

        values = SP_INPUTS_SOME(x, on);
        sum0 = SP_ADD(sum0, SP_WEIGHTS_SOME(row0, on), values);
        sum1 = SP_ADD(sum1, SP_WEIGHTS_SOME(row1, on), values);
        sum2 = SP_ADD(sum2, SP_WEIGHTS_SOME(row2, on), values);
        sum3 = SP_ADD(sum3, SP_WEIGHTS_SOME(row3, on), values);
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

#endif
