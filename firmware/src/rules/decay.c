/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/rules.h"

sp_scale_t sp_decayed(sp_scale_t rate, uint32_t factor)
{
    const uint32_t old = (uint32_t)(rate.multiplier < 0 ? -rate.multiplier : rate.multiplier);
    uint32_t magnitude = (old * factor + (1u << 14)) >> 15;
    uint32_t shift = rate.shift;
    sp_scale_t result = {0, 0};

    if (magnitude != 0 && magnitude < (1u << 14)) {
        magnitude *= 2;
        ++shift;
    }
    if (magnitude != 0 && shift <= SP_SCALE_SHIFT_MAX) {
        result.multiplier = (int16_t)(rate.multiplier < 0 ? -(int32_t)magnitude
                                                          : (int32_t)magnitude);
        result.shift = (uint8_t)shift;
    }
    return result;
}

void sp_finish_step(sp_counters_t *counters, const sp_settings_t *settings, sp_rate_t *rates,
                    uint32_t layers)
{
    ++counters->step;
    if (settings->decay_steps == 0 || counters->step % settings->decay_steps != 0) {
        return;
    }
    for (uint32_t layer = 0; layer < layers; ++layer) {
        rates[layer].scale = sp_decayed(rates[layer].scale, settings->decay_factor);
    }
}
