/* SPDX-License-Identifier: Apache-2.0
 *
 * What projections share.
 */
#ifndef SECONDPASS_KERNELS_FOLD_H
#define SECONDPASS_KERNELS_FOLD_H

#include <string.h>

#include "secondpass/projection.h"

/* The word at a 4-byte boundary: two int16 or four int8. */
static inline uint32_t sp_aligned_word(const void *at)
{
    uint32_t word;

    memcpy(&word, __builtin_assume_aligned(at, 4), sizeof word);
    return word;
}

/* An element of a vector of int8 (bytes 1) or int16 (bytes 2). */
static inline int32_t sp_element(const void *values, unsigned bytes, uint32_t index)
{
    return bytes == 1 ? ((const int8_t *)values)[index] : ((const int16_t *)values)[index];
}

#endif
