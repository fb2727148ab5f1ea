/* SPDX-License-Identifier: Apache-2.0 */
#include "fold.h"
#include "secondpass/projection.h"

/* The column that a row's word ties its row to. */
static uint32_t tied_column(uint32_t word, uint32_t outputs)
{
    return ((word >> 16) * outputs) >> 16;
}

uint32_t sp_project_sparse(const sp_matrix_t *matrix, const int16_t *signal, sp_scale_t scale,
                           int16_t *projected)
{
    uint32_t counter = sp_mix32(matrix->seed);
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < matrix->rows; ++j) {
        const uint32_t word = sp_mix32(counter++);
        const int32_t tied = signal[tied_column(word, matrix->outputs)];

        projected[j] = sp_scale16(word & 1u ? -tied : tied, scale, &saturations);
    }
    sp_pad(projected, matrix->rows);
    return saturations;
}

uint32_t sp_column_sparse(const sp_matrix_t *matrix, uint32_t column, int32_t value,
                          sp_scale_t scale, int16_t *projected)
{
    uint32_t counter = sp_mix32(matrix->seed);
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < matrix->rows; ++j) {
        const uint32_t word = sp_mix32(counter++);
        const int32_t tied = tied_column(word, matrix->outputs) == column ? value : 0;

        projected[j] = sp_scale16(word & 1u ? -tied : tied, scale, &saturations);
    }
    sp_pad(projected, matrix->rows);
    return saturations;
}

void sp_fold_sparse(const sp_matrix_t *matrix, const void *values, unsigned bytes,
                    int32_t *folded)
{
    uint32_t counter = sp_mix32(matrix->seed);

    for (uint32_t k = 0; k < matrix->outputs; ++k) {
        folded[k] = 0;
    }
    for (uint32_t j = 0; j < matrix->rows; ++j) {
        const uint32_t word = sp_mix32(counter++);
        const int32_t value = sp_element(values, bytes, j);

        folded[tied_column(word, matrix->outputs)] += word & 1u ? -value : value;
    }
}
