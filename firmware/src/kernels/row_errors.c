/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/kernels.h"

uint32_t sp_row_errors(const int16_t *delta, uint32_t length, sp_scale_t rate,
                       int16_t *row_errors)
{
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < length; ++i) {
        row_errors[i] = sp_scale16(delta[i], rate, &saturations);
    }
    return saturations;
}

uint32_t sp_row_errors_difference(const int16_t *first, const int16_t *second, uint32_t length,
                                  sp_scale_t rate, int16_t *row_errors)
{
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < length; ++i) {
        row_errors[i] = sp_scale16((int32_t)first[i] - second[i], rate, &saturations);
    }
    return saturations;
}

uint32_t sp_row_errors_relu(const int16_t *first, const int16_t *second, uint32_t length,
                            sp_scale_t rate, int16_t *row_errors)
{
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < length; ++i) {
        const int32_t delta = first[i] > 0 ? (int32_t)first[i] - second[i] : 0;

        row_errors[i] = sp_scale16(delta, rate, &saturations);
    }
    return saturations;
}
