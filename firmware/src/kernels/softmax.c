/* SPDX-License-Identifier: Apache-2.0
 *
 * Heads with labels: probabilities in Q0.15 and their error, from int16 logits (docs/heads.md).
 *
 * exp comes from 2^x, a table of 33 steps with a straight line between them: no float, and the
 * same bits everywhere. 60 instructions a class on cores that divide (one UDIV a class), 170 on a
 * Cortex-M0+: once a step, so it stays plain.
 */
#include "secondpass/kernels.h"

/* log2(e) with 15 fractional bits. */
#define LOG2_E 47274u

/* 2^(-i/32) with 15 fractional bits. */
static const uint16_t exp2_table[33] = {
    32768, 32066, 31379, 30706, 30048, 29405, 28774, 28158, 27554, 26964, 26386,
    25821, 25268, 24726, 24196, 23678, 23170, 22674, 22188, 21713, 21247, 20792,
    20347, 19911, 19484, 19066, 18658, 18258, 17867, 17484, 17109, 16743, 16384};

/* exp(-distance) with 15 fractional bits; distance in [0, 65535] with frac_bits. */
static uint32_t exp_negative(uint32_t distance, unsigned frac_bits)
{
    const unsigned fraction_bits = frac_bits + 15;
    const uint32_t power = distance * LOG2_E;
    const uint32_t whole = power >> fraction_bits;
    const uint32_t fraction = power & ((1u << fraction_bits) - 1u);
    const uint32_t index = fraction >> (fraction_bits - 5);
    const uint32_t rest = (fraction & ((1u << (fraction_bits - 5)) - 1u)) >> (fraction_bits - 15);
    const uint32_t drop = (uint32_t)exp2_table[index] - exp2_table[index + 1];
    const uint32_t mantissa = exp2_table[index] - ((drop * rest + 512u) >> 10);
    const uint32_t shift = whole < 17 ? whole : 17;

    return (mantissa + ((1u << shift) >> 1)) >> shift;
}

uint16_t sp_argmax(const int16_t *values, uint32_t length)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < length; ++i) {
        if (values[i] > values[best]) {
            best = i;
        }
    }
    return (uint16_t)best;
}

uint16_t sp_softmax_error(const int16_t *logits, uint32_t classes, unsigned frac_bits,
                          uint16_t label, int16_t *error)
{
    const int32_t largest = logits[sp_argmax(logits, classes)];
    uint16_t label_probability = 0;
    uint32_t total = 0;
    uint32_t ignored = 0;

    for (uint32_t k = 0; k < classes; ++k) {
        const uint32_t value = exp_negative((uint32_t)(largest - logits[k]), frac_bits);

        total += value;
        error[k] = (int16_t)((int32_t)value - 0x8000); /* parked: 0 to 32768 does not fit */
    }
    for (uint32_t k = 0; k < classes; ++k) {
        const uint32_t value = (uint32_t)(error[k] + 0x8000);
        const uint32_t probability = ((value << 15) + (total >> 1)) / total;
        int32_t output_error = (int32_t)probability;

        if (k == label) {
            label_probability = (uint16_t)probability;
            output_error -= 0x8000;
        }
        error[k] = sp_saturate16(output_error, &ignored);
    }
    return label_probability;
}

uint16_t sp_sigmoid_error(int16_t logit, unsigned frac_bits, uint16_t label, int16_t *error)
{
    const int16_t logits[2] = {0, logit};
    const uint16_t label_probability = sp_softmax_error(logits, 2, frac_bits, label, error);

    error[0] = error[1];
    sp_pad(error, 1);
    return label_probability;
}

void sp_prediction(const int16_t *error, uint32_t length, uint32_t index, int32_t value,
                   int16_t *prediction)
{
    uint32_t ignored = 0;

    for (uint32_t k = 0; k < length; ++k) {
        prediction[k] = sp_saturate16(error[k] + (k == index ? value : 0), &ignored);
    }
    sp_pad(prediction, length);
}

void sp_negative_one_hot(uint32_t length, uint32_t index, int32_t value, int16_t *wanted)
{
    for (uint32_t k = 0; k < length; ++k) {
        wanted[k] = 0;
    }
    wanted[index] = (int16_t)-value;
    sp_pad(wanted, length);
}
