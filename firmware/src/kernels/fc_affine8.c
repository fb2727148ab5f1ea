/* SPDX-License-Identifier: Apache-2.0
 *
 * y = W x + b in the int8 arithmetic of TFLite. Sums as in fc_a8w8.c; each then takes a product of
 * 32 with 53 bits, rounded as a double is: some 40 instructions with a long multiply.
 */
#include "secondpass/kernels.h"

#define SP_X int8_t
#define SP_NEXT sp_next_a8

#define SP_LANES 16
#define SP_ON vctp8q
#define SP_VALUES int8x16_t
#define SP_INPUTS vldrbq_s8
#define SP_INPUTS_SOME vldrbq_z_s8
#define SP_WEIGHTS vldrbq_s8
#define SP_WEIGHTS_SOME vldrbq_z_s8
#define SP_ADD vmladavaq_s8

#include "fc_w8_rows.h"

/* Steps beyond which every output is clamped, and the clamp is seen. */
#define MOST_STEPS 256u

/* A product has so many bits above its lower word when a double still holds all of it. */
#define LAST_PLACE 21u

/* Bits of a value from its highest one down; 0 for 0. */
static inline unsigned bit_length(uint64_t value)
{
    const uint32_t upper = (uint32_t)(value >> 32);
    uint32_t word = upper != 0 ? upper : (uint32_t)value;
    unsigned bits = upper != 0 ? 32u : 0u;

#ifdef __GNUC__
    bits += word != 0 ? 32u - (unsigned)__builtin_clz(word) : 0u;
#else
    for (; word != 0; word >>= 1) {
        ++bits;
    }
#endif
    return bits;
}

/* magnitude * scale, halves up. The product is that of doubles: half a unit of its last place decides
 * where it reaches the next half step. magnitude <= 2^31, so that the product is below 2^84. */
static uint32_t in_steps(uint32_t magnitude, const sp_affine_scale_t *scale)
{
    const uint64_t lower = sp_wide_product(magnitude, scale->low);
    const uint64_t upper = sp_wide_product(magnitude, scale->high) + (lower >> 32);
    const unsigned bits = bit_length(upper);
    const uint32_t last_place = bits > LAST_PLACE ? 1u << (bits - LAST_PLACE - 1u) : 0u;
    const uint64_t rounded = upper + (last_place > ~(uint32_t)lower) +
                             ((uint64_t)1 << (scale->shift - 1u));
    const uint64_t steps = rounded >> scale->shift;

    return steps < MOST_STEPS ? (uint32_t)steps : MOST_STEPS;
}

static int8_t finish(const sp_affine_t *layer, int32_t sum, const sp_affine_scale_t *scale,
                     uint32_t *saturations)
{
    const uint32_t magnitude = sum < 0 ? 0u - (uint32_t)sum : (uint32_t)sum;
    const int32_t steps = (int32_t)in_steps(magnitude, scale);
    const int32_t value = layer->zero_point + (sum < 0 ? -steps : steps);

    if (value > layer->highest) {
        *saturations += (layer->counted & SP_COUNT_HIGH) != 0;
        return layer->highest;
    }
    if (value < layer->lowest) {
        *saturations += (layer->counted & SP_COUNT_LOW) != 0;
        return layer->lowest;
    }
    return (int8_t)value;
}

/* The last group of rows begins early enough to be whole; only its new rows are finished. */
uint32_t sp_fc_affine8(const sp_affine_t *layer, const int8_t *x, const int8_t *weights,
                       const int32_t *bias, const sp_affine_scale_t *scales, int8_t *y)
{
    const uint32_t outputs = layer->outputs;
    const uint32_t stride = sp_row_stride8(layer->inputs);
    const uint32_t together = outputs < TOGETHER ? 1 : TOGETHER;
    rows_t rows = {x, NULL, NULL, layer->inputs, stride, outputs < TOGETHER ? 0 : stride};
    uint32_t saturations = 0;
#ifdef PACKED
    uint32_t packed[PACKED / 2];

    if (layer->inputs <= PACKED) {
        pack(x, layer->inputs, packed);
        rows.packed = packed;
    }
#endif
    for (uint32_t row = 0; row < outputs; row += together) {
        const uint32_t first = row + together <= outputs ? row : outputs - together;
        int32_t sums[TOGETHER];

        some(&rows, weights + first * stride, 0, layer->inputs, sums);
        for (uint32_t i = row; i < first + together; ++i) {
            y[i] = finish(layer, sums[i - first] + bias[i], scales + (layer->per_row ? i : 0),
                          &saturations);
        }
    }
    return saturations;
}
