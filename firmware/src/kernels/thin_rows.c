/* SPDX-License-Identifier: Apache-2.0
 *
 * The row gate: of int16 deltas, in the layer's own fractional bits, those below the gate become
 * zero or the gate, at random and right on average (docs/learning-step.md, 6.3). A row whose delta
 * is zero is not updated, so fewer rows cost an update of the whole weight row.
 *
 * Budget of a row with gcc 12 at -O2: on Cortex-M4 16 to 27 instructions (gcc hashes before it looks
 * at the delta), on Cortex-M0+ 13 where nothing is drawn and 57 where it is. A draw is a hash of two
 * multiplications, and one more to compare without a division, which some cores do not have; the
 * update of a weight row costs hundreds. The hash takes the row's number and nothing else, so that
 * the order of rows does not matter.
 */
#include "secondpass/kernels.h"

void sp_thin_rows(int16_t *delta, uint32_t length, uint16_t gate, uint32_t key)
{
    const uint32_t stream = sp_mix32(key ^ SP_ROWS_STREAM);

    for (uint32_t row = 0; row < length; ++row) {
        const int32_t value = delta[row];
        const uint32_t magnitude = (uint32_t)(value < 0 ? -value : value);

        if (magnitude == 0 || magnitude >= gate) {
            continue;
        }
        if ((sp_mix32(stream + row) >> 16) * gate < magnitude << 16) {
            delta[row] = (int16_t)(value < 0 ? -(int32_t)gate : (int32_t)gate);
        } else {
            delta[row] = 0;
        }
    }
}
