/* SPDX-License-Identifier: Apache-2.0
 *
 * Update of int8 weights from int8 presynaptic values: W -= (d p^T + offsets) / 2^16. A pair of
 * columns shares an offset.
 *
 * |d p| <= 2^22 and an offset of 16 bits fit int32; a step is in [-64, 64]. The loops are in
 * update_w8.h.
 */
#include "secondpass/kernels.h"

#include "dsp.h"
#include "mve.h"

#define SP_X int8_t
#define SP_SHIFT 16u
#define SP_UPDATE sp_update_a8w8

#if SP_MVE

static inline int16x8_t sp_values(const int8_t *presynaptic)
{
    return vldrbq_s16(presynaptic);
}

static inline int16x8_t sp_some_values(const int8_t *presynaptic, mve_pred16_t lanes)
{
    return vldrbq_z_s16(presynaptic, lanes);
}

static inline int16x8_t sp_steps(int16x8_t halves)
{
    return halves;
}

#elif SP_DSP

static inline uint32_t sp_products(const int8_t *presynaptic, int32_t error, uint32_t dither,
                                   uint32_t *odd)
{
    const uint32_t word = sp_load_word(presynaptic);
    const uint32_t evens = sp_sxtb16(word);
    const uint32_t odds = sp_sxtb16_odd(word);
    const int32_t offset = (int32_t)(dither >> 16);
    const int32_t offset2 = (int32_t)((dither + SP_GOLDEN) >> 16);

    *odd = sp_pkhtb(sp_smlabt(error, odds, offset2), sp_smlabb(error, odds, offset));
    return sp_pkhtb(sp_smlabt(error, evens, offset2), sp_smlabb(error, evens, offset));
}

static inline uint32_t sp_four_steps(uint32_t even, uint32_t odd)
{
    return sp_uxtb16(even) | (sp_uxtb16(odd) << 8);
}

#endif

#include "update_w8.h"
