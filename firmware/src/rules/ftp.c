/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/rules.h"

void sp_ftp_hidden_a16w16(const sp_layer_step_t *step, const int16_t *first,
                          const int16_t *target, const int16_t *presynaptic)
{
    const uint32_t outputs = step->shape->outputs;

    step->counters->error_saturations +=
        step->shape->relu
            ? sp_row_errors_relu(first, target, outputs, step->rate, step->row_errors)
            : sp_row_errors_difference(first, target, outputs, step->rate, step->row_errors);
    sp_layer_update_a16w16(step, presynaptic);
}
