/* SPDX-License-Identifier: Apache-2.0
 *
 * Update of int16 weights: W -= (d p^T + offsets) / 2^16. A pair of columns shares an offset.
 *
 * |d p| <= 2^30 and an offset of 16 bits fit int32. Instructions a weight that cannot saturate,
 * gcc 12.2 -O2:
 *
 * DSP    4.0  SMLABB and SMLATB make two products with their offset, PKHTB takes both upper halves,
 *             SSUB16 subtracts; LDRD and STRD move four weights
 * MVE    1.7  VMULLB and VMULLT make the even and the odd products, VSHRNB puts the upper halves
 *             together; the vector of offsets grows by four Weyl increments
 * plain  8    products with MLA or MUL in 32 bits (Cortex-M0+: 11)
 *
 * A listed pair of columns costs 11, on MVE 4, plain 16.
 *
 * Counting clamps would cost 1.5 (DSP) to 3 more, so there is a bound for each row, its room: how
 * far its weights are at least from the limits. An update takes its largest step off the room; when
 * the room is used up, one look at the row makes it exact. Rows that really are at a limit are
 * clamped and counted weight by weight, and looked at again in one of 16 updates.
 */
#include "secondpass/kernels.h"

#include "dsp.h"
#include "mve.h"

#if SP_MVE

/* The offsets before their shift: those of four pairs. */
static inline int16x8_t steps(int16x8_t values, int16_t error, uint32x4_t dither)
{
    const int32x4_t offset = vreinterpretq_s32_u32(vshrq_n_u32(dither, 16));
    const int16x8_t errors = vdupq_n_s16(error);
    const int32x4_t even = vaddq_s32(vmullbq_int_s16(values, errors), offset);
    const int32x4_t odd = vaddq_s32(vmulltq_int_s16(values, errors), offset);

    return vshrnbq_n_s32(vreinterpretq_s16_s32(odd), even, 16);
}

static void move_row(int16_t *weights, const int16_t *presynaptic, uint32_t inputs, int32_t error,
                     uint32_t dither)
{
    uint32x4_t weyl = vmlaq_n_u32(vdupq_n_u32(dither), vidupq_n_u32(0, 1), SP_GOLDEN);

    for (uint32_t eights = inputs / 8; eights != 0; --eights) {
        const int16x8_t step = steps(vldrhq_s16(presynaptic), (int16_t)error, weyl);

        vstrhq_s16(weights, vsubq_s16(vldrhq_s16(weights), step));
        weyl = vaddq_n_u32(weyl, 4u * SP_GOLDEN);
        weights += 8;
        presynaptic += 8;
    }
    if (inputs % 8 != 0) {
        const mve_pred16_t lanes = vctp16q(inputs % 8);
        const int16x8_t step = steps(vldrhq_z_s16(presynaptic, lanes), (int16_t)error, weyl);

        vstrhq_p_s16(weights, vsubq_s16(vldrhq_z_s16(weights, lanes), step), lanes);
    }
}

static void move_groups(int16_t *weights, const int16_t *presynaptic, uint32_t inputs,
                        const uint16_t *groups, int32_t error, uint32_t dither)
{
    const uint32_t count = *groups++;
    const uint32x4_t start = vdupq_n_u32(dither);

    (void)inputs;
    for (uint32_t fours = count / 4; fours != 0; --fours, groups += 4) {
        const uint32x4_t pair = vldrhq_u32(groups);
        const uint32x4_t weyl = vmlaq_n_u32(start, pair, SP_GOLDEN);
        const int16x8_t step =
            steps(sp_gather_pairs(presynaptic, pair), (int16_t)error, weyl);

        sp_scatter_pairs(weights, pair, vsubq_s16(sp_gather_pairs(weights, pair), step));
    }
    if (count % 4 != 0) {
        const mve_pred16_t lanes = vctp32q(count % 4);
        const uint32x4_t pair = vldrhq_z_u32(groups, lanes);
        const uint32x4_t weyl = vmlaq_n_u32(start, pair, SP_GOLDEN);
        const int16x8_t step =
            steps(sp_gather_some_pairs(presynaptic, pair, lanes), (int16_t)error, weyl);
        const int16x8_t before = sp_gather_some_pairs(weights, pair, lanes);

        sp_scatter_some_pairs(weights, pair, vsubq_s16(before, step), lanes);
    }
}

#elif SP_DSP

/* One pair of columns. */
static inline void move_pair(int16_t *weights, const int16_t *presynaptic, int32_t error,
                             uint32_t dither)
{
    const uint32_t steps = sp_two_steps(error, sp_load_word(presynaptic), dither);

    sp_store_word(weights, sp_ssub16(sp_load_word(weights), steps));
}

