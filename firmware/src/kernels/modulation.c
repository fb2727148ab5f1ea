/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/projection.h"

/* Bits that q times the signal loses before it is scaled. */
#define FOLD_SHIFT 12u

uint32_t sp_modulation(const int32_t *q, uint32_t units, uint32_t outputs, const int16_t *signal,
                       sp_scale_t scale, int16_t *change)
{
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < units; ++i) {
        int64_t sum = 0;

        for (uint32_t k = 0; k < outputs; ++k) {
            sum += (int64_t)*q++ * signal[k];
        }
        change[i] = sp_scale16(sp_saturate32(sp_round_shift(sum, FOLD_SHIFT), &saturations),
                               scale, &saturations);
    }
    sp_pad(change, units);
    return saturations;
}

void sp_follow_update(int32_t *q, uint32_t units, uint32_t outputs, const int16_t *row_errors,
                      const int32_t *folded, unsigned shift)
{
    uint32_t ignored = 0;

    for (uint32_t i = 0; i < units; ++i, q += outputs) {
        if (row_errors[i] == 0) {
            continue;
        }
        for (uint32_t k = 0; k < outputs; ++k) {
            const int64_t step = sp_round_shift((int64_t)row_errors[i] * folded[k], shift);

            q[k] = sp_saturate32(q[k] - step, &ignored);
        }
    }
}
