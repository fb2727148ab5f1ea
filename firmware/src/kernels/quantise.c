/* SPDX-License-Identifier: Apache-2.0
 *
 * Samples to the first layer's input: x = (raw - zero_point) * scale, int16 (docs/numerics.md).
 *
 * Real scales let no raw value saturate and keep every product within 32 bits. Both are known
 * before the first element, so that an element then takes a load, a multiply-accumulate, a shift
 * and a store; everything else goes the general way. In images most bytes are the zero point (or,
 * when that is no raw value, the one next to it): four of them are recognised with one
 * comparison where words may lie at any address.
 * Instructions for four bytes: 21, or 9 when they are skipped (Armv7-M); on Armv6-M 24, of int8 28.
 */
#include <string.h>

#include "secondpass/kernels.h"

#if defined(__arm__) && !defined(__ARM_FEATURE_UNALIGNED)
#define WORDS_ANYWHERE 0
#else
#define WORDS_ANYWHERE 1
#endif

/* Each type of sample gets loops of its own, without a choice in them; a program links only those
 * that it calls. */
#ifdef __GNUC__
#define SP_INLINE inline __attribute__((always_inline))
#else
#define SP_INLINE inline
#endif

/* x = (raw * multiplier + offset) >> shift in 32 bits, sums modulo 2^32. */
typedef struct {
    uint32_t multiplier;
    uint32_t offset;
    unsigned shift;
} line_t;

/* Find the line; 0 when a raw value in [lowest, highest] may saturate or not fit 32 bits. */
static int find_line(int32_t lowest, int32_t highest, int32_t zero_point, sp_scale_t scale,
                     line_t *line)
{
    const int64_t half = ((int64_t)1 << scale.shift) >> 1;
    const int32_t ends[2] = {lowest - zero_point, highest - zero_point};
    uint32_t saturations = 0;

    if (scale.shift > 31) {
        return 0;
    }
    for (uint32_t i = 0; i < 2; ++i) {
        const int64_t sum = sp_product(ends[i], scale.multiplier) + half;

        (void)sp_scale16(ends[i], scale, &saturations);
        if (saturations != 0 || sum > INT32_MAX || sum < INT32_MIN) {
            return 0;
        }
    }
    line->multiplier = (uint32_t)(int32_t)scale.multiplier;
    line->offset = (uint32_t)half - (uint32_t)zero_point * line->multiplier;
    line->shift = scale.shift;
    return 1;
}

static int16_t on_line(const line_t *line, int32_t raw)
{
    const uint32_t sum = (uint32_t)raw * line->multiplier + line->offset;

    return (int16_t)((int32_t)sum >> line->shift);
}

/* Are these four bytes those of the word? Never, where that would take four loads. */
static int bytes_are(const uint8_t *bytes, uint32_t word)
{
#if WORDS_ANYWHERE
    uint32_t found;

    memcpy(&found, bytes, sizeof found);
    return found == word;
#else
    (void)bytes;
    (void)word;
    return 0;
#endif
}

/* A byte is an int8 when the lowest raw value is negative, else a uint8. */
static SP_INLINE int32_t get_byte(uint8_t byte, int32_t lowest)
{
    return lowest < 0 ? (int8_t)byte : byte;
}

static SP_INLINE void bytes_on_line(const line_t line, const uint8_t *sample, uint32_t length,
                                    int32_t zero_point, int32_t lowest, int16_t *x)
{
    const int32_t highest = lowest + UINT8_MAX;
    const int32_t usual = zero_point < lowest    ? lowest
                          : zero_point > highest ? highest
                                                 : zero_point;
    const uint32_t usual_word = (uint8_t)usual * 0x01010101u;
    const uint32_t usual_pair = (uint16_t)on_line(&line, usual) * 0x00010001u;

    for (; length >= 4; length -= 4, sample += 4, x += 4) {
        if (bytes_are(sample, usual_word)) {
            memcpy(x, &usual_pair, sizeof usual_pair);
            memcpy(x + 2, &usual_pair, sizeof usual_pair);
        } else {
            x[0] = on_line(&line, get_byte(sample[0], lowest));
            x[1] = on_line(&line, get_byte(sample[1], lowest));
            x[2] = on_line(&line, get_byte(sample[2], lowest));
            x[3] = on_line(&line, get_byte(sample[3], lowest));
        }
    }
    for (; length > 0; --length) {
        *x++ = on_line(&line, get_byte(*sample++, lowest));
    }
}

static SP_INLINE uint32_t quantise_bytes(const uint8_t *sample, uint32_t length,
                                         int32_t zero_point, int32_t lowest, sp_scale_t scale,
                                         int16_t *x)
{
    uint32_t saturations = 0;
    line_t line;

    sp_pad(x, length);
    if (find_line(lowest, lowest + UINT8_MAX, zero_point, scale, &line)) {
        bytes_on_line(line, sample, length, zero_point, lowest, x);
        return 0;
    }
    for (uint32_t j = 0; j < length; ++j) {
        x[j] = sp_scale16(get_byte(sample[j], lowest) - zero_point, scale, &saturations);
    }
    return saturations;
}

uint32_t sp_quantise_u8(const uint8_t *sample, uint32_t length, int32_t zero_point,
                        sp_scale_t scale, int16_t *x)
{
    return quantise_bytes(sample, length, zero_point, 0, scale, x);
}

uint32_t sp_quantise_i8(const uint8_t *sample, uint32_t length, int32_t zero_point,
                        sp_scale_t scale, int16_t *x)
{
    return quantise_bytes(sample, length, zero_point, INT8_MIN, scale, x);
}

static int32_t get_i16(const uint8_t *bytes)
{
    return (int16_t)(uint16_t)(bytes[0] | bytes[1] << 8);
}

uint32_t sp_quantise_i16(const uint8_t *sample, uint32_t length, int32_t zero_point,
                         sp_scale_t scale, int16_t *x)
{
    uint32_t saturations = 0;
    line_t line;

    sp_pad(x, length);
    if (find_line(INT16_MIN, INT16_MAX, zero_point, scale, &line)) {
        for (uint32_t j = 0; j < length; ++j) {
            x[j] = on_line(&line, get_i16(sample + 2 * j));
        }
        return 0;
    }
    for (uint32_t j = 0; j < length; ++j) {
        x[j] = sp_scale16(get_i16(sample + 2 * j) - zero_point, scale, &saturations);
    }
    return saturations;
}

void sp_load_i16(const uint8_t *bytes, uint32_t length, int16_t *values)
{
    for (uint32_t j = 0; j < length; ++j) {
        values[j] = (int16_t)get_i16(bytes + 2 * j);
    }
    sp_pad(values, length);
}
