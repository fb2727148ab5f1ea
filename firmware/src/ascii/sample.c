/* SPDX-License-Identifier: Apache-2.0
 *
 * float32 samples become raw values without floating-point arithmetic: value / step + zero point,
 * rounded half away from zero, clamped.
 */
#include "text.h"

#if SP_TEXT_FLOAT

#define FRACTION_BITS 23
#define HIDDEN_BIT (1u << FRACTION_BITS)
#define EXPONENT_MASK 0xFFu
#define ONE_EXPONENT 150 /* of a float whose 24 bits are its whole part */

/* |value| / step, rounded, at most 2^17. */
static int32_t magnitude(uint32_t bits)
{
    const uint32_t exponent = bits >> FRACTION_BITS & EXPONENT_MASK;
    const uint64_t product = (uint64_t)((bits & (HIDDEN_BIT - 1u)) | HIDDEN_BIT) *
                             SP_MODEL_INPUT_RATE; /* in [2^54, 2^56) */
    const int32_t shift = ONE_EXPONENT - (int32_t)exponent + SP_MODEL_INPUT_RATE_SHIFT;
    uint64_t rounded;

    if (exponent == 0 || shift > 57) {
        return 0; /* subnormal numbers too */
    }
    if (exponent == EXPONENT_MASK && (bits & (HIDDEN_BIT - 1u)) != 0) {
        return 0; /* not a number */
    }
    if (shift <= 0) {
        return 1 << 17;
    }
    rounded = (product + ((uint64_t)1 << (shift - 1))) >> shift;
    return rounded < 1u << 17 ? (int32_t)rounded : 1 << 17;
}

static int32_t raw_value(uint32_t bits)
{
    const int32_t steps = magnitude(bits);
    const int32_t value = SP_MODEL_INPUT_ZERO_POINT + (bits >> 31 != 0 ? -steps : steps);

    if (value < SP_MODEL_INPUT_LOW) {
        return SP_MODEL_INPUT_LOW;
    }
    return value > SP_MODEL_INPUT_HIGH ? SP_MODEL_INPUT_HIGH : value;
}

const uint8_t *sp_text_sample(sp_text_t *text)
{
    for (uint32_t i = 0; i < SP_MODEL_INPUTS; ++i) {
        const int32_t raw = raw_value(sp_get32(text->sample + 4u * i));

#if SP_MODEL_SAMPLE_BYTES == SP_MODEL_INPUTS
        text->raw[i] = (uint8_t)raw;
#else
        sp_put16(text->raw + 2u * i, (uint32_t)raw);
#endif
    }
    return text->raw;
}

#else

const uint8_t *sp_text_sample(sp_text_t *text)
{
    return text->sample;
}

#endif
