/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of the groups of columns that are not zero, for kernels that skip the others: a group is
 * what those load at once, two int16 weights or four int8 weights. Columns behind the last whole
 * quad are in no list; those kernels visit them always.
 *
 * A list is uint16: how many, then their numbers. It holds half of a vector's groups at most: with
 * more than that, visiting all is as fast, and the count is SP_ALL_GROUPS. A list costs 5
 * instructions a group once; a group of zeros then saves 4 a row in the forward pass and 10 a row
 * in an update.
 */
#include "secondpass/kernels.h"

#include <string.h>

/* Do so many bytes, a multiple of four at a 4-byte boundary, hold only zeros? */
static inline int is_zero(const unsigned char *bytes, uint32_t words)
{
    uint32_t any = 0;

    for (uint32_t i = 0; i < words; ++i) {
        uint32_t word;

        memcpy(&word, __builtin_assume_aligned(bytes + 4 * i, 4), 4);
        any |= word;
    }
    return any == 0;
}

static inline void list(const void *x, uint32_t count, uint32_t words, uint16_t *groups)
{
    const unsigned char *bytes = x;
    const uint32_t most = sp_groups_held(count);
    uint32_t found = 0;

    for (uint32_t group = 0; group < count; ++group, bytes += 4 * words) {
        if (is_zero(bytes, words)) {
            continue;
        }
        if (found == most) {
            groups[0] = SP_ALL_GROUPS;
            return;
        }
        groups[++found] = (uint16_t)group;
    }
    groups[0] = (uint16_t)found;
}

void sp_pairs_a16(const int16_t *x, uint32_t length, uint16_t *groups)
{
    list(x, (length + 1) / 2, 1, groups);
}

void sp_quads_a16(const int16_t *x, uint32_t length, uint16_t *groups)
{
    list(x, length / 4, 2, groups);
}

void sp_quads_a8(const int8_t *x, uint32_t length, uint16_t *groups)
{
    list(x, length / 4, 1, groups);
}
