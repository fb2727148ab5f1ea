/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/kernels.h"

uint32_t sp_backward_w16(const sp_fc_t *layer, const int16_t *delta, const int16_t *weights,
                         unsigned shift, int16_t *below)
{
    const uint32_t stride = sp_row_stride(layer->inputs);
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < layer->inputs; ++j) {
        int64_t sum = 0;

        for (uint32_t row = 0; row < layer->outputs; ++row) {
            sum += (int32_t)weights[row * stride + j] * delta[row];
        }
        below[j] = sp_saturate16(sp_round_shift(sum, shift), &saturations);
    }
    sp_pad(below, layer->inputs);
    return saturations;
}

uint32_t sp_backward_w8(const sp_fc_t *layer, const int16_t *delta, const int8_t *weights,
                        unsigned shift, int16_t *below)
{
    const uint32_t stride = sp_row_stride8(layer->inputs);
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < layer->inputs; ++j) {
        int64_t sum = 0;

        for (uint32_t row = 0; row < layer->outputs; ++row) {
            sum += (int32_t)weights[row * stride + j] * delta[row];
        }
        below[j] = sp_saturate16(sp_round_shift(sum, shift), &saturations);
    }
    sp_pad(below, layer->inputs);
    return saturations;
}
