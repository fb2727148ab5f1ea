/* SPDX-License-Identifier: Apache-2.0
 *
 * How far the int16 weights of a row are from the limits of their type: 5 instructions a weight, at a
 * reset and then once in some dozens of updates of a row (update_a16w16.c).
 */
#include "secondpass/kernels.h"

/* |value| for value >= 0, else |value| - 1: the distance to the limit of its sign is what is
 * missing to the largest value. */
static inline int32_t magnitude(int32_t value)
{
    return value ^ (value >> 31);
}

uint16_t sp_room_w16(const int16_t *weights, uint32_t inputs)
{
    int32_t largest = 0;

    for (uint32_t j = 0; j < inputs; ++j) {
        largest = magnitude(weights[j]) > largest ? magnitude(weights[j]) : largest;
    }
    return (uint16_t)(INT16_MAX - largest);
}
