/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/kernels.h"

/* A product of 2^30 and an offset of 24 bits fit int32. */
static uint32_t update_row(int8_t *weights, const int16_t *presynaptic, uint32_t inputs,
                           int32_t row_error, uint32_t dither)
{
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < inputs; ++j) {
        const int32_t offset = (int32_t)(dither >> 8);
        const int32_t step = (row_error * presynaptic[j] + offset) >> 24;

        weights[j] = sp_saturate8(weights[j] - step, &saturations);
        dither += (j & 1u) * SP_GOLDEN;
    }
    return saturations;
}

uint32_t sp_update_a16w8(const sp_fc_t *layer, const int16_t *row_errors,
                         const int16_t *presynaptic, uint32_t key, int8_t *weights)
{
    const uint32_t stride = sp_row_stride8(layer->inputs);
    uint32_t saturations = 0;

    for (uint32_t row = 0; row < layer->outputs; ++row) {
        if (row_errors[row] != 0) {
            saturations += update_row(weights + row * stride, presynaptic, layer->inputs,
                                      row_errors[row], sp_mix32(key + row));
        }
    }
    return saturations;
}
