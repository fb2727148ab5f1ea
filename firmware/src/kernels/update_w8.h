/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops of both updates of int8 weights. A file that includes it defines SP_X, SP_SHIFT and
 * SP_UPDATE of update.h and, for its form,
 *
 * MVE    sp_values, sp_some_values: eight presynaptic values as int16, or some; sp_steps: steps from products' upper halves
 * DSP    sp_products: upper halves of four products, those of 0 and 2 and (*odd) of 1 and 3;
 *        sp_four_steps: four bytes from them
 *
 * Instructions a weight, gcc 12.2 -O2: DSP 4.9, MVE 1.6, plain 6.5.
 */
#ifndef SECONDPASS_KERNELS_UPDATE_W8_H
#define SECONDPASS_KERNELS_UPDATE_W8_H

#if !SP_MVE

/* Some columns, the first of them even. */
static void move_columns(int8_t *weights, const SP_X *presynaptic, uint32_t count, int32_t error,
                         uint32_t dither)
{
    for (uint32_t j = 0; j < count; ++j) {
        const int32_t offset = (int32_t)((dither + (j >> 1) * SP_GOLDEN) >> (32u - SP_SHIFT));

        weights[j] = (int8_t)(weights[j] - ((error * presynaptic[j] + offset) >> SP_SHIFT));
    }
}

#endif

#if SP_MVE

/* Eight steps; `weyl` are the offsets of four pairs before their shift. */
static inline int16x8_t eight_steps(int16x8_t values, int16_t error, uint32x4_t weyl)
{
    const int16x8_t errors = vdupq_n_s16(error);
    const int32x4_t offset = vreinterpretq_s32_u32(vshrq_n_u32(weyl, 32 - SP_SHIFT));
    const int32x4_t even = vaddq_s32(vmullbq_int_s16(values, errors), offset);
    const int32x4_t odd = vaddq_s32(vmulltq_int_s16(values, errors), offset);

    return sp_steps(vshrnbq_n_s32(vreinterpretq_s16_s32(odd), even, 16));
}

static void move_row(int8_t *weights, const SP_X *presynaptic, uint32_t inputs, int32_t error,
                     uint32_t dither)
{
    uint32x4_t weyl = vmlaq_n_u32(vdupq_n_u32(dither), vidupq_n_u32(0, 1), SP_GOLDEN);

    for (uint32_t eights = inputs / 8; eights != 0; --eights) {
        const int16x8_t step = eight_steps(sp_values(presynaptic), (int16_t)error, weyl);

        vstrbq_s16(weights, vsubq_s16(vldrbq_s16(weights), step));
        weyl = vaddq_n_u32(weyl, 4u * SP_GOLDEN);
        weights += 8;
        presynaptic += 8;
    }
    if (inputs % 8 != 0) {
        const mve_pred16_t lanes = vctp16q(inputs % 8);
        const int16x8_t values = sp_some_values(presynaptic, lanes);
        const int16x8_t step = eight_steps(values, (int16_t)error, weyl);

        vstrbq_p_s16(weights, vsubq_s16(vldrbq_z_s16(weights, lanes), step), lanes);
    }
}

/* Gathering bytes does not pay: all columns move. A zero moves no weight. */
static void move_groups(int8_t *weights, const SP_X *presynaptic, uint32_t inputs,
                        const uint16_t *groups, int32_t error, uint32_t dither)
{
    (void)groups;
    move_row(weights, presynaptic, inputs, error, dither);
}

#else

/* One quad of columns. */
static inline void move_quad(int8_t *weights, const SP_X *presynaptic, int32_t error,
                             uint32_t dither)
{
#if SP_DSP
    uint32_t odd;
    const uint32_t even = sp_products(presynaptic, error, dither, &odd);

    sp_store_word(weights, sp_ssub8(sp_load_word(weights), sp_four_steps(even, odd)));
#else
    move_columns(weights, presynaptic, 4, error, dither);
#endif
}

static void move_row(int8_t *weights, const SP_X *presynaptic, uint32_t inputs, int32_t error,
                     uint32_t dither)
{
    const uint32_t whole = inputs & ~3u;

    for (uint32_t j = 0; j < whole; j += 4, dither += 2u * SP_GOLDEN) {
        move_quad(weights + j, presynaptic + j, error, dither);
    }
    move_columns(weights + whole, presynaptic + whole, inputs - whole, error, dither);
}

static void move_groups(int8_t *weights, const SP_X *presynaptic, uint32_t inputs,
                        const uint16_t *groups, int32_t error, uint32_t dither)
{
    const uint16_t *const end = groups + 1 + *groups;
    const uint32_t whole = inputs & ~3u;

    for (const uint16_t *group = groups + 1; group != end; ++group) {
        const uint32_t quad = *group;

        move_quad(weights + 4 * quad, presynaptic + 4 * quad, error,
                  dither + 2 * quad * SP_GOLDEN);
    }
    move_columns(weights + whole, presynaptic + whole, inputs - whole, error,
                 dither + whole / 2 * SP_GOLDEN);
}

#endif

#define SP_WEIGHT int8_t
#define SP_STRIDE sp_row_stride8
#define SP_ROOM sp_room_w8
#define SP_SATURATE sp_saturate8
#define SP_BOUND 9u
#include "update.h"

#endif
