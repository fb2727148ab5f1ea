/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame and the loops of both updates of int8 weights. A file that includes it defines
 *
 * SP_X          type of a presynaptic value
 * SP_SHIFT      bits that the product loses, 16 or 24
 * SP_UPDATE     the kernel's name
 *
 * and, for its form,
 *
 * MVE    sp_values, sp_some_values: eight presynaptic values as int16, or some of them;
 *        sp_steps: steps from the upper halves of products
 * DSP    sp_products: upper halves of four products, those of 0 and 2 and (*odd) of 1 and 3;
 *        sp_four_steps: four bytes from them
 *
 * Eight bits are soon used up, so every weight is clamped and counted as it moves; that it was
 * clamped is the rare case. Instructions a weight, gcc 12.2 -O2: DSP 6, MVE 3, plain 12
 * (Cortex-M0+: 16).
 */
#ifndef SECONDPASS_KERNELS_UPDATE_W8_H
#define SECONDPASS_KERNELS_UPDATE_W8_H

/* What an update of one row needs. */
typedef struct {
    const SP_X *presynaptic;
    uint32_t inputs;
    int32_t error;
    uint32_t dither;
} row_t;

#if SP_MVE

/* Eight weights less their steps, clamped; `weyl` are the offsets of four pairs before their
 * shift. Lanes that were clamped are added to *saturations. */
static inline int16x8_t move_eight(int16x8_t weights, int16x8_t values, const row_t *row,
                                   uint32x4_t weyl, uint32_t *saturations)
{
    const int16x8_t errors = vdupq_n_s16((int16_t)row->error);
    const int32x4_t offset = vreinterpretq_s32_u32(vshrq_n_u32(weyl, 32 - SP_SHIFT));
    const int32x4_t even = vaddq_s32(vmullbq_int_s16(values, errors), offset);
    const int32x4_t odd = vaddq_s32(vmulltq_int_s16(values, errors), offset);
    const int16x8_t step = sp_steps(vshrnbq_n_s32(vreinterpretq_s16_s32(odd), even, 16));
    const int16x8_t moved = vsubq_s16(weights, step);
    const int16x8_t clamped =
        vmaxq_s16(vminq_s16(moved, vdupq_n_s16(INT8_MAX)), vdupq_n_s16(INT8_MIN));

    *saturations =
        vaddvaq_p_u16(*saturations, vdupq_n_u16(1), vcmpneq_s16(moved, clamped));
    return clamped;
}

static uint32_t move_row(int8_t *weights, const row_t *row)
{
    const SP_X *presynaptic = row->presynaptic;
    uint32x4_t weyl = vmlaq_n_u32(vdupq_n_u32(row->dither), vidupq_n_u32(0, 1), SP_GOLDEN);
    uint32_t saturations = 0;

    for (uint32_t eights = row->inputs / 8; eights != 0; --eights) {
        vstrbq_s16(weights, move_eight(vldrbq_s16(weights), sp_values(presynaptic), row, weyl,
                                       &saturations));
        weyl = vaddq_n_u32(weyl, 4u * SP_GOLDEN);
        weights += 8;
        presynaptic += 8;
    }
    if (row->inputs % 8 != 0) {
        const mve_pred16_t lanes = vctp16q(row->inputs % 8);

        vstrbq_p_s16(weights,
                     move_eight(vldrbq_z_s16(weights, lanes), sp_some_values(presynaptic, lanes),
                                row, weyl, &saturations),
                     lanes);
    }
    return saturations;
}

/* Gathering bytes does not pay: all columns move. A zero moves no weight. */
static uint32_t move_groups(int8_t *weights, const row_t *row, const uint16_t *groups)
{
    (void)groups;
    return move_row(weights, row);
}

#else

