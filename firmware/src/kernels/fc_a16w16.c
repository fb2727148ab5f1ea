/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/kernels.h"

#include "dsp.h"

/* Requantise one accumulator and apply the activation. */
static int16_t finish(const sp_fc_t *layer, int64_t accumulator, uint32_t *saturations)
{
    int64_t value = sp_round_shift(accumulator, layer->shift);

    if (layer->relu && value < 0) {
        value = 0;
    }
    return sp_saturate16(value, saturations);
}

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
        int64_t first = bias[row];
        int64_t second = bias[row + 1];

        for (const int16_t *input = x; input != end; input += 2, upper += 2, lower += 2) {
            const uint32_t pair = sp_load2(input);

            first = sp_smlald(sp_load2(upper), pair, first);
            second = sp_smlald(sp_load2(lower), pair, second);
        }
        y[row] = finish(layer, first, &saturations);
        y[row + 1] = finish(layer, second, &saturations);
    }
    if (row < outputs) {
        const int16_t *weight = weights + row * stride;
        int64_t sum = bias[row];

        for (uint32_t j = 0; j < stride; j += 2) {
            sum = sp_smlald(sp_load2(weight + j), sp_load2(x + j), sum);
        }
        y[row] = finish(layer, sum, &saturations);
        y[outputs] = 0;
    }
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
        int64_t sum = bias[row];

        for (uint32_t j = 0; j < inputs; ++j) {
            sum += (int32_t)weight[j] * x[j];
        }
        y[row] = finish(layer, sum, &saturations);
    }
    if (layer->outputs & 1u) {
        y[layer->outputs] = 0;
    }
    return saturations;
}

#endif
