/* SPDX-License-Identifier: Apache-2.0
 *
 * From accumulator to int16. A sum that fits 32 bits, the usual case, needs no 64-bit shift.
 */
#ifndef SECONDPASS_KERNELS_FINISH_H
#define SECONDPASS_KERNELS_FINISH_H

#include <stddef.h>

#include "secondpass/kernels.h"

/* A constant that the compiler must keep in a register, where it would rather fold it away. */
static inline int32_t sp_hidden(int32_t value)
{
#ifdef __GNUC__
    __asm__("" : "+r"(value));
#endif
    return value;
}

/* What a layer's rows share. */
typedef struct {
    const int32_t *bias;
    int64_t half;      /* added before the shift */
    unsigned shift;    /* right, 0 to 38 */
    unsigned left;     /* left instead, 0 to 8 */
    int32_t lowest;    /* 0 or INT16_MIN */
    uint8_t counted;
    uint32_t saturations;
} sp_requantiser_t;

static inline sp_requantiser_t sp_requantiser(const sp_fc_t *layer, const int32_t *bias)
{
    const unsigned shift = layer->shift > 0 ? (unsigned)layer->shift : 0;

    return (sp_requantiser_t){
        .bias = bias,
        .half = ((int64_t)1 << shift) >> 1,
        .shift = shift,
        .left = layer->shift < 0 ? (unsigned)-layer->shift : 0,
        .lowest = layer->relu ? 0 : INT16_MIN,
        .counted = layer->counted,
    };
}

/* What a row's sum starts from. */
static inline int64_t sp_row_start(const sp_requantiser_t *q, uint32_t row)
{
    return (q->bias != NULL ? q->bias[row] : 0) + q->half;
}

/* Requantise a sum that started from sp_row_start. */
static inline int16_t sp_finish(sp_requantiser_t *q, int64_t sum)
{
    int64_t wide = sum;
    int32_t value;

    if (q->left != 0) {
        wide = sum * ((int64_t)1 << q->left);
    }
    if (wide == (int32_t)wide) {
        value = (int32_t)wide >> (q->shift < 31 ? q->shift : 31);
    } else {
        wide >>= q->shift;
        value = wide > INT16_MAX ? INT16_MAX + 1 : wide < INT16_MIN ? INT16_MIN - 1 : (int32_t)wide;
    }
    if (value > INT16_MAX) {
        q->saturations += (q->counted & SP_COUNT_HIGH) != 0;
        value = INT16_MAX;
    } else if (value < q->lowest) {
        q->saturations += (q->counted & SP_COUNT_LOW) != 0;
        value = q->lowest;
    }
    return (int16_t)value;
}

#endif
