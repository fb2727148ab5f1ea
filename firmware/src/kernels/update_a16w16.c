/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/kernels.h"

#include "dsp.h"

#if SP_DSP

/* Two weights a turn: two multiply-accumulates, one pack, one saturating subtraction. */
static uint32_t update_row(int16_t *weights, const int16_t *presynaptic, uint32_t inputs,
                           int32_t row_error, uint32_t dither)
{
    int16_t *const end = weights + sp_row_stride(inputs);
    uint32_t saturations = 0;

    for (; weights != end; weights += 2, presynaptic += 2, dither += SP_GOLDEN) {
        const uint32_t pair = sp_load2(presynaptic);
        const uint32_t old = sp_load2(weights);
        const int32_t offset = (int32_t)(dither >> 16);
        const uint32_t step = sp_pack_upper(sp_smlabt(row_error, pair, offset),
                                            sp_smlabb(row_error, pair, offset));
        const uint32_t saturated = sp_qsub16(old, step);
        const uint32_t difference = saturated ^ sp_ssub16(old, step);

        sp_store2(weights, saturated);
        if (difference != 0) {
            saturations += (difference & 0xFFFFu) != 0;
            saturations += (difference >> 16) != 0;
        }
    }
    return saturations;
}

#else

static uint32_t update_row(int16_t *weights, const int16_t *presynaptic, uint32_t inputs,
                           int32_t row_error, uint32_t dither)
{
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < inputs; ++j) {
        const int32_t offset = (int32_t)(dither >> 16);
        const int32_t step = (row_error * presynaptic[j] + offset) >> 16;

        weights[j] = sp_saturate16((int32_t)weights[j] - step, &saturations);
        dither += (j & 1u) * SP_GOLDEN;
    }
    return saturations;
}

#endif

uint32_t sp_update_a16w16(const sp_fc_t *layer, const int16_t *row_errors,
                          const int16_t *presynaptic, uint32_t key, int16_t *weights)
{
    const uint32_t stride = sp_row_stride(layer->inputs);
    uint32_t saturations = 0;

    for (uint32_t row = 0; row < layer->outputs; ++row) {
        if (row_errors[row] != 0) {
            saturations += update_row(weights + row * stride, presynaptic, layer->inputs,
                                      row_errors[row], sp_mix32(key + row));
        }
    }
    return saturations;
}
