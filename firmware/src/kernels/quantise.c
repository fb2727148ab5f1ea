/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/kernels.h"

uint32_t sp_quantise_u8(const uint8_t *sample, uint32_t length, int32_t zero_point,
                        sp_scale_t scale, int16_t *x)
{
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < length; ++j) {
        x[j] = sp_scale16(sample[j] - zero_point, scale, &saturations);
    }
    if (length & 1u) {
        x[length] = 0;
    }
    return saturations;
}

uint32_t sp_quantise_i16(const uint8_t *sample, uint32_t length, int32_t zero_point,
                         sp_scale_t scale, int16_t *x)
{
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < length; ++j) {
        const int32_t bits = sample[2 * j] | sample[2 * j + 1] << 8;
        const int32_t value = bits >= 0x8000 ? bits - 0x10000 : bits;

        x[j] = sp_scale16(value - zero_point, scale, &saturations);
    }
    if (length & 1u) {
        x[length] = 0;
    }
    return saturations;
}
