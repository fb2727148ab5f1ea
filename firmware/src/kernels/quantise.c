/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/kernels.h"

uint32_t sp_quantise_u8(const uint8_t *sample, uint32_t length, int32_t zero_point,
                        sp_scale_t scale, int16_t *x)
{
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < length; ++j) {
        x[j] = sp_scale16(sample[j] - zero_point, scale, &saturations);
    }
    sp_pad(x, length);
    return saturations;
}

static int32_t get_i16(const uint8_t *bytes)
{
    const int32_t bits = bytes[0] | bytes[1] << 8;

    return bits >= 0x8000 ? bits - 0x10000 : bits;
}

uint32_t sp_quantise_i16(const uint8_t *sample, uint32_t length, int32_t zero_point,
                         sp_scale_t scale, int16_t *x)
{
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < length; ++j) {
        x[j] = sp_scale16(get_i16(sample + 2 * j) - zero_point, scale, &saturations);
    }
    sp_pad(x, length);
    return saturations;
}

void sp_load_i16(const uint8_t *bytes, uint32_t length, int16_t *values)
{
    for (uint32_t j = 0; j < length; ++j) {
        values[j] = (int16_t)get_i16(bytes + 2 * j);
    }
    sp_pad(values, length);
}
