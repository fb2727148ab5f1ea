/* SPDX-License-Identifier: Apache-2.0
 *
 * Products with a matrix of +-1, generated (docs/projection.md 5.2, 5.6, 5.7).
 *
 * One word of the generator is the signs of 32 columns. An element is a product with 1 or -1, so
 * that no bit costs a branch. Rows whose value is zero are not hashed.
 */
#include "fold.h"
#include "secondpass/projection.h"

#define WORD_COLUMNS 32u

static uint32_t words_per_row(const sp_matrix_t *matrix)
{
    return (matrix->outputs + WORD_COLUMNS - 1u) / WORD_COLUMNS;
}

/* Columns of the word that begins at column k. */
static uint32_t columns_in_word(uint32_t outputs, uint32_t k)
{
    return outputs - k < WORD_COLUMNS ? outputs - k : WORD_COLUMNS;
}

/* The sum over a word's columns. */
static inline int32_t signed_sum(uint32_t signs, const int16_t *signal, uint32_t columns)
{
    int32_t sum = 0;

    for (uint32_t i = 0; i < columns; ++i, signs >>= 1) {
        sum += signal[i] * sp_sign_of_bit(signs);
    }
    return sum;
}

uint32_t sp_project_sign(const sp_matrix_t *matrix, const int16_t *signal, sp_scale_t scale,
                         int16_t *projected)
{
    const uint32_t rows = matrix->rows;
    const uint32_t outputs = matrix->outputs;
    uint32_t counter = sp_mix32(matrix->seed);
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < rows; ++j) {
        int32_t sum = 0;

        for (uint32_t k = 0; k < outputs; k += WORD_COLUMNS) {
            sum += signed_sum(sp_mix32(counter++), signal + k, columns_in_word(outputs, k));
        }
        projected[j] = sp_scale16(sum, scale, &saturations);
    }
    sp_pad(projected, rows);
    return saturations;
}

uint32_t sp_column_sign(const sp_matrix_t *matrix, uint32_t column, int32_t value,
                        sp_scale_t scale, int16_t *projected)
{
    const uint32_t rows = matrix->rows;
    const uint32_t words = words_per_row(matrix);
    const uint32_t first = sp_mix32(matrix->seed) + column / WORD_COLUMNS;
    const sp_scale_t factor = sp_short_scale(scale);
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < rows; ++j) {
        const uint32_t signs = sp_mix32(first + j * words) >> (column % WORD_COLUMNS);

        projected[j] = sp_scale16_short(value * sp_sign_of_bit(signs), factor, &saturations);
    }
    sp_pad(projected, rows);
    return saturations;
}

/* Add a value with each of a word's signs. */
static inline void spread(uint32_t signs, int32_t value, uint32_t columns, int32_t *folded)
{
    for (uint32_t i = 0; i < columns; ++i, signs >>= 1) {
        folded[i] += value * sp_sign_of_bit(signs);
    }
}

void sp_fold_sign(const sp_matrix_t *matrix, const void *values, unsigned bytes, int32_t *folded)
{
    const uint32_t rows = matrix->rows;
    const uint32_t outputs = matrix->outputs;
    const uint32_t words = words_per_row(matrix);
    uint32_t counter = sp_mix32(matrix->seed);

    for (uint32_t k = 0; k < outputs; ++k) {
        folded[k] = 0;
    }
    for (uint32_t j = 0; j < rows; ++j, counter += words) {
        const int32_t value = sp_element(values, bytes, j);

        for (uint32_t k = 0; k < outputs && value != 0; k += WORD_COLUMNS) {
            spread(sp_mix32(counter + k / WORD_COLUMNS), value, columns_in_word(outputs, k),
                   folded + k);
        }
    }
}
