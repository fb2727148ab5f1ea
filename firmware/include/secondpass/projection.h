/* SPDX-License-Identifier: Apache-2.0
 *
 * Projections with a fixed random matrix that is generated, or stored in flash as int8:
 * docs/projection.md.
 *
 * Kinds: `sign` (elements +-1), `dense` (odd integers in [-255, 255], divided by 256), `sparse`
 * (one +-1 a row), `stored` (int8, divided by 128). Functions that return a count return the number
 * of saturated values. A projected vector of odd length is followed by a zero.
 */
#ifndef SECONDPASS_PROJECTION_H
#define SECONDPASS_PROJECTION_H

#include "secondpass/fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A matrix of `rows` rows and `outputs` columns, 1 to 4096 each. */
typedef struct {
    uint16_t rows;
    uint16_t outputs;
    uint32_t seed;         /* of a generated matrix */
    const int8_t *stored;  /* the elements of a stored one, row by row, else NULL */
} sp_matrix_t;

/* What a layer of direct feedback alignment has for a seed: the first one the seed itself. */
static inline uint32_t sp_layer_seed(uint32_t seed, uint32_t layer)
{
    return layer == 0 ? seed : sp_mix32(seed + layer * SP_GOLDEN);
}

/* projected = scale * matrix signal, one int16 a row. */
uint32_t sp_project_sign(const sp_matrix_t *matrix, const int16_t *signal, sp_scale_t scale,
                         int16_t *projected);
uint32_t sp_project_dense(const sp_matrix_t *matrix, const int16_t *signal, sp_scale_t scale,
                          int16_t *projected);
uint32_t sp_project_sparse(const sp_matrix_t *matrix, const int16_t *signal, sp_scale_t scale,
                           int16_t *projected);
uint32_t sp_project_stored(const sp_matrix_t *matrix, const int16_t *signal, sp_scale_t scale,
                           int16_t *projected);

/* The same for a signal that is `value` at `column` and zero elsewhere: a look-up. value: 0 or
 * 32768. */
uint32_t sp_column_sign(const sp_matrix_t *matrix, uint32_t column, int32_t value,
                        sp_scale_t scale, int16_t *projected);
uint32_t sp_column_dense(const sp_matrix_t *matrix, uint32_t column, int32_t value,
                         sp_scale_t scale, int16_t *projected);
uint32_t sp_column_sparse(const sp_matrix_t *matrix, uint32_t column, int32_t value,
                          sp_scale_t scale, int16_t *projected);
uint32_t sp_column_stored(const sp_matrix_t *matrix, uint32_t column, int32_t value,
                          sp_scale_t scale, int16_t *projected);

/* folded = values^T matrix in units of one, one int32 a column. values: matrix->rows elements of
 * `bytes` bytes, 1 (int8) or 2 (int16). */
void sp_fold_sign(const sp_matrix_t *matrix, const void *values, unsigned bytes, int32_t *folded);
void sp_fold_dense(const sp_matrix_t *matrix, const void *values, unsigned bytes, int32_t *folded);
void sp_fold_sparse(const sp_matrix_t *matrix, const void *values, unsigned bytes,
                    int32_t *folded);
void sp_fold_stored(const sp_matrix_t *matrix, const void *values, unsigned bytes,
                    int32_t *folded);

/* signs = -32767, 0 or 32767 as the error is negative, zero or positive. May be in place. */
void sp_error_signs(const int16_t *error, uint32_t outputs, int16_t *signs);

/* difference = scale * (g(of_target) - g(of_prediction)), g tanh or sign, arguments with 12
 * fractional bits: the correction of FTP's first target. */
uint32_t sp_contrast_tanh(const int16_t *of_target, const int16_t *of_prediction, uint32_t length,
                          sp_scale_t scale, int16_t *difference);
uint32_t sp_contrast_sign(const int16_t *of_target, const int16_t *of_prediction, uint32_t length,
                          sp_scale_t scale, int16_t *difference);

/* Short second pass: change = scale * (q signal / 2^12), q of units x outputs. */
uint32_t sp_modulation(const int32_t *q, uint32_t units, uint32_t outputs, const int16_t *signal,
                       sp_scale_t scale, int16_t *change);

/* q -= row_errors x folded^T / 2^shift, as the weights that q was made of. shift: 16 or 24. */
void sp_follow_update(int32_t *q, uint32_t units, uint32_t outputs, const int16_t *row_errors,
                      const int32_t *folded, unsigned shift);

#ifdef __cplusplus
}
#endif

#endif
