/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "secondpass/kernels.h"

#include "dsp.h"
#include "finish.h"

#if SP_DSP

uint32_t sp_fc_a16w16(const sp_fc_t *layer, const int16_t *x, const int16_t *weights,
                      const int32_t *bias, int16_t *y)
{
    const uint32_t stride = sp_row_stride(layer->inputs);
    const uint32_t outputs = layer->outputs;
    uint32_t saturations = 0;
    uint32_t row = 0;

    /* Two rows share each loaded pair of activations. */
    for (; row + 1 < outputs; row += 2) {
        const int16_t *upper = weights + row * stride;
        const int16_t *lower = upper + stride;
        const int16_t *const end = x + stride;
        int64_t first = bias != NULL ? bias[row] : 0;
        int64_t second = bias != NULL ? bias[row + 1] : 0;

        for (const int16_t *input = x; input != end; input += 2, upper += 2, lower += 2) {
            const uint32_t pair = sp_load2(input);

            first = sp_smlald(sp_load2(upper), pair, first);
            second = sp_smlald(sp_load2(lower), pair, second);
        }
        y[row] = sp_finish(layer, first, &saturations);
        y[row + 1] = sp_finish(layer, second, &saturations);
    }
    if (row < outputs) {
        const int16_t *weight = weights + row * stride;
        int64_t sum = bias != NULL ? bias[row] : 0;

        for (uint32_t j = 0; j < stride; j += 2) {
            sum = sp_smlald(sp_load2(weight + j), sp_load2(x + j), sum);
        }
        y[row] = sp_finish(layer, sum, &saturations);
    }
    sp_pad(y, outputs);
    return saturations;
}

#else

uint32_t sp_fc_a16w16(const sp_fc_t *layer, const int16_t *x, const int16_t *weights,
                      const int32_t *bias, int16_t *y)
{
    const uint32_t stride = sp_row_stride(layer->inputs);
    const uint32_t inputs = layer->inputs;
    uint32_t saturations = 0;

    for (uint32_t row = 0; row < layer->outputs; ++row) {
        const int16_t *weight = weights + row * stride;
        int64_t sum = bias != NULL ? bias[row] : 0;

        for (uint32_t j = 0; j < inputs; ++j) {
            sum += (int32_t)weight[j] * x[j];
        }
        y[row] = sp_finish(layer, sum, &saturations);
    }
    sp_pad(y, layer->outputs);
    return saturations;
}

#endif
