/* SPDX-License-Identifier: Apache-2.0
 *
 * Update of int8 weights from int16 presynaptic values: W -= (d p^T + offsets) / 2^24. A pair of
 * columns shares an offset.
 *
 * |d p| <= 2^30 and an offset of 24 bits fit int32; a step is the top byte. The loops are in
 * update_w8.h.
 */
#include "secondpass/kernels.h"

#include "dsp.h"
#include "mve.h"

#define SP_X int16_t
#define SP_SHIFT 24u
#define SP_UPDATE sp_update_a16w8

#if SP_MVE

static inline int16x8_t sp_values(const int16_t *presynaptic)
{
    return vldrhq_s16(presynaptic);
}

static inline int16x8_t sp_some_values(const int16_t *presynaptic, mve_pred16_t lanes)
{
    return vldrhq_z_s16(presynaptic, lanes);
}

/* From the upper halves of the products to steps. */
static inline int16x8_t sp_steps(int16x8_t halves)
{
    return vshrq_n_s16(halves, 8);
}

#elif SP_DSP

/* Values 0 and 1 of four, one in each half; and 2 and 3. */
static inline uint32_t sp_products(const int16_t *presynaptic, int32_t error, uint32_t dither,
                                   uint32_t *odd)
{
    const uint32_t first = sp_load_word(presynaptic);
    const uint32_t second = sp_load_word(presynaptic + 2);
    const int32_t offset = (int32_t)(dither >> 8);
    const int32_t offset2 = (int32_t)((dither + SP_GOLDEN) >> 8);

    *odd = sp_pkhtb(sp_smlabt(error, second, offset2), sp_smlabt(error, first, offset));
    return sp_pkhtb(sp_smlabb(error, second, offset2), sp_smlabb(error, first, offset));
}

/* Four bytes of steps from the upper halves of four products. */
static inline uint32_t sp_four_steps(uint32_t even, uint32_t odd)
{
    return sp_uxtb16_odd(even) | (odd & 0xFF00FF00u);
}

#endif

#include "update_w8.h"
