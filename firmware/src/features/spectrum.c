/* SPDX-License-Identifier: Apache-2.0
 *
 * A real transform as a complex one of half the length, radices 2 and 5, then powers of bands.
 * docs/features.md proves that nothing leaves its type.
 */
#include "secondpass/features.h"

#ifdef __GNUC__
#define SP_INLINE inline __attribute__((always_inline))
#else
#define SP_INLINE inline
#endif

#define OCTAVE_BITS 9   /* of a logarithm behind the point */
#define MANTISSA_BITS 15u

/* Cosine and sine of an angle, Q15. */
typedef struct {
    int32_t cosine;
    int32_t sine;
} turn_t;

/* value * factor / 2^16, rounded down: half the product with a Q15 factor. */
static SP_INLINE int32_t half_product(int32_t value, int32_t factor)
{
#if defined(SP_NO_LONG_MULTIPLY)
    return (value >> 16) * factor + (((value & 0xFFFF) * factor) >> 16);
#else
    return (int32_t)(((int64_t)value * (factor * 0x10000)) >> 32); /* the upper word alone */
#endif
}

static SP_INLINE int32_t get_reading(const uint8_t *bytes)
{
    return (int16_t)(uint16_t)(bytes[0] | bytes[1] << 8);
}

static SP_INLINE turn_t get_turn(const sp_spectrum_t *spectrum, uint32_t index)
{
    const int16_t *sine = spectrum->sines + index;
    const turn_t turn = {sine[spectrum->window / 4u], sine[0]};

    return turn;
}

/* The number turned back by an angle: times exp(-i angle). */
static SP_INLINE sp_complex_t turned(sp_complex_t z, turn_t by)
{
    const sp_complex_t result = {
        2 * (half_product(z.re, by.cosine) + half_product(z.im, by.sine)),
        2 * (half_product(z.im, by.cosine) - half_product(z.re, by.sine)),
    };

    return result;
}

static SP_INLINE sp_complex_t sum(sp_complex_t a, sp_complex_t b)
{
    const sp_complex_t result = {a.re + b.re, a.im + b.im};

    return result;
}

static SP_INLINE sp_complex_t difference(sp_complex_t a, sp_complex_t b)
{
    const sp_complex_t result = {a.re - b.re, a.im - b.im};

    return result;
}

/* Twice a * p + b * q. */
static SP_INLINE sp_complex_t mixed(sp_complex_t a, int32_t p, sp_complex_t b, int32_t q)
{
    const sp_complex_t result = {
        2 * (half_product(a.re, p) + half_product(b.re, q)),
        2 * (half_product(a.im, p) + half_product(b.im, q)),
    };

    return result;
}

/* One axis of a window: its readings are `stride` bytes apart. */
typedef struct {
    const uint8_t *readings;
    uint32_t stride;
    int32_t total;  /* of all readings */
    int32_t up;     /* a power of two: what a centred reading is multiplied by */
    uint32_t down;  /* and shifted down by */
    int32_t octave; /* the logarithm of what both do to a power */
} axis_t;

/* A reading less the mean, times `window`. */
static SP_INLINE int32_t centred(const sp_spectrum_t *spectrum, const axis_t *axis, uint32_t index)
{
    return get_reading(axis->readings + index * axis->stride) * (int32_t)spectrum->window -
           axis->total;
}

static SP_INLINE uint32_t bit_length(uint32_t value)
{
    return value != 0 ? 32u - (uint32_t)__builtin_clz(value) : 0;
}

/* Block scaling: as large as the transform of the largest centred reading allows. */
static void scale_axis(const sp_spectrum_t *spectrum, axis_t *axis)
{
    const int32_t window = spectrum->window;
    const uint8_t *reading = axis->readings;
    int32_t lowest = INT16_MAX;
    int32_t highest = INT16_MIN;
    int32_t total = 0;
    uint32_t largest;
    int32_t shift;

    for (int32_t n = 0; n < window; ++n, reading += axis->stride) {
        const int32_t value = get_reading(reading);

        total += value;
        lowest = value < lowest ? value : lowest;
        highest = value > highest ? value : highest;
    }
    largest = (uint32_t)(highest * window - total) | (uint32_t)(total - lowest * window);
    shift = 31 - (int32_t)(bit_length(spectrum->window) + bit_length(largest));
    axis->total = total;
    axis->up = shift > 0 ? (int32_t)1 << shift : 1;
    axis->down = shift < 0 ? (uint32_t)-shift : 0;
    axis->octave = shift * (2 << OCTAVE_BITS);
}

