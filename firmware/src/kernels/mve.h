/* SPDX-License-Identifier: Apache-2.0
 *
 * Vectors of the M-profile extension. gcc 12 does not vectorise these kernels by itself.
 */
#ifndef SECONDPASS_KERNELS_MVE_H
#define SECONDPASS_KERNELS_MVE_H

#include "forms.h"

#if SP_MVE
#include <arm_mve.h>

/* Four pairs of int16 from a vector. */
static inline int16x8_t sp_gather_pairs(const int16_t *values, uint32x4_t pair)
{
    return vreinterpretq_s16_s32(
        vldrwq_gather_shifted_offset_s32((const int32_t *)(const void *)values, pair));
}

/* The same; lanes that are off are zero. */
static inline int16x8_t sp_gather_some_pairs(const int16_t *values, uint32x4_t pair,
                                             mve_pred16_t lanes)
{
    return vreinterpretq_s16_s32(
        vldrwq_gather_shifted_offset_z_s32((const int32_t *)(const void *)values, pair, lanes));
}

static inline void sp_scatter_pairs(int16_t *values, uint32x4_t pair, int16x8_t moved)
{
    vstrwq_scatter_shifted_offset_s32((int32_t *)(void *)values, pair,
                                      vreinterpretq_s32_s16(moved));
}

static inline void sp_scatter_some_pairs(int16_t *values, uint32x4_t pair, int16x8_t moved,
                                         mve_pred16_t lanes)
{
    vstrwq_scatter_shifted_offset_p_s32((int32_t *)(void *)values, pair,
                                        vreinterpretq_s32_s16(moved), lanes);
}

#endif
#endif
