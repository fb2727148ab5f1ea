/* SPDX-License-Identifier: Apache-2.0
 *
 * Products with a matrix of odd integers 2c + 1, c an int8 of a generated word
 * (docs/projection.md 5.3, 5.6, 5.7).
 *
 * sum (2c + 1) a = 2 sum c a + sum a: the last sum is the same for every row or column, so that an
 * element takes a sign extension and a multiply-accumulate. Four products stay within 2^24 and are
 * summed in 32 bits.
 */
#include "fold.h"
#include "secondpass/projection.h"

#define WORD_COLUMNS 4u

/* The element's c: a word's lowest byte. */
static int32_t low_byte(uint32_t word)
{
    return (int8_t)(uint8_t)word;
}

static uint32_t words_per_row(const sp_matrix_t *matrix)
{
    return (matrix->outputs + WORD_COLUMNS - 1u) / WORD_COLUMNS;
}

/* Columns of the word that begins at column k. */
static uint32_t columns_in_word(uint32_t outputs, uint32_t k)
{
    return outputs - k < WORD_COLUMNS ? outputs - k : WORD_COLUMNS;
}

/* sum c a over a row; counter: of the row's first word. */
static int64_t row_sum(uint32_t counter, const int16_t *signal, uint32_t outputs)
{
    int64_t sum = 0;
    uint32_t k = 0;

    for (; k + WORD_COLUMNS <= outputs; k += WORD_COLUMNS) {
        const uint32_t word = sp_mix32(counter++);

        sum += low_byte(word) * signal[k] + low_byte(word >> 8) * signal[k + 1] +
               low_byte(word >> 16) * signal[k + 2] + low_byte(word >> 24) * signal[k + 3];
    }
    if (k < outputs) {
        for (uint32_t word = sp_mix32(counter); k < outputs; ++k, word >>= 8) {
            sum += low_byte(word) * signal[k];
        }
    }
    return sum;
}

uint32_t sp_project_dense(const sp_matrix_t *matrix, const int16_t *signal, sp_scale_t scale,
                          int16_t *projected)
{
    const uint32_t rows = matrix->rows;
    const uint32_t outputs = matrix->outputs;
    const uint32_t words = words_per_row(matrix);
    uint32_t counter = sp_mix32(matrix->seed);
    uint32_t saturations = 0;
    int32_t total = 0;

    for (uint32_t k = 0; k < outputs; ++k) {
        total += signal[k];
    }
    for (uint32_t j = 0; j < rows; ++j, counter += words) {
        const int64_t sum = 2 * row_sum(counter, signal, outputs) + total;

        projected[j] = sp_scale16((int32_t)sp_round_shift(sum, 8), scale, &saturations);
    }
    sp_pad(projected, rows);
    return saturations;
}

uint32_t sp_column_dense(const sp_matrix_t *matrix, uint32_t column, int32_t value,
                         sp_scale_t scale, int16_t *projected)
{
    const uint32_t rows = matrix->rows;
    const uint32_t words = words_per_row(matrix);
    const uint32_t first = sp_mix32(matrix->seed) + column / WORD_COLUMNS;
    const sp_scale_t factor = sp_short_scale(scale);
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < rows; ++j) {
        const uint32_t word = sp_mix32(first + j * words) >> (8 * (column % WORD_COLUMNS));
        const int32_t product = (2 * low_byte(word) + 1) * value;

        projected[j] = sp_scale16_short(sp_round_shift32(product, 8), factor, &saturations);
    }
    sp_pad(projected, rows);
    return saturations;
}

/* sums[i] = sum v c over a group of four columns; counter: of the group's first word. */
static void fold_group(const sp_matrix_t *matrix, const void *values, unsigned bytes,
                       uint32_t counter, int64_t *sums)
{
    const uint32_t rows = matrix->rows;
    const uint32_t words = words_per_row(matrix);
    int64_t first = 0;
    int64_t second = 0;
    int64_t third = 0;
    int64_t fourth = 0;

    for (uint32_t j = 0; j < rows; ++j, counter += words) {
        const int32_t value = sp_element(values, bytes, j);

        if (value != 0) {
            const uint32_t word = sp_mix32(counter);

            first += low_byte(word) * value;
            second += low_byte(word >> 8) * value;
            third += low_byte(word >> 16) * value;
            fourth += low_byte(word >> 24) * value;
        }
    }
    sums[0] = first;
    sums[1] = second;
    sums[2] = third;
    sums[3] = fourth;
}

void sp_fold_dense(const sp_matrix_t *matrix, const void *values, unsigned bytes, int32_t *folded)
{
    const uint32_t outputs = matrix->outputs;
    uint32_t counter = sp_mix32(matrix->seed);
    int32_t total = 0;

    for (uint32_t j = 0; j < matrix->rows; ++j) {
        total += sp_element(values, bytes, j);
    }
    /* Column groups outside: four 64-bit sums instead of one for every column. */
    for (uint32_t k = 0; k < outputs; k += WORD_COLUMNS) {
        int64_t sums[WORD_COLUMNS];

        fold_group(matrix, values, bytes, counter++, sums);
        for (uint32_t i = 0; i < columns_in_word(outputs, k); ++i) {
            folded[k + i] = (int32_t)sp_round_shift(2 * sums[i] + total, 8);
        }
    }
}
