/* SPDX-License-Identifier: Apache-2.0
 *
 * The short second pass: the modulation from Q, and Q as it follows an update
 * (docs/projection.md 5.7, 5.8). Q: int32, a row a unit of the first layer; signal and row errors:
 * int16; folded: int32.
 *
 * Modulation: the long multiply accumulates, since Q and the signal have 47 bits together; two
 * units share the load of the signal and the loop. Row update: the step is the upper word of one
 * long product, rounded with the lower word's top bit, and saturates by the overflow flag.
 * Instructions on Armv7-M: 7 for two products and some 40 a unit; 9 for an element of a step.
 * MVE: 4 for four products and 19 a unit, four of which are scaled together; 6 for four elements
 * of a step.
 * Armv6-M has no long multiplication; there products of halves are summed in digits: 24 a product.
 */
#include "secondpass/projection.h"

#include "forms.h"
#include "mve.h"

/* Bits that q times the signal loses before it is scaled. */
#define FOLD_SHIFT 12u

/* One unit's modulation from its sum, shifted. */
static inline int16_t finish(int64_t total, sp_scale_t scale, uint32_t *saturations)
{
    return sp_scale16(sp_saturate32(total, saturations), scale, saturations);
}

#if SP_MVE

/* The sums of rows, shifted. Not inline: registers for these loops. */
static SP_NOINLINE void row_totals(const int32_t *q, uint32_t rows, uint32_t outputs,
                                   const int16_t *signal, int64_t *totals)
{
    const uint32_t fours = outputs / 4;
    const uint32_t rest = outputs % 4;
    const mve_pred16_t lanes = vctp32q(rest);
    const int32x4_t last = vldrhq_z_s32(signal + 4 * fours, lanes);

    for (const int64_t *const end = totals + rows; totals != end; q += rest) {
        const int16_t *at = signal;
        int64_t sum = (int64_t)1 << (FOLD_SHIFT - 1);

        for (uint32_t n = fours; n != 0; --n) {
            sum = vmlaldavaq_s32(sum, vldrwq_s32(q), vldrhq_s32(at));
            q += 4;
            at += 4;
        }
        *totals++ = vmlaldavaq_s32(sum, vldrwq_z_s32(q, lanes), last) >> FOLD_SHIFT;
    }
}

/* Four units, if none saturates. The scale's shift is done in two, by 16 and by the rest, of which
 * only the second rounds: rest >= 1. */
static inline int finish_four(const int64_t *totals, int32_t multiplier, int32_t rest,
                              int16_t *change)
{
    const int32x4x2_t halves = vld2q_s32((const int32_t *)(const void *)totals);
    const int32x4_t factor = vdupq_n_s32(multiplier * 0x10000);
    const int32x4_t scaled = vmulhq_s32(halves.val[0], factor);
    const int32x4_t value = vrshlq_n_s32(scaled, -rest);
    const int32x4_t wide = veorq_s32(halves.val[1], vshrq_n_s32(halves.val[0], 31));
    const int32x4_t large = veorq_s32(value, vmovlbq_s16(vreinterpretq_s16_s32(value)));

    /* gcc 12.2 breaks down on a comparison with a scalar here. */
    if (vcmpneq_s32(vorrq_s32(wide, large), vdupq_n_s32(0))) {
        return 0;
    }
    vstrhq_s32(change, value);
    return 1;
}

/* Any units. */
static SP_NOINLINE uint32_t finish_any(const int64_t *totals, uint32_t units, sp_scale_t scale,
                                       int16_t *change)
{
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < units; ++i) {
        change[i] = finish(totals[i], scale, &saturations);
    }
    return saturations;
}

uint32_t sp_modulation(const int32_t *q, uint32_t units, uint32_t outputs, const int16_t *signal,
                       sp_scale_t scale, int16_t *change)
{
    const int32_t rest = scale.shift - 16;
    uint32_t saturations = 0;
    int64_t totals[8];

    for (uint32_t i = 0; i < units; i += 8, q += 8 * outputs) {
        const uint32_t count = units - i < 8 ? units - i : 8;
        uint32_t done = 0;

        row_totals(q, count, outputs, signal, totals);
        while (rest > 0 && done + 4 <= count &&
               finish_four(totals + done, scale.multiplier, rest, change + i + done)) {
            done += 4;
        }
        if (done != count) {
            saturations += finish_any(totals + done, count - done, scale, change + i + done);
        }
    }
    sp_pad(change, units);
    return saturations;
}

#elif defined(SP_NO_LONG_MULTIPLY)

