/* SPDX-License-Identifier: Apache-2.0
 *
 * Products with a matrix that has one +-1 a row, generated (docs/projection.md 5.4, 5.6, 5.7).
 *
 * A row's hash is most of the work. Folding two int16 or four int8 at a time skips those that are
 * all zero before their rows are hashed; projecting scales in 32 bits, since the product is an
 * element of the signal.
 * Instructions of a fold on Armv7-M: 2 to 3 for an element that is skipped, 16 for another.
 * MVE, up to LANE_OUTPUTS outputs: 1.1 for an element of eight zeros, 5.3 for another. Four rows
 * are hashed together; each lane adds to columns of its own, for lanes may meet in a column, and
 * to another column for each sign: 544 bytes of stack.
 */
#include <string.h>

#include "fold.h"
#include "mve.h"
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

#if SP_MVE

#define LANE_OUTPUTS 16u

/* What four rows at once need. */
typedef struct {
    uint32x4_t first;   /* each lane's first column */
    uint32x4_t outputs; /* in the upper half word */
    int32_t *columns;   /* for each lane and column: what is added, what is subtracted */
} lanes_t;

/* fold_row of four rows, whose counters have their golden increment. */
static inline void fold_four(const lanes_t *lanes, uint32x4_t counter, int32x4_t values)
{
    uint32x4_t word = veorq_u32(counter, vshrq_n_u32(counter, 16));

    word = vmulq_n_u32(word, 0x7FEB352Du);
    word = veorq_u32(word, vshrq_n_u32(word, 15));
    word = vmulq_n_u32(word, 0x846CA68Bu);

    const uint32x4_t upper = vshrq_n_u32(word, 16);
    const uint32x4_t column = vaddq_u32(vmulhq_u32(upper, lanes->outputs), lanes->first);
    /* The word's bit 0 is its sign, and stays below the column. */
    const uint32x4_t place = vsliq_n_u32(veorq_u32(word, upper), column, 1);
    const int32x4_t before = vldrwq_gather_shifted_offset_s32(lanes->columns, place);

    vstrwq_scatter_shifted_offset_s32(lanes->columns, place, vaddq_s32(before, values));
}

/* Fold eights of rows. */
static inline void fold_eights16(const lanes_t *lanes, uint32x4_t counter, const int16_t *values,
                                 uint32_t eights)
{
    for (; eights != 0; --eights) {
        if (vcmpneq_n_s16(vldrhq_s16(values), 0) != 0) {
            fold_four(lanes, counter, vldrhq_s32(values));
            fold_four(lanes, vaddq_n_u32(counter, 4), vldrhq_s32(values + 4));
        }
        counter = vaddq_n_u32(counter, 8);
        values += 8;
    }
}

static inline void fold_eights8(const lanes_t *lanes, uint32x4_t counter, const int8_t *values,
                                uint32_t eights)
{
    for (; eights != 0; --eights) {
        if ((sp_aligned_word(values) | sp_aligned_word(values + 4)) != 0) {
            fold_four(lanes, counter, vldrbq_s32(values));
            fold_four(lanes, vaddq_n_u32(counter, 4), vldrbq_s32(values + 4));
        }
        counter = vaddq_n_u32(counter, 8);
        values += 8;
    }
}

/* folded = what the lanes have, positive less negative rows. */
static inline void add_lanes(const int32_t *columns, uint32_t outputs, int32_t *folded)
{
    const uint32x4_t even = vidupq_n_u32(0, 2);

    for (uint32_t k = 0; k < outputs; k += 4, columns += 8) {
        const int32_t *at = columns;
        int32x4_t sum = vdupq_n_s32(0);

        for (uint32_t lane = 0; lane < 4; ++lane, at += 2 * outputs) {
            sum = vaddq_s32(sum, vldrwq_gather_shifted_offset_s32(at, even));
            sum = vsubq_s32(sum, vldrwq_gather_shifted_offset_s32(at + 1, even));
        }
        vstrwq_p_s32(folded + k, sum, vctp32q(outputs - k));
    }
}

static void fold_eights(const void *values, unsigned bytes, uint32_t eights, uint32_t key,
                        uint32_t outputs, int32_t *folded)
{
    int32_t columns[8 * LANE_OUTPUTS + 8]; /* add_lanes reads four outputs at once */
    const uint32x4_t lane = vidupq_n_u32(0, 1);
    const uint32x4_t counter = vaddq_n_u32(lane, key + SP_GOLDEN);
    const lanes_t lanes = {vmulq_n_u32(lane, outputs), vdupq_n_u32(outputs << 16), columns};

    for (uint32_t k = 0; k < 8 * outputs + 8; k += 4) {
        vstrwq_s32(columns + k, vdupq_n_s32(0));
    }
    if (bytes == 1) {
        fold_eights8(&lanes, counter, values, eights);
    } else {
        fold_eights16(&lanes, counter, values, eights);
    }
    add_lanes(columns, outputs, folded);
}

#endif

void sp_fold_sparse(const sp_matrix_t *matrix, const void *values, unsigned bytes,
                    int32_t *folded)
{
    const uint32_t key = sp_mix32(matrix->seed);
    const uint32_t outputs = matrix->outputs;
    uint32_t done = 0;

    memset(folded, 0, outputs * sizeof *folded);
#if SP_MVE
    if (outputs <= LANE_OUTPUTS) {
        done = matrix->rows & ~7u;
        fold_eights(values, bytes, done / 8, key, outputs, folded);
    }
#endif
    if (bytes == 1) {
        fold8((const int8_t *)values + done, matrix->rows - done, key + done, outputs, folded);
    } else {
        fold16((const int16_t *)values + done, matrix->rows - done, key + done, outputs, folded);
    }
}
