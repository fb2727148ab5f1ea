/* SPDX-License-Identifier: Apache-2.0
 *
 * Products with a matrix of +-1, generated (docs/projection.md 5.2, 5.6, 5.7).
 *
 * One word of the generator is the signs of 32 columns. An element is a product with 1 or -1, so
 * that no bit costs a branch; with the DSP extension four bits choose four signs from a table and
 * two SMLALD take them. A fold keeps the sums of four columns in registers.
 * Instructions for four columns of a projected row: 13 with DSP, 20 without.
 */
#include "dsp.h"
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

#if SP_DSP

/* The signs that four bits stand for, as two pairs of int16. */
static const uint32_t sign_pairs[16][2] = {
    {0x00010001u, 0x00010001u}, {0x0001FFFFu, 0x00010001u}, {0xFFFF0001u, 0x00010001u},
    {0xFFFFFFFFu, 0x00010001u}, {0x00010001u, 0x0001FFFFu}, {0x0001FFFFu, 0x0001FFFFu},
    {0xFFFF0001u, 0x0001FFFFu}, {0xFFFFFFFFu, 0x0001FFFFu}, {0x00010001u, 0xFFFF0001u},
    {0x0001FFFFu, 0xFFFF0001u}, {0xFFFF0001u, 0xFFFF0001u}, {0xFFFFFFFFu, 0xFFFF0001u},
    {0x00010001u, 0xFFFFFFFFu}, {0x0001FFFFu, 0xFFFFFFFFu}, {0xFFFF0001u, 0xFFFFFFFFu},
    {0xFFFFFFFFu, 0xFFFFFFFFu}};

static inline int64_t add_four(uint32_t signs, const int16_t *signal, int64_t sum)
{
    const uint32_t *pairs = sign_pairs[signs & 15u];

    sum = sp_smlald(sp_aligned_word(signal), pairs[0], sum);
    return sp_smlald(sp_aligned_word(signal + 2), pairs[1], sum);
}

#else

static inline int64_t add_four(uint32_t signs, const int16_t *signal, int64_t sum)
{
    return sum + signal[0] * sp_sign_of_bit(signs) + signal[1] * sp_sign_of_bit(signs >> 1) +
           signal[2] * sp_sign_of_bit(signs >> 2) + signal[3] * sp_sign_of_bit(signs >> 3);
}

#endif

/* The sum over a word's columns. */
static inline int32_t signed_sum(uint32_t signs, const int16_t *signal, uint32_t columns)
{
    int64_t sum = 0;

    for (; columns >= 4; columns -= 4, signal += 4, signs >>= 4) {
        sum = add_four(signs, signal, sum);
    }
    for (; columns > 0; --columns, signs >>= 1) {
        sum += *signal++ * sp_sign_of_bit(signs);
    }
    return (int32_t)sum;
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

/* Sums of four columns over all rows; counter: of the first row's word, shift: of the first
 * column's bit. */
static void fold_group(const sp_matrix_t *matrix, const void *values, unsigned bytes,
                       uint32_t counter, unsigned shift, int32_t *sums)
{
    const uint32_t rows = matrix->rows;
    const uint32_t words = words_per_row(matrix);
    int32_t first = 0;
    int32_t second = 0;
    int32_t third = 0;
    int32_t fourth = 0;

    for (uint32_t j = 0; j < rows; ++j, counter += words) {
        const int32_t value = sp_element(values, bytes, j);

        if (value != 0) {
            const uint32_t signs = sp_mix32(counter) >> shift;

            first += value * sp_sign_of_bit(signs);
            second += value * sp_sign_of_bit(signs >> 1);
            third += value * sp_sign_of_bit(signs >> 2);
            fourth += value * sp_sign_of_bit(signs >> 3);
        }
    }
    sums[0] = first;
    sums[1] = second;
    sums[2] = third;
    sums[3] = fourth;
}

void sp_fold_sign(const sp_matrix_t *matrix, const void *values, unsigned bytes, int32_t *folded)
{
    const uint32_t outputs = matrix->outputs;
    const uint32_t key = sp_mix32(matrix->seed);

    /* Hashing a row again for every four columns is cheaper than sums in memory. */
    for (uint32_t k = 0; k < outputs; k += 4) {
        int32_t sums[4];

        fold_group(matrix, values, bytes, key + k / WORD_COLUMNS, k % WORD_COLUMNS, sums);
        for (uint32_t i = 0; i < 4 && k + i < outputs; ++i) {
            folded[k + i] = sums[i];
        }
    }
}
