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

static SP_NOINLINE void dense(sums_t *sums, const SP_X *x, const int8_t *row, uint32_t stride,
                              uint32_t count)
{
    const mve_pred16_t on = SP_ON(count % SP_LANES);
    const int8_t *row1 = row + stride;
    const int8_t *row2 = row1 + stride;
    const int8_t *row3 = row2 + stride;
    int32_t sum0 = sums->of[0], sum1 = sums->of[1], sum2 = sums->of[2], sum3 = sums->of[3];
    SP_VALUES values;

    for (uint32_t vectors = count / SP_LANES; vectors != 0; --vectors) {
        values = SP_INPUTS(x);
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
    values = SP_INPUTS_SOME(x, on);
    sums->of[0] = SP_ADD(sum0, SP_WEIGHTS_SOME(row, on), values);
    sums->of[1] = SP_ADD(sum1, SP_WEIGHTS_SOME(row1, on), values);
    sums->of[2] = SP_ADD(sum2, SP_WEIGHTS_SOME(row2, on), values);
    sums->of[3] = SP_ADD(sum3, SP_WEIGHTS_SOME(row3, on), values);
}

#endif
