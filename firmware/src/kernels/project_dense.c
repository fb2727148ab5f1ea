/* SPDX-License-Identifier: Apache-2.0 */
#include "fold.h"
#include "secondpass/projection.h"

#define WORD_COLUMNS 4u

/* An odd integer in [-255, 255] from the low byte of a generator word. */
static int32_t odd_element(uint32_t word)
{
    const int32_t byte = (int32_t)(word & 0xFFu);

    return 2 * (byte >= 0x80 ? byte - 0x100 : byte) + 1;
}

static uint32_t words_per_row(const sp_matrix_t *matrix)
{
    return (matrix->outputs + WORD_COLUMNS - 1u) / WORD_COLUMNS;
}

/* Columns of the word that begins at column k. */
static uint32_t columns_in_word(const sp_matrix_t *matrix, uint32_t k)
{
    return matrix->outputs - k < WORD_COLUMNS ? matrix->outputs - k : WORD_COLUMNS;
}

uint32_t sp_project_dense(const sp_matrix_t *matrix, const int16_t *signal, sp_scale_t scale,
                          int16_t *projected)
{
    uint32_t counter = sp_mix32(matrix->seed);
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < matrix->rows; ++j) {
        int64_t sum = 0;

        for (uint32_t k = 0; k < matrix->outputs; k += WORD_COLUMNS) {
            uint32_t word = sp_mix32(counter++);
            int32_t partial = 0;

            for (uint32_t i = 0; i < columns_in_word(matrix, k); ++i) {
                partial += odd_element(word) * signal[k + i];
                word >>= 8;
            }
            sum += partial;
        }
        projected[j] = sp_scale16((int32_t)sp_round_shift(sum, 8), scale, &saturations);
    }
    sp_pad(projected, matrix->rows);
    return saturations;
}

uint32_t sp_column_dense(const sp_matrix_t *matrix, uint32_t column, int32_t value,
                         sp_scale_t scale, int16_t *projected)
{
    const uint32_t words = words_per_row(matrix);
    const uint32_t first = sp_mix32(matrix->seed) + column / WORD_COLUMNS;
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < matrix->rows; ++j) {
        const uint32_t word = sp_mix32(first + j * words) >> (8 * (column % WORD_COLUMNS));
        const int64_t product = (int64_t)odd_element(word) * value;

        projected[j] = sp_scale16((int32_t)sp_round_shift(product, 8), scale, &saturations);
    }
    sp_pad(projected, matrix->rows);
    return saturations;
}

void sp_fold_dense(const sp_matrix_t *matrix, const void *values, unsigned bytes, int32_t *folded)
{
    const uint32_t words = words_per_row(matrix);
    const uint32_t key = sp_mix32(matrix->seed);

    /* Column groups outside: four 64-bit sums instead of one for every column. */
    for (uint32_t k = 0; k < matrix->outputs; k += WORD_COLUMNS) {
        int64_t sums[WORD_COLUMNS] = {0};

        for (uint32_t j = 0; j < matrix->rows; ++j) {
            const int32_t value = sp_element(values, bytes, j);
            uint32_t word = value != 0 ? sp_mix32(key + j * words + k / WORD_COLUMNS) : 0;

            for (uint32_t i = 0; i < WORD_COLUMNS; ++i) {
                sums[i] += odd_element(word) * value;
                word >>= 8;
            }
        }
        for (uint32_t i = 0; i < columns_in_word(matrix, k); ++i) {
            folded[k + i] = (int32_t)sp_round_shift(sums[i], 8);
        }
    }
}
