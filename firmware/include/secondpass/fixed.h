/* SPDX-License-Identifier: Apache-2.0
 *
 * Fixed-point arithmetic shared by every kernel: docs/numerics.md, sections 2 and 3.
 *
 * A right shift of a negative number is arithmetic on every compiler this library supports; a
 * conversion to a narrower signed type happens only after the value is known to fit.
 */
#ifndef SECONDPASS_FIXED_H
#define SECONDPASS_FIXED_H

#include <stdint.h>

/* 2^32 divided by the golden ratio: the increment of a Weyl sequence. */
#define SP_GOLDEN 0x9E3779B9u

/* ASCII "DITH": tells the dither's use of a seed from the projection's use of the same seed. */
#define SP_DITHER_STREAM 0x44495448u

/* ASCII "ROWS": tells the row gate's use of a dither key from the rounding's. */
#define SP_ROWS_STREAM 0x524F5753u

/* A real factor: multiplier / 2^shift.
 * The multiplier is 0 or has a magnitude in [16384, 32767]; the shift is in [0, 46]. */
typedef struct {
    int16_t multiplier;
    uint8_t shift;
} sp_scale_t;

#define SP_SCALE_SHIFT_MAX 46

/* Clamp to int16; *saturations grows by one when the value was clamped. */
static inline int16_t sp_saturate16(int64_t value, uint32_t *saturations)
{
    if (value > INT16_MAX) {
        ++*saturations;
        return INT16_MAX;
    }
    if (value < INT16_MIN) {
        ++*saturations;
        return INT16_MIN;
    }
    return (int16_t)value;
}

/* Clamp to int8; *saturations grows by one when the value was clamped. */
static inline int8_t sp_saturate8(int32_t value, uint32_t *saturations)
{
    if (value > INT8_MAX) {
        ++*saturations;
        return INT8_MAX;
    }
    if (value < INT8_MIN) {
        ++*saturations;
        return INT8_MIN;
    }
    return (int8_t)value;
}

/* Clamp to int32; *saturations grows by one when the value was clamped. */
static inline int32_t sp_saturate32(int64_t value, uint32_t *saturations)
{
    if (value > INT32_MAX) {
        ++*saturations;
        return INT32_MAX;
    }
    if (value < INT32_MIN) {
        ++*saturations;
        return INT32_MIN;
    }
    return (int32_t)value;
}

/* Shift right, rounding half up. shift in [0, 46], |value| < 2^62. */
static inline int64_t sp_round_shift(int64_t value, unsigned shift)
{
    const int64_t half = ((int64_t)1 << shift) >> 1;

    return (value + half) >> shift;
}

/* Multiply by a scale, round half up, clamp to int16. */
static inline int16_t sp_scale16(int32_t value, sp_scale_t scale, uint32_t *saturations)
{
    const int64_t product = (int64_t)value * scale.multiplier;

    return sp_saturate16(sp_round_shift(product, scale.shift), saturations);
}

/* Hash a 32-bit counter: a golden increment, then two xor-multiply rounds. */
static inline uint32_t sp_mix32(uint32_t x)
{
    x += SP_GOLDEN;
    x ^= x >> 16;
    x *= 0x7FEB352Du;
    x ^= x >> 15;
    x *= 0x846CA68Bu;
    x ^= x >> 16;
    return x;
}

/* Key of one layer's dithered rounding in one training step.
 * The seed is hashed before the step is added: the steps of neighbouring seeds are unrelated. */
static inline uint32_t sp_dither_key(uint32_t dither_seed, uint32_t step, uint32_t layer)
{
    const uint32_t stream = sp_mix32(dither_seed ^ SP_DITHER_STREAM);

    return sp_mix32(sp_mix32(stream + step) + layer);
}

/* Distance between two rows of an int16 weight matrix, in elements: rows start on 4-byte
 * boundaries. */
static inline uint32_t sp_row_stride(uint32_t inputs)
{
    return (inputs + 1u) & ~1u;
}

/* The same for int8 weights. */
static inline uint32_t sp_row_stride8(uint32_t inputs)
{
    return (inputs + 3u) & ~3u;
}

/* The zero behind a vector of odd length (kernels.h). */
static inline void sp_pad(int16_t *vector, uint32_t length)
{
    if (length & 1u) {
        vector[length] = 0;
    }
}

#endif
