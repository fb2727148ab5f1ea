/* SPDX-License-Identifier: Apache-2.0 */
#include "fold.h"
#include "secondpass/projection.h"

uint32_t sp_project_stored(const sp_matrix_t *matrix, const int16_t *signal, sp_scale_t scale,
                           int16_t *projected)
{
    const int8_t *element = matrix->stored;
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < matrix->rows; ++j) {
        int64_t sum = 0;

        for (uint32_t k = 0; k < matrix->outputs; ++k) {
            sum += *element++ * (int32_t)signal[k];
        }
        projected[j] = sp_scale16((int32_t)sp_round_shift(sum, 7), scale, &saturations);
    }
    sp_pad(projected, matrix->rows);
    return saturations;
}

uint32_t sp_column_stored(const sp_matrix_t *matrix, uint32_t column, int32_t value,
                          sp_scale_t scale, int16_t *projected)
{
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < matrix->rows; ++j) {
        const int32_t product = matrix->stored[j * matrix->outputs + column] * value;

        projected[j] = sp_scale16((int32_t)sp_round_shift(product, 7), scale, &saturations);
    }
    sp_pad(projected, matrix->rows);
    return saturations;
}

void sp_fold_stored(const sp_matrix_t *matrix, const void *values, unsigned bytes,
                    int32_t *folded)
{
    for (uint32_t k = 0; k < matrix->outputs; ++k) {
        int64_t sum = 0;

        for (uint32_t j = 0; j < matrix->rows; ++j) {
            sum += matrix->stored[j * matrix->outputs + k] * sp_element(values, bytes, j);
        }
        folded[k] = (int32_t)sp_round_shift(sum, 7);
    }
}