/* A scaled reading under a Hann taper. */
static SP_INLINE int32_t tapered(const sp_spectrum_t *spectrum, const axis_t *axis, uint32_t index)
{
    const int32_t scaled = (centred(spectrum, axis, index) * axis->up) >> axis->down;
    const int32_t cosine = spectrum->sines[index + spectrum->window / 4u];

    return 2 * half_product(scaled, (INT16_MAX - cosine) >> 1);
}

/* Two neighbouring readings become the parts of one complex number. */
static void load_axis(const sp_spectrum_t *spectrum, const axis_t *axis, sp_complex_t *z)
{
    for (uint32_t n = 0; n < spectrum->window; n += 2u) {
        sp_complex_t *place = z + spectrum->places[n / 2u];

        place->re = tapered(spectrum, axis, n);
        place->im = tapered(spectrum, axis, n + 1u);
    }
}

/* Pairs of transforms of length `span` become transforms of twice that. */
static void join_twos(const sp_spectrum_t *spectrum, sp_complex_t *z, uint32_t span)
{
    const uint32_t length = spectrum->window / 2u;
    const uint32_t angle = length / span; /* steps of the table: of a whole turn / (2 span) */

    for (uint32_t j = 0; j < span; ++j) {
        const turn_t turn = get_turn(spectrum, j * angle);

        for (uint32_t at = j; at < length; at += 2u * span) {
            const sp_complex_t a = z[at];
            const sp_complex_t b = j == 0 ? z[at + span] : turned(z[at + span], turn);

            z[at] = sum(a, b);
            z[at + span] = difference(a, b);
        }
    }
}

/* The transform of five numbers that lie `span` apart; unit: a fifth of a turn, and two. */
static void five(sp_complex_t *z, uint32_t span, const turn_t unit[2])
{
    const sp_complex_t outer = sum(z[span], z[4u * span]);
    const sp_complex_t inner = sum(z[2u * span], z[3u * span]);
    const sp_complex_t outer_gap = difference(z[span], z[4u * span]);
    const sp_complex_t inner_gap = difference(z[2u * span], z[3u * span]);
    const sp_complex_t near = sum(z[0], mixed(outer, unit[0].cosine, inner, unit[1].cosine));
    const sp_complex_t far = sum(z[0], mixed(outer, unit[1].cosine, inner, unit[0].cosine));
    const sp_complex_t near_gap = mixed(outer_gap, unit[0].sine, inner_gap, unit[1].sine);
    const sp_complex_t far_gap = mixed(outer_gap, unit[1].sine, inner_gap, -unit[0].sine);

    z[0] = sum(z[0], sum(outer, inner));
    z[span] = (sp_complex_t){near.re + near_gap.im, near.im - near_gap.re};
    z[2u * span] = (sp_complex_t){far.re + far_gap.im, far.im - far_gap.re};
    z[3u * span] = (sp_complex_t){far.re - far_gap.im, far.im + far_gap.re};
    z[4u * span] = (sp_complex_t){near.re - near_gap.im, near.im + near_gap.re};
}

/* Fives of transforms of length `span` become transforms of five times that. */
static void join_fives(const sp_spectrum_t *spectrum, sp_complex_t *z, uint32_t span)
{
    const uint32_t length = spectrum->window / 2u;
    const uint32_t angle = spectrum->window / (5u * span);
    const uint32_t fifth = spectrum->window / 5u;
    const turn_t unit[2] = {get_turn(spectrum, fifth), get_turn(spectrum, 2u * fifth)};

    for (uint32_t j = 0; j < span; ++j) {
        for (uint32_t at = j; at < length; at += 5u * span) {
            for (uint32_t q = 1; j != 0 && q < 5u; ++q) {
                z[at + q * span] = turned(z[at + q * span], get_turn(spectrum, q * j * angle));
            }
            five(z + at, span, unit);
        }
    }
}

