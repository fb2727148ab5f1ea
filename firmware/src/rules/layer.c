/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/rules.h"

/* Row errors in place of the delta, and the bias. */
static void begin(const sp_layer_step_t *step, int16_t *delta)
{
    const uint32_t outputs = step->shape->outputs;
    sp_layer_counters_t *counters = step->counters;

    if (step->rate.row_gate != 0) {
        sp_thin_rows(delta, outputs, step->rate.row_gate, step->key);
    }
    counters->error_saturations += sp_row_errors(delta, outputs, step->rate.scale, step->rate.clip,
                                                 &counters->active_rows);
    counters->weight_saturations +=
        sp_update_bias(delta, outputs, step->bias_exponent, step->bias);
}

void sp_learn_bias(const sp_layer_step_t *step, int16_t *delta)
{
    begin(step, delta);
}

void sp_learn_a16w16(const sp_layer_step_t *step, int16_t *weights, int16_t *delta,
                     const int16_t *presynaptic, const uint16_t *groups)
{
    begin(step, delta);
    step->counters->weight_saturations +=
        sp_update_a16w16(step->shape, delta, presynaptic, groups, step->key, step->room, weights);
}

void sp_learn_a16w8(const sp_layer_step_t *step, int8_t *weights, int16_t *delta,
                    const int16_t *presynaptic, const uint16_t *groups)
{
    begin(step, delta);
    step->counters->weight_saturations +=
        sp_update_a16w8(step->shape, delta, presynaptic, groups, step->key, weights);
}

void sp_learn_a8w8(const sp_layer_step_t *step, int8_t *weights, int16_t *delta,
                   const int8_t *presynaptic, const uint16_t *groups)
{
    begin(step, delta);
    step->counters->weight_saturations +=
        sp_update_a8w8(step->shape, delta, presynaptic, groups, step->key, weights);
}
