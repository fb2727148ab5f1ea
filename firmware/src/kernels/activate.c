/* SPDX-License-Identifier: Apache-2.0
 *
 * Activation functions of int16 vectors and int8 results. Tanh is a table of Q0.15 with linear
 * interpolation, odd by construction. A ReLU takes five instructions an element on Armv7-M: it has
 * no branch.
 */
#include "secondpass/kernels.h"

/* tanh(i / 32), Q0.15: up to 8, the largest argument. */
static const int16_t tanh_table[257] = {
    0, 1024, 2045, 3063, 4075, 5079, 6073, 7056, 8025, 8980, 9919, 10840, 11743,
    12625, 13486, 14326, 15143, 15936, 16706, 17452, 18173, 18870, 19542, 20189, 20813, 21411,
    21986, 22538, 23066, 23571, 24054, 24516, 24956, 25376, 25776, 26157, 26519, 26864, 27191,
    27502, 27797, 28076, 28341, 28592, 28830, 29055, 29268, 29470, 29660, 29840, 30010, 30170,
    30322, 30465, 30600, 30727, 30847, 30960, 31067, 31167, 31262, 31351, 31435, 31515, 31589,
    31659, 31726, 31788, 31846, 31901, 31953, 32002, 32048, 32091, 32132, 32170, 32206, 32240,
    32271, 32301, 32329, 32356, 32381, 32404, 32426, 32447, 32466, 32484, 32501, 32517, 32532,
    32547, 32560, 32573, 32584, 32596, 32606, 32616, 32625, 32634, 32642, 32649, 32657, 32663,
    32670, 32676, 32681, 32686, 32691, 32696, 32700, 32704, 32708, 32712, 32715, 32718, 32721,
    32724, 32727, 32729, 32732, 32734, 32736, 32738, 32740, 32741, 32743, 32745, 32746, 32747,
    32749, 32750, 32751, 32752, 32753, 32754, 32755, 32755, 32756, 32757, 32758, 32758, 32759,
    32759, 32760, 32760, 32761, 32761, 32762, 32762, 32762, 32763, 32763, 32763, 32764, 32764,
    32764, 32764, 32765, 32765, 32765, 32765, 32765, 32766, 32766, 32766, 32766, 32766, 32766,
    32766, 32766, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
    32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
    32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
    32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
    32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
    32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
    32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767};

void sp_widen_a8(const int8_t *values, uint32_t length, int16_t *widened)
{
    for (uint32_t i = 0; i < length; ++i) {
        widened[i] = values[i];
    }
    sp_pad(widened, length);
}

void sp_relu_a16(const int16_t *z, uint32_t length, int16_t *result)
{
    for (uint32_t i = 0; i < length; ++i) {
        result[i] = z[i] > 0 ? z[i] : 0;
    }
    sp_pad(result, length);
}

void sp_hard_tanh_a16(const int16_t *z, uint32_t length, unsigned frac, int16_t *result)
{
    const int16_t one = (int16_t)(1 << frac);

    for (uint32_t i = 0; i < length; ++i) {
        const int16_t value = z[i];

        result[i] = value > one ? one : value < -one ? (int16_t)-one : value;
    }
    sp_pad(result, length);
}

int16_t sp_tanh_q15(int16_t value)
{
    const int32_t magnitude = value == INT16_MIN ? INT16_MAX : value < 0 ? -value : value;
    const int32_t lower = tanh_table[magnitude >> 7];
    const int32_t rise = tanh_table[(magnitude >> 7) + 1] - lower;
    const int32_t result = lower + ((rise * (magnitude & 127) + 64) >> 7);

    return (int16_t)(value < 0 ? -result : result);
}

void sp_tanh_a16(const int16_t *z, uint32_t length, unsigned frac, int16_t *result)
{
    for (uint32_t i = 0; i < length; ++i) {
        result[i] = (int16_t)sp_round_shift32(sp_tanh_q15(z[i]), 15u - frac);
    }
    sp_pad(result, length);
}

uint32_t sp_narrow_a8(const int16_t *result, uint32_t length, int8_t *narrowed)
{
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < length; ++i) {
        narrowed[i] = sp_saturate8((result[i] + 128) >> 8, &saturations);
    }
    return saturations;
}
