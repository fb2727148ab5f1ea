/* SPDX-License-Identifier: Apache-2.0 */
#include "fold.h"
#include "secondpass/projection.h"

#define WORD_COLUMNS 32u

static uint32_t words_per_row(const sp_matrix_t *matrix)
{
    return (matrix->outputs + WORD_COLUMNS - 1u) / WORD_COLUMNS;
}

uint32_t sp_project_sign(const sp_matrix_t *matrix, const int16_t *signal, sp_scale_t scale,
                         int16_t *projected)
{
    uint32_t counter = sp_mix32(matrix->seed);
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < matrix->rows; ++j) {
        int32_t sum = 0;
        uint32_t signs = 0;

        for (uint32_t k = 0; k < matrix->outputs; ++k) {
            if (k % WORD_COLUMNS == 0) {
                signs = sp_mix32(counter++);
            }
            sum += signs & 1u ? -(int32_t)signal[k] : signal[k];
            signs >>= 1;
        }
        projected[j] = sp_scale16(sum, scale, &saturations);
    }
    sp_pad(projected, matrix->rows);
    return saturations;
}

uint32_t sp_column_sign(const sp_matrix_t *matrix, uint32_t column, int32_t value,
                        sp_scale_t scale, int16_t *projected)
{
    const uint32_t words = words_per_row(matrix);
    const uint32_t first = sp_mix32(matrix->seed) + column / WORD_COLUMNS;
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < matrix->rows; ++j) {
        const uint32_t sign = sp_mix32(first + j * words) >> (column % WORD_COLUMNS) & 1u;

        projected[j] = sp_scale16(sign ? -value : value, scale, &saturations);
    }
    sp_pad(projected, matrix->rows);
    return saturations;
}

void sp_fold_sign(const sp_matrix_t *matrix, const void *values, unsigned bytes, int32_t *folded)
{
    const uint32_t words = words_per_row(matrix);
    const uint32_t key = sp_mix32(matrix->seed);

    for (uint32_t k = 0; k < matrix->outputs; ++k) {
        folded[k] = 0;
    }
    for (uint32_t j = 0; j < matrix->rows; ++j) {
        const int32_t value = sp_element(values, bytes, j);
        uint32_t signs = 0;

        if (value == 0) {
            continue;
        }
        for (uint32_t k = 0; k < matrix->outputs; ++k) {
            if (k % WORD_COLUMNS == 0) {
                signs = sp_mix32(key + j * words + k / WORD_COLUMNS);
            }
            folded[k] += signs & 1u ? -value : value;
            signs >>= 1;
        }
    }
}