static void transform(const sp_spectrum_t *spectrum, sp_complex_t *z)
{
    uint32_t span = 1;

    for (uint32_t i = 0; i < spectrum->twos; ++i, span *= 2u) {
        join_twos(spectrum, z, span);
    }
    for (uint32_t i = 0; i < spectrum->fives; ++i, span *= 5u) {
        join_fives(spectrum, z, span);
    }
}

static SP_INLINE uint64_t square(int32_t value)
{
#if defined(SP_NO_LONG_MULTIPLY)
    const uint32_t magnitude = (uint32_t)(value < 0 ? -value : value); /* below 2^31 */
    const uint32_t upper = magnitude >> 16;
    const uint32_t lower = magnitude & 0xFFFFu;

    return ((uint64_t)(upper * upper) << 32) + ((uint64_t)(2u * upper * lower) << 16) +
           lower * lower;
#else
    return (uint64_t)((int64_t)value * value);
#endif
}

/* Power of twice a line of the real spectrum, from the lines k and length - k of the complex one. */
static uint64_t line_power(const sp_spectrum_t *spectrum, const sp_complex_t *z, uint32_t k)
{
    const sp_complex_t a = z[k];
    const sp_complex_t b = z[spectrum->window / 2u - k];
    const sp_complex_t odd = {a.re - b.re, a.im + b.im};
    const sp_complex_t by = turned(odd, get_turn(spectrum, k));

    return square(a.re + b.re + by.im) + square(a.im - b.im - by.re);
}

/* The logarithm to base 2, in 1/512, rounded down; the mantissa has 16 bits. That of 0 is 0. */
static int32_t logarithm(uint64_t power)
{
    const uint32_t upper = (uint32_t)(power >> 32);
    const uint32_t lower = (uint32_t)power;
    const uint32_t length = upper != 0 ? 32u + bit_length(upper) : bit_length(lower);
    int32_t result = (int32_t)length - 1;
    uint32_t mantissa;

    if (length == 0) {
        return 0;
    }
    mantissa = length > MANTISSA_BITS ? (uint32_t)(power >> (length - MANTISSA_BITS - 1u))
                                      : lower << (MANTISSA_BITS + 1u - length);
    for (uint32_t bit = 0; bit < OCTAVE_BITS; ++bit) {
        const uint32_t squared = (mantissa * mantissa) >> MANTISSA_BITS;
        const uint32_t above = squared >> (MANTISSA_BITS + 1u);

        mantissa = squared >> above;
        result = 2 * result + (int32_t)above;
    }
    return result;
}

/* A feature from the logarithm of its power. */
static uint8_t feature(int32_t octaves, int32_t centre, sp_scale_t scale, uint32_t *clamped)
{
    const int32_t level = octaves < 0 ? 0 : octaves;
    uint32_t saturated = 0;
    const int32_t value = SP_FEATURE_ZERO + sp_scale16(level - centre, scale, &saturated);

    if (value < 0 || value > UINT8_MAX) {
        ++*clamped;
        return value < 0 ? 0 : UINT8_MAX;
    }
    return (uint8_t)value;
}

/* Power of the next band of lines; `line` moves on. */
static uint64_t band_power(const sp_spectrum_t *spectrum, const sp_complex_t *z, uint32_t *line)
{
    const uint32_t end = *line + spectrum->lines;
    uint64_t power = 0;

    for (; *line < end; ++*line) {
        power += line_power(spectrum, z, *line);
    }
    return power;
}

uint32_t sp_spectrum_u8(const sp_spectrum_t *spectrum, const uint8_t *readings,
                        sp_complex_t *scratch, uint8_t *features)
{
    const uint16_t *centre = spectrum->centres;
    uint32_t clamped = 0;

    for (uint32_t number = 0; number < spectrum->axes; ++number) {
        axis_t axis = {.readings = readings + 2u * number, .stride = 2u * spectrum->axes};
        uint32_t line = 1;

        scale_axis(spectrum, &axis);
        load_axis(spectrum, &axis, scratch);
        transform(spectrum, scratch);
        for (uint32_t band = 0; band < spectrum->bands; ++band) {
            const int32_t octaves = logarithm(band_power(spectrum, scratch, &line)) - axis.octave;

            *features++ = feature(octaves, *centre++, spectrum->scale, &clamped);
        }
    }
    return clamped;
}
