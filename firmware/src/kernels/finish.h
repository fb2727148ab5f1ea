/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SECONDPASS_KERNELS_FINISH_H
#define SECONDPASS_KERNELS_FINISH_H

#include "secondpass/kernels.h"

/* Requantise one accumulator. */
static inline int16_t sp_finish(const sp_fc_t *layer, int64_t accumulator, uint32_t *saturations)
{
    const int64_t value = layer->shift >= 0
                              ? sp_round_shift(accumulator, (unsigned)layer->shift)
                              : accumulator * ((int64_t)1 << -layer->shift);
    const int32_t lowest = layer->relu ? 0 : INT16_MIN;

    if (value > INT16_MAX) {
        *saturations += (layer->counted & SP_COUNT_HIGH) != 0;
        return INT16_MAX;
    }
    if (value < lowest) {
        *saturations += (layer->counted & SP_COUNT_LOW) != 0;
        return (int16_t)lowest;
    }
    return (int16_t)value;
}

#endif
