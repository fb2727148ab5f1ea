/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/kernels.h"

uint32_t sp_project_sparse_a16(const int16_t *error, uint32_t outputs, const int16_t *x,
                               uint32_t inputs, uint32_t seed, sp_scale_t scale,
                               int16_t *modulated)
{
    uint32_t counter = sp_mix32(seed);
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < inputs; ++j) {
        const uint32_t word = sp_mix32(counter++);
        const int32_t tied = error[((word >> 16) * outputs) >> 16];
        const int16_t change = sp_scale16(word & 1u ? -tied : tied, scale, &saturations);

        modulated[j] = sp_saturate16(x[j] + change, &saturations);
    }
    if (inputs & 1u) {
        modulated[inputs] = 0;
    }
    return saturations;
}
