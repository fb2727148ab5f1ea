/* SPDX-License-Identifier: Apache-2.0 */
#include "sweep.h"

enum { KIND_FULL, KIND_SMALL, KIND_RAILS, KIND_LOWEST, KIND_SPARSE, KIND_GAPS, KINDS };

SP_ALIGN4 int16_t x[LARGEST_STRIDE];
SP_ALIGN4 int16_t second[LARGEST_STRIDE];
SP_ALIGN4 int8_t narrow[LARGEST_STRIDE];
SP_ALIGN4 int16_t weights16[LARGEST * LARGEST_STRIDE + GUARD_BYTES];
SP_ALIGN4 int8_t weights8[LARGEST * LARGEST_STRIDE + GUARD_BYTES];
SP_ALIGN4 int16_t output[LARGEST_STRIDE + GUARD_BYTES];
int32_t wide[LARGEST * LARGEST + GUARD_BYTES];
uint16_t groups[1 + LARGEST_STRIDE];
uint16_t room[LARGEST];
uint8_t bytes[2 * LARGEST + 1];

static uint32_t draws;
static uint32_t digest;

void begin_sweep(void)
{
    draws = 0;
    digest = 0;
}

uint32_t digest_of_sweep(void)
{
    return digest;
}

uint32_t draw(void)
{
    return sp_mix32(draws++);
}

uint32_t draw_below(uint32_t bound)
{
    return draw() % bound;
}

/* A signed value whose lowest is -half; half is a power of two up to 2^31. */
static int32_t draw_signed(unsigned kind, int64_t half)
{
    const uint32_t word = draw();
    const int64_t full = (int64_t)(word & (uint32_t)(2 * half - 1)) - half;

    switch (kind) {
    case KIND_SMALL:
        return (int32_t)(full / 32);
    case KIND_RAILS:
        return (int32_t)(word & 0x40u ? half - 1 : -half);
    case KIND_LOWEST:
        return (int32_t)-half;
    case KIND_SPARSE:
        return draw() & 3u ? 0 : (int32_t)full;
    case KIND_GAPS:
        return (draws >> 3) & 3u ? 0 : (int32_t)full;
    default:
        return (int32_t)full;
    }
}

sp_scale_t draw_scale(void)
{
    const uint32_t word = draw();
    const int32_t magnitude = (int32_t)(0x4000u + (word & 0x3FFFu));
    const sp_scale_t scale = {(int16_t)(word & 0x4000u ? -magnitude : magnitude),
                              (uint8_t)((word >> 16) % (SP_SCALE_SHIFT_MAX + 1u))};

    return scale;
}

void fill16(int16_t *at, uint32_t rows, uint32_t columns)
{
    const unsigned kind = draw_below(KINDS);
    const uint32_t stride = sp_row_stride(columns);

    for (uint32_t row = 0; row < rows; ++row) {
        for (uint32_t j = 0; j < stride; ++j) {
            *at++ = (int16_t)(j < columns ? draw_signed(kind, 0x8000) : 0);
        }
    }
}

void fill8(int8_t *at, uint32_t rows, uint32_t columns)
{
    const unsigned kind = draw_below(KINDS);
    const uint32_t stride = sp_row_stride8(columns);

    for (uint32_t row = 0; row < rows; ++row) {
        for (uint32_t j = 0; j < stride; ++j) {
            *at++ = (int8_t)(j < columns ? draw_signed(kind, 0x80) : 0);
        }
    }
}

void fill32(int32_t *at, uint32_t length)
{
    const unsigned kind = draw_below(KINDS);

    for (uint32_t i = 0; i < length; ++i) {
        at[i] = draw_signed(kind, (int64_t)1 << 31);
    }
}

void fill_bytes(void)
{
    for (uint32_t i = 0; i < sizeof bytes; ++i) {
        bytes[i] = (uint8_t)draw();
    }
}

void clear_output(void)
{
    for (uint32_t i = 0; i < LARGEST_STRIDE + GUARD_BYTES; ++i) {
        output[i] = GUARD;
    }
}

void put(const void *data, uint32_t length)
{
    const uint32_t parts[2] = {digest, sp_link_crc32(data, length)};

    digest = sp_link_crc32((const uint8_t *)parts, sizeof parts);
}

void put_count(uint32_t count)
{
    put(&count, sizeof count);
}

void put_output(uint32_t saturations)
{
    put(output, sizeof output);
    put_count(saturations);
}
