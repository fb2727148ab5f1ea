/* SPDX-License-Identifier: Apache-2.0
 *
 * Four rows of int8 weights with vectors: a part of fc_w8.h. The kernel's file defines
 *
 * SP_LANES, SP_ON     lanes of a vector of inputs, and which of them are left
 * SP_VALUES           type of that vector
 * SP_INPUTS           load of inputs
 * SP_WEIGHTS          load of weights, as wide as inputs
 * SP_ADD              products of two vectors, added to a sum
 */
#ifndef SECONDPASS_KERNELS_FC_W8_MVE_H
#define SECONDPASS_KERNELS_FC_W8_MVE_H

#include "mve.h"

static inline sums_t dense(sums_t sums, const SP_X *x, const int8_t *row, uint32_t stride,
                           uint32_t count)
{
    const int8_t *row1 = row + stride;
    const int8_t *row2 = row1 + stride;
    const int8_t *row3 = row2 + stride;

    for (int32_t left = (int32_t)count; left > 0; left -= SP_LANES) {
        const mve_pred16_t on = SP_ON((uint32_t)left);
        const SP_VALUES values = SP_INPUTS(x, on);

        sums.of[0] = SP_ADD(sums.of[0], SP_WEIGHTS(row, on), values);
        sums.of[1] = SP_ADD(sums.of[1], SP_WEIGHTS(row1, on), values);
        sums.of[2] = SP_ADD(sums.of[2], SP_WEIGHTS(row2, on), values);
        sums.of[3] = SP_ADD(sums.of[3], SP_WEIGHTS(row3, on), values);
        x += SP_LANES;
        row += SP_LANES;
        row1 += SP_LANES;
        row2 += SP_LANES;
        row3 += SP_LANES;
    }
    return sums;
}

#endif
