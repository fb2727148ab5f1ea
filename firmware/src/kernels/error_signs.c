/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/kernels.h"

void sp_error_signs(const int16_t *error, uint32_t outputs, int16_t *signs)
{
    for (uint32_t k = 0; k < outputs; ++k) {
        signs[k] = (int16_t)(((error[k] > 0) - (error[k] < 0)) * INT16_MAX);
    }
}
