/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "finish.h"
#include "secondpass/kernels.h"

/* 4096 products of 2^22 need 35 bits. */
uint32_t sp_fc_a16w8(const sp_fc_t *layer, const int16_t *x, const int8_t *weights,
                     const int32_t *bias, int16_t *y)
{
    const uint32_t stride = sp_row_stride8(layer->inputs);
    const uint32_t inputs = layer->inputs;
    uint32_t saturations = 0;

    for (uint32_t row = 0; row < layer->outputs; ++row) {
        const int8_t *weight = weights + row * stride;
        int64_t sum = 0;

        for (uint32_t j = 0; j < inputs; ++j) {
            sum += (int32_t)weight[j] * x[j];
        }
        y[row] = sp_finish(layer, sum + (bias != NULL ? bias[row] : 0), &saturations);
    }
    sp_pad(y, layer->outputs);
    return saturations;
}
