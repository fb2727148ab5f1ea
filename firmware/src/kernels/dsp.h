/* SPDX-License-Identifier: Apache-2.0
 *
 * The instructions of the Arm DSP extension that the kernels use, each as one inline function, and
 * the bodies of the hottest loops as blocks of assembly.
 *
 * Blocks are assembly because gcc 12 neither pairs the loads (LDRD with post-increment) nor finds
 * PKHTB; both are worth a quarter of a loop. With SP_EMULATE_DSP everything is plain C, so that a
 * host can test the DSP form of a kernel.
 */
#ifndef SECONDPASS_KERNELS_DSP_H
#define SECONDPASS_KERNELS_DSP_H

#include <stdint.h>
#include <string.h>

#include "forms.h"

#if SP_DSP

/* Two int16 in one register, the first in the low half; four int8 likewise. */
static inline uint32_t sp_load_word(const void *values)
{
    uint32_t word;

    memcpy(&word, __builtin_assume_aligned(values, 4), sizeof word);
    return word;
}

static inline void sp_store_word(void *values, uint32_t word)
{
    memcpy(__builtin_assume_aligned(values, 4), &word, sizeof word);
}

#if defined(SP_EMULATE_DSP)
#include "dsp_emulated.h"
#else
#include "dsp_arm.h"
#endif

/* Two steps of an update: (error * value + offset) / 2^16 of a pair of values. */
static inline uint32_t sp_two_steps(int32_t error, uint32_t pair, uint32_t dither)
{
    const int32_t offset = (int32_t)(dither >> 16);

    return sp_pkhtb(sp_smlabt(error, pair, offset), sp_smlabb(error, pair, offset));
}

#endif
#endif
