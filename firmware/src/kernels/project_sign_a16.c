/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/kernels.h"

uint32_t sp_project_sign_a16(const int16_t *error, uint32_t outputs, const int16_t *x,
                             uint32_t inputs, uint32_t seed, sp_scale_t scale,
                             int16_t *modulated)
{
    uint32_t counter = sp_mix32(seed);
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < inputs; ++j) {
        int32_t sum = 0;
        uint32_t signs = 0;

        for (uint32_t k = 0; k < outputs; ++k) {
            if (k % 32 == 0) {
                signs = sp_mix32(counter++);
            }
            sum += signs & 1u ? -(int32_t)error[k] : error[k];
            signs >>= 1;
        }
        modulated[j] = sp_saturate16(x[j] + sp_scale16(sum, scale, &saturations), &saturations);
    }
    if (inputs & 1u) {
        modulated[inputs] = 0;
    }
    return saturations;
}
