/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/rules.h"

void sp_pepita_hidden_a16w16(const sp_layer_step_t *step, const int16_t *first,
                             const int16_t *second, const int16_t *presynaptic)
{
    step->counters->error_saturations += sp_row_errors_difference(
        first, second, step->shape->outputs, step->rate, step->row_errors);
    sp_layer_update_a16w16(step, presynaptic);
}