static inline void move_one(int8_t *weight, int32_t product, uint32_t dither,
                            uint32_t *saturations)
{
    const int32_t moved = *weight - ((product + (int32_t)(dither >> (32u - SP_SHIFT))) >> SP_SHIFT);

    *weight = (int8_t)moved;
    if (SP_UNLIKELY(moved != (int8_t)moved)) {
        *weight = moved > 0 ? INT8_MAX : INT8_MIN;
        ++*saturations;
    }
}

/* Some columns from an even one on. */
static uint32_t move_columns(int8_t *weights, const row_t *row, uint32_t first, uint32_t count)
{
    const SP_X *x = row->presynaptic + first;
    const int32_t error = row->error;
    uint32_t dither = row->dither + first / 2 * SP_GOLDEN;
    uint32_t saturations = 0;

    weights += first;
    for (const SP_X *const end = x + (count & ~1u); x != end; x += 2, weights += 2) {
        move_one(&weights[0], error * x[0], dither, &saturations);
        move_one(&weights[1], error * x[1], dither, &saturations);
        dither += SP_GOLDEN;
    }
    if (count % 2 != 0) {
        move_one(weights, error * *x, dither, &saturations);
    }
    return saturations;
}

#if SP_DSP

/* Bytes of a word that are not zero. */
static inline uint32_t bytes_set(uint32_t word)
{
    word |= word >> 4;
    word |= word >> 2;
    word |= word >> 1;
    return (word & 0x01010101u) * 0x01010101u >> 24;
}

/* One quad of columns. */
static inline uint32_t move_quad(int8_t *weights, const row_t *row, uint32_t quad)
{
    uint32_t odd;
    const uint32_t even = sp_products(row->presynaptic + 4 * quad, row->error,
                                      row->dither + 2 * quad * SP_GOLDEN, &odd);
    const uint32_t steps = sp_four_steps(even, odd);
    const uint32_t before = sp_load_word(weights + 4 * quad);
    const uint32_t clamped = sp_qsub8(before, steps);
    const uint32_t difference = clamped ^ sp_ssub8(before, steps);

    sp_store_word(weights + 4 * quad, clamped);
    return SP_UNLIKELY(difference != 0) ? bytes_set(difference) : 0;
}

#else

static inline uint32_t move_quad(int8_t *weights, const row_t *row, uint32_t quad)
{
    return move_columns(weights, row, 4 * quad, 4);
}

#endif

static uint32_t move_row(int8_t *weights, const row_t *row)
{
#if SP_DSP
    const uint32_t whole = row->inputs & ~3u;
    uint32_t saturations = 0;

    for (uint32_t quad = 0; quad < whole / 4; ++quad) {
        saturations += move_quad(weights, row, quad);
    }
    return saturations + move_columns(weights, row, whole, row->inputs - whole);
#else
    return move_columns(weights, row, 0, row->inputs);
#endif
}

/* The listed quads, and the columns behind the last whole one. */
static uint32_t move_groups(int8_t *weights, const row_t *row, const uint16_t *groups)
{
    const uint16_t *const end = groups + 1 + *groups;
    const uint32_t whole = row->inputs & ~3u;
    uint32_t saturations = 0;

    for (const uint16_t *group = groups + 1; group != end; ++group) {
        saturations += move_quad(weights, row, *group);
    }
    return saturations + move_columns(weights, row, whole, row->inputs - whole);
}

#endif

uint32_t SP_UPDATE(const sp_fc_t *layer, const int16_t *row_errors, const SP_X *presynaptic,
                   const uint16_t *groups, uint32_t key, int8_t *weights)
{
    const uint32_t stride = sp_row_stride8(layer->inputs);
    const int few = sp_few(groups);
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < layer->outputs; ++i, weights += stride) {
        if (row_errors[i] != 0) {
            const row_t row = {presynaptic, layer->inputs, row_errors[i], sp_mix32(key + i)};

            saturations += few ? move_groups(weights, &row, groups) : move_row(weights, &row);
        }
    }
    return saturations;
}

#endif
