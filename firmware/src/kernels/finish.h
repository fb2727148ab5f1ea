/* SPDX-License-Identifier: Apache-2.0
 *
 * From accumulator to int16, about 12 instructions a row. A sum that fits 32 bits and a value that
 * needs no clamp, the usual case, are inline; everything else is one function away.
 */
#ifndef SECONDPASS_KERNELS_FINISH_H
#define SECONDPASS_KERNELS_FINISH_H

#include <stddef.h>

#include "secondpass/kernels.h"

/* Loops get registers of their own when the frame around them is another function. */
#ifdef __GNUC__
#define SP_NOINLINE __attribute__((noinline))
#else
#define SP_NOINLINE
#endif

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
    int64_t half;         /* added before the shift */
    unsigned shift;       /* right, 0 to 31 */
    int32_t rectified;    /* -1: negative values become 0, not counted */
    uint32_t base, limit; /* values that need no clamp are base + [0, limit] */
    uint32_t saturations;
    const sp_fc_t *layer;
} sp_requantiser_t;

static inline sp_requantiser_t sp_requantiser(const sp_fc_t *layer)
{
    const int shift = layer->shift;
    const int32_t lowest = layer->relu ? 0 : INT16_MIN;
    sp_requantiser_t q = {
        .half = shift > 0 ? (int64_t)1 << (shift - 1) : 0,
        .shift = (unsigned)shift & 31u,
        .rectified = layer->relu && !(layer->counted & SP_COUNT_LOW) ? -1 : 0,
        .base = (uint32_t)lowest,
        .limit = (uint32_t)(INT16_MAX - lowest),
        .saturations = 0,
        .layer = layer,
    };

    if (shift < 0 || shift > 31) {
        q.shift = 1; /* no value is 2^31 - 1 then: all take the general way */
        q.base = INT32_MAX;
        q.limit = 0;
    }
    return q;
}

/* Any sum, `half` included. */
static SP_NOINLINE int16_t sp_finish_wide(sp_requantiser_t *q, int64_t sum)
{
    const int shift = q->layer->shift;
    const int64_t value = shift < 0 ? sum * ((int64_t)1 << -shift) : sum >> shift;
    const int16_t lowest = q->layer->relu ? 0 : INT16_MIN;

    if (value > INT16_MAX) {
        q->saturations += (q->layer->counted & SP_COUNT_HIGH) != 0;
        return INT16_MAX;
    }
    if (value < lowest) {
        q->saturations += (q->layer->counted & SP_COUNT_LOW) != 0;
        return lowest;
    }
    return (int16_t)value;
}

/* Requantise a sum, `half` included. */
static inline int16_t sp_finish(sp_requantiser_t *q, int64_t sum)
{
    int32_t value = (int32_t)sum >> q->shift;

    value &= ~((value >> 31) & q->rectified);
    if (sum != (int32_t)sum || (uint32_t)value - q->base > q->limit) {
        return sp_finish_wide(q, sum);
    }
    return (int16_t)value;
}

#endif
