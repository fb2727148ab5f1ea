/* SPDX-License-Identifier: Apache-2.0
 *
 * Products with a matrix of int8 in flash (docs/projection.md 5.5, 5.6, 5.7). Sums are exact in 64
 * bits; a look-up needs 32. Plain loops: nothing here is hashed, and no default uses it.
 */
#include "fold.h"
#include "secondpass/projection.h"

uint32_t sp_project_stored(const sp_matrix_t *matrix, const int16_t *signal, sp_scale_t scale,
                           int16_t *projected)
{
    const uint32_t rows = matrix->rows;
    const uint32_t outputs = matrix->outputs;
    const int8_t *element = matrix->stored;
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < rows; ++j) {
        int64_t sum = 0;

        for (uint32_t k = 0; k < outputs; ++k) {
            sum += *element++ * (int32_t)signal[k];
        }
        projected[j] = sp_scale16((int32_t)sp_round_shift(sum, 7), scale, &saturations);
    }
    sp_pad(projected, rows);
    return saturations;
}

uint32_t sp_column_stored(const sp_matrix_t *matrix, uint32_t column, int32_t value,
                          sp_scale_t scale, int16_t *projected)
{
    const uint32_t rows = matrix->rows;
    const uint32_t outputs = matrix->outputs;
    const int8_t *element = matrix->stored + column;
    const sp_scale_t factor = sp_short_scale(scale);
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < rows; ++j, element += outputs) {
        const int32_t product = sp_round_shift32(*element * value, 7);

        projected[j] = sp_scale16_short(product, factor, &saturations);
    }
    sp_pad(projected, rows);
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