static void move_row(int16_t *weights, const int16_t *presynaptic, uint32_t inputs, int32_t error,
                     uint32_t dither)
{
    const uint32_t stride = sp_row_stride(inputs);
    int16_t *const sixteens = weights + (stride & ~15u);
    int16_t *const end = weights + stride;

    while (weights != sixteens) {
        sp_move_block(&weights, &presynaptic, error, &dither);
        sp_move_block(&weights, &presynaptic, error, &dither);
        sp_move_block(&weights, &presynaptic, error, &dither);
        sp_move_block(&weights, &presynaptic, error, &dither);
    }
    for (; weights != end; weights += 2, presynaptic += 2, dither += SP_GOLDEN) {
        move_pair(weights, presynaptic, error, dither);
    }
}

#else

static inline void move_pair(int16_t *weights, const int16_t *presynaptic, int32_t error,
                             uint32_t dither)
{
    const int32_t offset = (int32_t)(dither >> 16);

    weights[0] = (int16_t)(weights[0] - ((error * presynaptic[0] + offset) >> 16));
    weights[1] = (int16_t)(weights[1] - ((error * presynaptic[1] + offset) >> 16));
}

static void move_row(int16_t *weights, const int16_t *presynaptic, uint32_t inputs, int32_t error,
                     uint32_t dither)
{
    int16_t *const end = weights + sp_row_stride(inputs);
    int16_t *const fours = weights + (sp_row_stride(inputs) & ~3u);

    for (; weights != fours; weights += 4, presynaptic += 4, dither += 2u * SP_GOLDEN) {
        move_pair(weights, presynaptic, error, dither);
        move_pair(weights + 2, presynaptic + 2, error, dither + SP_GOLDEN);
    }
    if (weights != end) {
        move_pair(weights, presynaptic, error, dither);
    }
}

#endif

#if !SP_MVE

static inline void move_listed(int16_t *weights, const int16_t *presynaptic, uint32_t pair,
                               int32_t error, uint32_t dither)
{
    move_pair(weights + 2 * pair, presynaptic + 2 * pair, error, dither + pair * SP_GOLDEN);
}

static void move_groups(int16_t *weights, const int16_t *presynaptic, uint32_t inputs,
                        const uint16_t *groups, int32_t error, uint32_t dither)
{
    const uint16_t *group = groups + 1;
    const uint16_t *const twos = group + (*groups & ~1u);

    (void)inputs;
    for (; group != twos; group += 2) {
        move_listed(weights, presynaptic, group[0], error, dither);
        move_listed(weights, presynaptic, group[1], error, dither);
    }
    if (*groups % 2 != 0) {
        move_listed(weights, presynaptic, *group, error, dither);
    }
}

#endif

/* The definition of an update, for a row near a limit. */
static uint32_t clamp_row(int16_t *weights, const int16_t *presynaptic, uint32_t inputs,
                          int32_t error, uint32_t dither)
{
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < inputs; ++j) {
        const int32_t offset = (int32_t)(dither >> 16);
        const int32_t step = (error * presynaptic[j] + offset) >> 16;

        weights[j] = sp_saturate16(weights[j] - step, &saturations);
        dither += (j & 1u) * SP_GOLDEN;
    }
    return saturations;
}

/* Take steps of at most `bound` off the room of a row. Is there enough? */
static int take_room(uint16_t *room, uint32_t bound, const int16_t *weights, uint32_t inputs,
                     uint32_t chance)
{
    if (bound > *room && (*room != 0 || chance % 16u == 0)) {
        *room = sp_room_w16(weights, inputs);
    }
    if (bound > *room) {
        *room = 0;
        return 0;
    }
    *room = (uint16_t)(*room - bound);
    return 1;
}

uint32_t sp_update_a16w16(const sp_fc_t *layer, const int16_t *row_errors, const int16_t *presynaptic,
                   const uint16_t *groups, uint32_t key, uint16_t *room, int16_t *weights)
{
    const uint32_t stride = sp_row_stride(layer->inputs);
    const uint32_t inputs = layer->inputs;
    const int few = sp_few(groups);
    uint32_t saturations = 0;

    for (uint32_t row = 0; row < layer->outputs; ++row, weights += stride) {
        const int32_t error = row_errors[row];
        const uint32_t bound = ((uint32_t)(error < 0 ? -error : error) >> 1) + 1u;

        if (error == 0) {
            continue;
        }
        const uint32_t dither = sp_mix32(key + row);

        if (!take_room(&room[row], bound, weights, inputs, dither)) {
            saturations += clamp_row(weights, presynaptic, inputs, error, dither);
        } else if (few) {
            move_groups(weights, presynaptic, inputs, groups, error, dither);
        } else {
            move_row(weights, presynaptic, inputs, error, dither);
        }
    }
    return saturations;
}
