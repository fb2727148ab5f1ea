/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/rules.h"

void sp_layer_update_a16w16(const sp_layer_step_t *step, const int16_t *presynaptic)
{
    step->counters->weight_saturations +=
        sp_update_a16w16(step->shape, step->row_errors, presynaptic, step->key, step->weights,
                         step->bias, &step->counters->active_rows);
}

void sp_output_a16w16(const sp_layer_step_t *step, const int16_t *error,
                      const int16_t *presynaptic)
{
    step->counters->error_saturations +=
        sp_row_errors(error, step->shape->outputs, step->rate, step->row_errors);
    sp_layer_update_a16w16(step, presynaptic);
}
