/* SPDX-License-Identifier: Apache-2.0
 *
 * An int16 delta times the slope of an activation function, seen from the function's result.
 * |result| <= 2^frac, so that a slope of tanh is in [0, 2^15] and its product within 2^30: 32 bits.
 */
#include "secondpass/kernels.h"

void sp_slope_relu(const int16_t *result, uint32_t length, int16_t *delta)
{
    for (uint32_t i = 0; i < length; ++i) {
        if (result[i] <= 0) {
            delta[i] = 0;
        }
    }
}

void sp_slope_hard_tanh(const int16_t *result, uint32_t length, unsigned frac, int16_t *delta)
{
    const int32_t one = (int32_t)1 << frac;

    for (uint32_t i = 0; i < length; ++i) {
        if (result[i] >= one || result[i] <= -one) {
            delta[i] = 0;
        }
    }
}

void sp_slope_tanh(const int16_t *result, uint32_t length, unsigned frac, int16_t *delta)
{
    for (uint32_t i = 0; i < length; ++i) {
        const int32_t square = result[i] * result[i];
        const int32_t slope = 0x8000 - sp_round_shift32(square, 2 * frac - 15u);

        delta[i] = (int16_t)sp_round_shift32(delta[i] * slope, 15);
    }
}
