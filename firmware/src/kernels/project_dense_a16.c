/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/kernels.h"

/* An odd integer in [-255, 255] from the low byte of a generator word. */
static int32_t odd_element(uint32_t word)
{
    const int32_t byte = (int32_t)(word & 0xFFu);

    return 2 * (byte >= 0x80 ? byte - 0x100 : byte) + 1;
}

uint32_t sp_project_dense_a16(const int16_t *error, uint32_t outputs, const int16_t *x,
                              uint32_t inputs, uint32_t seed, sp_scale_t scale,
                              int16_t *modulated)
{
    uint32_t counter = sp_mix32(seed);
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < inputs; ++j) {
        int64_t sum = 0;

        for (uint32_t k = 0; k < outputs; k += 4) {
            const uint32_t in_word = outputs - k < 4 ? outputs - k : 4;
            uint32_t word = sp_mix32(counter++);
            int32_t partial = 0;

            for (uint32_t i = 0; i < in_word; ++i) {
                partial += odd_element(word) * error[k + i];
                word >>= 8;
            }
            sum += partial;
        }
        modulated[j] = sp_saturate16(
            x[j] + sp_scale16((int32_t)sp_round_shift(sum, 8), scale, &saturations),
            &saturations);
    }
    if (inputs & 1u) {
        modulated[inputs] = 0;
    }
    return saturations;
}
