/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame of all updates: W -= d p^T / 2^U with dithered rounding, row by row. A file that
 * includes it defines
 *
 * SP_WEIGHT, SP_X       types of a weight and of a presynaptic value
 * SP_SHIFT              U
 * SP_STRIDE, SP_ROOM    kernels.h: of these weights
 * SP_SATURATE           fixed.h: to the weights' type
 * SP_BOUND              d loses so many bits: (|d| >> SP_BOUND) + 1 bounds a step
 * SP_UPDATE             the kernel's name
 *
 * and the two loops, which may assume that no weight saturates:
 *
 * move_row              of all columns
 * move_groups           of the listed groups of columns (and those behind the last whole group)
 *
 * Counting clamps costs as much again as the update, so the frame keeps a bound for each row, its
 * room: how far its weights are at least from the limits. An update takes its largest step off the
 * room; when the room is used up, one look at the row makes it exact. Rows that really are at a
 * limit are clamped and counted weight by weight, and looked at again in one of 16 updates.
 */
#ifndef SECONDPASS_KERNELS_UPDATE_H
#define SECONDPASS_KERNELS_UPDATE_H

#include "secondpass/kernels.h"

/* The definition of an update, for a row near a limit. */
static uint32_t clamp_row(SP_WEIGHT *weights, const SP_X *presynaptic, uint32_t inputs,
                          int32_t error, uint32_t dither)
{
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < inputs; ++j) {
        const int32_t offset = (int32_t)(dither >> (32u - SP_SHIFT));
        const int32_t step = (error * presynaptic[j] + offset) >> SP_SHIFT;

        weights[j] = SP_SATURATE(weights[j] - step, &saturations);
        dither += (j & 1u) * SP_GOLDEN;
    }
    return saturations;
}

/* Take steps of at most `bound` off the room of a row. Is there enough? */
static int take_room(uint16_t *room, uint32_t bound, const SP_WEIGHT *weights, uint32_t inputs,
                     uint32_t chance)
{
    if (bound > *room && (*room != 0 || chance % 16u == 0)) {
        *room = SP_ROOM(weights, inputs);
    }
    if (bound > *room) {
        *room = 0;
        return 0;
    }
    *room = (uint16_t)(*room - bound);
    return 1;
}

uint32_t SP_UPDATE(const sp_fc_t *layer, const int16_t *row_errors, const SP_X *presynaptic,
                   const uint16_t *groups, uint32_t key, uint16_t *room, SP_WEIGHT *weights)
{
    const uint32_t stride = SP_STRIDE(layer->inputs);
    const uint32_t inputs = layer->inputs;
    const int few = sp_few(groups);
    uint32_t saturations = 0;

    for (uint32_t row = 0; row < layer->outputs; ++row, weights += stride) {
        const int32_t error = row_errors[row];
        const uint32_t bound = ((uint32_t)(error < 0 ? -error : error) >> SP_BOUND) + 1u;

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

#endif
