/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/kernels.h"

uint32_t sp_row_errors(int16_t *delta, uint32_t length, sp_scale_t rate, int16_t clip,
                       uint32_t *active_rows)
{
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < length; ++i) {
        const int64_t product = (int64_t)delta[i] * rate.multiplier;
        int64_t value = sp_round_shift(product, rate.shift);

        if (value > clip) {
            value = clip;
            ++saturations;
        } else if (value < -clip) {
            value = -clip;
            ++saturations;
        }
        delta[i] = (int16_t)value;
        *active_rows += value != 0;
    }
    return saturations;
}

uint32_t sp_update_bias(const int16_t *row_errors, uint32_t length, int exponent, int32_t *bias)
{
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < length; ++i) {
        const int64_t error = row_errors[i];
        const int64_t step = exponent >= 0 ? error * ((int64_t)1 << exponent)
                                           : sp_round_shift(error, (unsigned)-exponent);

        bias[i] = sp_saturate32(bias[i] - step, &saturations);
    }
    return saturations;
}