/* A row's sum, in digits of 16 bits: sums of 4096 of them fit 32 bits. */
static int64_t row_sum(const int32_t *q, const int16_t *signal, uint32_t outputs)
{
    int32_t upper = 0;
    int32_t middle = 0;
    int32_t lower = 0;

    for (const int32_t *end = q + outputs; q < end; ++q, ++signal) {
        const int32_t low = (int32_t)(*q & 0xFFFF) * *signal;
        const int32_t high = (*q >> 16) * *signal + (low >> 16);

        upper += high >> 16;
        middle += high & 0xFFFF;
        lower += low & 0xFFFF;
    }
    return (int64_t)upper * 0x100000000 + (int64_t)middle * 0x10000 + lower;
}

uint32_t sp_modulation(const int32_t *q, uint32_t units, uint32_t outputs, const int16_t *signal,
                       sp_scale_t scale, int16_t *change)
{
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < units; ++i, q += outputs) {
        const int64_t sum = row_sum(q, signal, outputs);

        change[i] = finish(sp_round_shift(sum, FOLD_SHIFT), scale, &saturations);
    }
    sp_pad(change, units);
    return saturations;
}

#else

uint32_t sp_modulation(const int32_t *q, uint32_t units, uint32_t outputs, const int16_t *signal,
                       sp_scale_t scale, int16_t *change)
{
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < units; i += 2) {
        /* Behind an odd number of units the last one is computed twice. */
        const int32_t *next = i + 1 < units ? q + outputs : q;
        int64_t first = 0;
        int64_t second = 0;

        for (uint32_t k = 0; k < outputs; ++k) {
            first += (int64_t)*q++ * signal[k];
            second += (int64_t)*next++ * signal[k];
        }
        q = next;
        change[i] = finish(sp_round_shift(first, FOLD_SHIFT), scale, &saturations);
        if (i + 1 < units) {
            change[i + 1] = finish(sp_round_shift(second, FOLD_SHIFT), scale, &saturations);
        }
    }
    sp_pad(change, units);
    return saturations;
}

#endif

#if SP_MVE

/* The upper word of a product, rounded, is one instruction. */
static void follow_row(int32_t *q, const int32_t *folded, uint32_t outputs, int32_t error,
                       unsigned shift)
{
    const int32x4_t factor = vdupq_n_s32(error * ((int32_t)1 << (32u - shift)));

    for (uint32_t fours = outputs / 4; fours != 0; --fours) {
        const int32x4_t step = vrmulhq_s32(vldrwq_s32(folded), factor);

        vstrwq_s32(q, vqsubq_s32(vldrwq_s32(q), step));
        folded += 4;
        q += 4;
    }
    if (outputs % 4 != 0) {
        const mve_pred16_t lanes = vctp32q(outputs % 4);
        const int32x4_t step = vrmulhq_s32(vldrwq_z_s32(folded, lanes), factor);

        vstrwq_p_s32(q, vqsubq_s32(vldrwq_z_s32(q, lanes), step), lanes);
    }
}

#else

/* round_shift(error * folded, shift); error: int16, shift in [16, 30]. */
static int32_t step_of(int32_t error, int32_t folded, unsigned shift)
{
#if defined(SP_NO_LONG_MULTIPLY)
    /* The half is a bit of the lower part's, or of what is left of the shift. */
    const unsigned rest = shift - 16u;
    const int32_t half = rest == 0 ? 0x8000 : 0;
    const int32_t lower = ((int32_t)(folded & 0xFFFF) * error + half) >> 16;

    return ((folded >> 16) * error + lower + (((int32_t)1 << rest) >> 1)) >> rest;
#else
    const int64_t product = (int64_t)(error * ((int32_t)1 << (32u - shift))) * folded;

    return (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
#endif
}

static void follow_row(int32_t *q, const int32_t *folded, uint32_t outputs, int32_t error,
                       unsigned shift)
{
    for (uint32_t k = 0; k < outputs; ++k) {
        const int32_t step = step_of(error, folded[k], shift);

        if (SP_UNLIKELY(__builtin_sub_overflow(q[k], step, &q[k]))) {
            q[k] = INT32_MIN ^ (step >> 31); /* the complement of the lowest is the highest */
        }
    }
}

#endif

void sp_follow_update(int32_t *q, uint32_t units, uint32_t outputs, const int16_t *row_errors,
                      const int32_t *folded, unsigned shift)
{
    for (uint32_t i = 0; i < units; ++i, q += outputs) {
        if (row_errors[i] != 0) {
            follow_row(q, folded, outputs, row_errors[i], shift);
        }
    }
}
