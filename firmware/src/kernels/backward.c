/* SPDX-License-Identifier: Apache-2.0
 *
 * What back-propagation hands down: weights^T delta, int16, for int16 and int8 weights.
 *
 * Two columns at a time share the load of a delta; the sums are exact, 64 bits. A row's padding is
 * zero, and so is what the column behind an odd number of columns gets: the vector's padding.
 */
#include "secondpass/kernels.h"

uint32_t sp_backward_w16(const sp_fc_t *layer, const int16_t *delta, const int16_t *weights,
                         unsigned shift, int16_t *below)
{
    const uint32_t stride = sp_row_stride(layer->inputs);
    const uint32_t outputs = layer->outputs;
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < stride; j += 2) {
        const int16_t *column = weights + j;
        int64_t first = 0;
        int64_t second = 0;

        for (uint32_t row = 0; row < outputs; ++row, column += stride) {
            first += column[0] * delta[row];
            second += column[1] * delta[row];
        }
        below[j] = sp_saturate16(sp_round_shift(first, shift), &saturations);
        below[j + 1] = sp_saturate16(sp_round_shift(second, shift), &saturations);
    }
    return saturations;
}

uint32_t sp_backward_w8(const sp_fc_t *layer, const int16_t *delta, const int8_t *weights,
                        unsigned shift, int16_t *below)
{
    const uint32_t stride = sp_row_stride8(layer->inputs);
    const uint32_t outputs = layer->outputs;
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < layer->inputs; j += 2) {
        const int8_t *column = weights + j;
        int64_t first = 0;
        int64_t second = 0;

        for (uint32_t row = 0; row < outputs; ++row, column += stride) {
            first += column[0] * delta[row];
            second += column[1] * delta[row];
        }
        below[j] = sp_saturate16(sp_round_shift(first, shift), &saturations);
        below[j + 1] = sp_saturate16(sp_round_shift(second, shift), &saturations);
    }
    return saturations;
}
