/* SPDX-License-Identifier: Apache-2.0
 *
 * Products with a matrix that has one +-1 a row, generated (docs/projection.md 5.4, 5.6, 5.7).
 *
 * A row's hash is most of the work. Folding two int16 or four int8 at a time skips those that are
 * all zero before their rows are hashed; projecting scales in 32 bits, since the product is an
 * element of the signal.
 * Instructions of a fold on Armv7-M: 2 to 3 for an element that is skipped, 16 for another.
 */
#include <string.h>

#include "fold.h"
#include "secondpass/projection.h"

/* The column that a row's word ties its row to. */
static uint32_t tied_column(uint32_t word, uint32_t outputs)
{
#if defined(SP_NO_LONG_MULTIPLY)
    return ((word >> 16) * outputs) >> 16;
#else
    /* The upper word of a long product needs no second shift. */
    return (uint32_t)(((uint64_t)(word >> 16) * (outputs << 16)) >> 32);
#endif
}

uint32_t sp_project_sparse(const sp_matrix_t *matrix, const int16_t *signal, sp_scale_t scale,
                           int16_t *projected)
{
    const uint32_t rows = matrix->rows;
    const uint32_t outputs = matrix->outputs;
    const uint32_t key = sp_mix32(matrix->seed);
    const sp_scale_t factor = sp_short_scale(scale);
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < rows; ++j) {
        const uint32_t word = sp_mix32(key + j);
        const int32_t tied = signal[tied_column(word, outputs)] * sp_sign_of_bit(word);

        projected[j] = sp_scale16_short(tied, factor, &saturations);
    }
    sp_pad(projected, rows);
    return saturations;
}

uint32_t sp_column_sparse(const sp_matrix_t *matrix, uint32_t column, int32_t value,
                          sp_scale_t scale, int16_t *projected)
{
    const uint32_t rows = matrix->rows;
    const uint32_t outputs = matrix->outputs;
    const uint32_t key = sp_mix32(matrix->seed);
    const sp_scale_t factor = sp_short_scale(scale);
    uint32_t saturations = 0;

    for (uint32_t j = 0; j < rows; ++j) {
        const uint32_t word = sp_mix32(key + j);
        const int32_t tied = tied_column(word, outputs) == column ? value : 0;

        projected[j] = sp_scale16_short(tied * sp_sign_of_bit(word), factor, &saturations);
    }
    sp_pad(projected, rows);
    return saturations;
}

/* Add what the row of a counter contributes. */
static inline void fold_row(uint32_t counter, int32_t value, uint32_t outputs, int32_t *folded)
{
    const uint32_t word = sp_mix32(counter);

    folded[tied_column(word, outputs)] += value * sp_sign_of_bit(word);
}

static inline void fold_pair(const int16_t *pair, uint32_t counter, uint32_t outputs,
                             int32_t *folded)
{
    if (sp_aligned_word(pair) != 0) {
        fold_row(counter, pair[0], outputs, folded);
        fold_row(counter + 1, pair[1], outputs, folded);
    }
}

static void fold16(const int16_t *values, uint32_t rows, uint32_t counter, uint32_t outputs,
                   int32_t *folded)
{
    for (; rows >= 4; rows -= 4, counter += 4, values += 4) {
        fold_pair(values, counter, outputs, folded);
        fold_pair(values + 2, counter + 2, outputs, folded);
    }
    for (; rows > 0; --rows) {
        fold_row(counter++, *values++, outputs, folded);
    }
}

static void fold8(const int8_t *values, uint32_t rows, uint32_t counter, uint32_t outputs,
                  int32_t *folded)
{
    for (; rows >= 4; rows -= 4, counter += 4, values += 4) {
        if (sp_aligned_word(values) != 0) {
            fold_row(counter, values[0], outputs, folded);
            fold_row(counter + 1, values[1], outputs, folded);
            fold_row(counter + 2, values[2], outputs, folded);
            fold_row(counter + 3, values[3], outputs, folded);
        }
    }
    for (; rows > 0; --rows) {
        fold_row(counter++, *values++, outputs, folded);
    }
}

void sp_fold_sparse(const sp_matrix_t *matrix, const void *values, unsigned bytes,
                    int32_t *folded)
{
    const uint32_t key = sp_mix32(matrix->seed);

    memset(folded, 0, matrix->outputs * sizeof *folded);
    if (bytes == 1) {
        fold8(values, matrix->rows, key, matrix->outputs, folded);
    } else {
        fold16(values, matrix->rows, key, matrix->outputs, folded);
    }
}
