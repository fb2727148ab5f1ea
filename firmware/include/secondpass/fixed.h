/* SPDX-License-Identifier: Apache-2.0
 *
 * Fixed-point arithmetic shared by every kernel: docs/numerics.md, sections 2 and 3.
 *
 * On every compiler this library supports a right shift of a negative number is arithmetic, and a
 * conversion to a narrower signed type drops the upper bits.
 */
#ifndef SECONDPASS_FIXED_H
#define SECONDPASS_FIXED_H

#include <stdint.h>

/* Armv6-M has no long multiplication: the library's takes some 30 instructions, two 32-bit products
 * of half a factor each a dozen. Defined by a compiler's flag it tests that form anywhere. */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1 && !defined(SP_NO_LONG_MULTIPLY)
#define SP_NO_LONG_MULTIPLY 1
#endif

/* 2^32 divided by the golden ratio: the increment of a Weyl sequence. */
#define SP_GOLDEN 0x9E3779B9u

/* ASCII "DITH": tells the dither's use of a seed from the projection's use of the same seed. */
#define SP_DITHER_STREAM 0x44495448u

/* Keeps what hardly ever happens out of a loop's straight line. */
#define SP_UNLIKELY(condition) __builtin_expect((condition), 0)

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
    const int32_t upper = (int32_t)(value >> 32);
    const int32_t lower = (int32_t)(uint32_t)value;

    if (SP_UNLIKELY(upper != lower >> 31)) {
        ++*saturations;
        return INT32_MAX ^ (upper >> 31); /* the complement of the highest is the lowest */
    }
    return lower;
}

/* Shift right, rounding half up. shift in [0, 46], |value| < 2^62. */
static inline int64_t sp_round_shift(int64_t value, unsigned shift)
{
    const int64_t half = ((int64_t)1 << shift) >> 1;

    return (value + half) >> shift;
}

/* The same in 32 bits: |value| + 2^(shift - 1) < 2^31, shift in [0, 30]. */
static inline int32_t sp_round_shift32(int32_t value, unsigned shift)
{
    return (value + (((int32_t)1 << shift) >> 1)) >> shift;
}

/* value * factor; |factor| <= 2^15. */
static inline int64_t sp_product(int32_t value, int32_t factor)
{
#if defined(SP_NO_LONG_MULTIPLY)
    /* (2^16 - 1) * 2^15 < 2^31: both parts fit. */
    const int32_t upper = (value >> 16) * factor;
    const int32_t lower = (int32_t)(value & 0xFFFF) * factor;

    return (int64_t)upper * 0x10000 + lower;
#else
    return (int64_t)value * factor;
#endif
}

/* first * second, any values. */
static inline uint64_t sp_wide_product(uint32_t first, uint32_t second)
{
#if defined(SP_NO_LONG_MULTIPLY)
    const uint32_t low = (first & 0xFFFFu) * (second & 0xFFFFu);
    const uint32_t one = (first >> 16) * (second & 0xFFFFu) + (low >> 16);
    const uint32_t other = (first & 0xFFFFu) * (second >> 16) + (one & 0xFFFFu);
    const uint32_t high = (first >> 16) * (second >> 16) + (one >> 16) + (other >> 16);

    return (uint64_t)high << 32 | other << 16 | (low & 0xFFFFu);
#else
    return (uint64_t)first * second;
#endif
}

/* Clamp a 32-bit value to int16; *saturations grows by one when it was clamped.
 * An extension, a comparison and a branch that is hardly ever taken: fewer instructions than SSAT
 * and counting. */
static inline int16_t sp_fit16(int32_t value, uint32_t *saturations)
{
    const int16_t fitted = (int16_t)value;

    if (SP_UNLIKELY(fitted != value)) {
        ++*saturations;
        return (int16_t)(INT16_MAX ^ (value >> 31)); /* the complement of the highest: the lowest */
    }
    return fitted;
}

/* Multiply by a scale, round half up, clamp to int16.
 * In two words: a 64-bit shift by a variable takes twice the instructions on a 32-bit core. */
static inline int16_t sp_scale16(int32_t value, sp_scale_t scale, uint32_t *saturations)
{
    const unsigned shift = scale.shift;
    const int64_t half = ((int64_t)1 << shift) >> 1;
    const int64_t sum = sp_product(value, scale.multiplier) + half;
    const int32_t upper = (int32_t)(sum >> 32);
    uint32_t lower;

    if (shift >= 32) {
        /* |sum| < 2^46 + half, so that |upper| < 2^14 + half / 2^32: it fits after the shift. */
        return (int16_t)(upper >> (shift - 32u));
    }
    lower = (uint32_t)sum >> shift | ((uint32_t)upper << 1) << (31u - shift);
    if (SP_UNLIKELY(upper >> shift != (int32_t)lower >> 31)) {
        ++*saturations; /* not even int32 */
        return (int16_t)(INT16_MAX ^ (upper >> 31));
    }
    return sp_fit16((int32_t)lower, saturations);
}

/* The scale with which sp_scale16_short does what sp_scale16 does with `scale`. There |value *
 * multiplier| < 2^30, so that every shift above 30 rounds to zero. */
static inline sp_scale_t sp_short_scale(sp_scale_t scale)
{
    const sp_scale_t zero = {0, 0};

    return scale.shift <= 30 ? scale : zero;
}

/* sp_scale16 in 32 bits: |value| <= 2^15, scale from sp_short_scale. */
static inline int16_t sp_scale16_short(int32_t value, sp_scale_t scale, uint32_t *saturations)
{
    return sp_fit16(sp_round_shift32(value * scale.multiplier, scale.shift), saturations);
}

/* A factor that stays one. For Armv6-M GCC takes a product with a constant apart into up to
 * eighteen shifts and additions; every core this library is for multiplies in one instruction. */
static inline uint32_t sp_factor(uint32_t factor)
{
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1
    __asm__("" : "+r"(factor));
#endif
    return factor;
}

/* 1 or -1 as the lowest bit is 0 or 1: then all bits are set, or the lowest one. */
static inline int32_t sp_sign_of_bit(uint32_t word)
{
    return -(int32_t)(word & 1u) | 1;
}

/* Hash a 32-bit counter: a golden increment, then two xor-multiply rounds. */
static inline uint32_t sp_mix32(uint32_t x)
{
    x += SP_GOLDEN;
    x ^= x >> 16;
    x *= sp_factor(0x7FEB352Du);
    x ^= x >> 15;
    x *= sp_factor(0x846CA68Bu);
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
