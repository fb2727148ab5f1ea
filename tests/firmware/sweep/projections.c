/* SPDX-License-Identifier: Apache-2.0
 *
 * Projections of every kind, and what becomes of projected errors.
 */
#include <stddef.h>

#include "sweep.h"

typedef struct {
    uint32_t (*project)(const sp_matrix_t *, const int16_t *, sp_scale_t, int16_t *);
    uint32_t (*column)(const sp_matrix_t *, uint32_t, int32_t, sp_scale_t, int16_t *);
    void (*fold)(const sp_matrix_t *, const void *, unsigned, int32_t *);
} projection_t;

static void run_projection(const projection_t *projection, uint32_t rows, uint32_t outputs,
                           const int8_t *stored)
{
    const sp_matrix_t matrix = {(uint16_t)rows, (uint16_t)outputs, draw(), stored};
    const uint32_t column = draw_below(outputs);
    const int32_t value = draw_below(4) ? 32768 : 0;

    fill16(x, 1, outputs);
    put_output(projection->project(&matrix, x, draw_scale(), output));
    put_output(projection->column(&matrix, column, value, draw_scale(), output));
    if (draw_below(2)) {
        fill16(second, 1, rows);
        projection->fold(&matrix, second, 2, wide);
    } else {
        fill8(narrow, 1, rows);
        projection->fold(&matrix, narrow, 1, wide);
    }
    put(wide, outputs * 4u + GUARD_BYTES);
}

static void run_sign(uint32_t inputs, uint32_t outputs)
{
    static const projection_t sign = {sp_project_sign, sp_column_sign, sp_fold_sign};

    run_projection(&sign, inputs, outputs, NULL);
}

static void run_dense(uint32_t inputs, uint32_t outputs)
{
    static const projection_t dense = {sp_project_dense, sp_column_dense, sp_fold_dense};

    run_projection(&dense, inputs, outputs, NULL);
}

static void run_sparse(uint32_t inputs, uint32_t outputs)
{
    static const projection_t sparse = {sp_project_sparse, sp_column_sparse, sp_fold_sparse};

    run_projection(&sparse, inputs, outputs, NULL);
}

static void run_stored(uint32_t inputs, uint32_t outputs)
{
    static const projection_t stored = {sp_project_stored, sp_column_stored, sp_fold_stored};

    fill8(weights8, inputs, outputs);
    run_projection(&stored, inputs, outputs, weights8);
}

static void run_signals(uint32_t inputs, uint32_t outputs)
{
    (void)outputs;
    fill16(x, 1, inputs);
    fill16(second, 1, inputs);
    sp_error_signs(x, inputs, output);
    put_output(0);
    put_output(sp_contrast_tanh(x, second, inputs, draw_scale(), output));
    put_output(sp_contrast_sign(x, second, inputs, draw_scale(), output));
}

static void run_modulation(uint32_t inputs, uint32_t outputs)
{
    const int32_t divisor = (int32_t)1 << draw_below(28);

    fill16(x, 1, outputs);
    fill32(wide, inputs * outputs);
    /* Small enough, at times, that no scale saturates. */
    for (uint32_t i = 0; i < inputs * outputs; ++i) {
        wide[i] /= divisor;
    }
    put_output(sp_modulation(wide, inputs, outputs, x, draw_scale(), output));
}

static void run_follow_update(uint32_t inputs, uint32_t outputs)
{
    static int32_t folded[LARGEST];

    fill16(x, 1, inputs);
    fill32(folded, outputs);
    fill32(wide, inputs * outputs);
    sp_follow_update(wide, inputs, outputs, x, folded, draw_below(2) ? 16 : 24);
    put(wide, inputs * outputs * 4u + GUARD_BYTES);
}

const kernel_t projection_kernels[] = {
    {"sign", run_sign},       {"dense", run_dense},           {"sparse", run_sparse},
    {"stored", run_stored},   {"signals", run_signals},       {"modulation", run_modulation},
    {"follow_update", run_follow_update},
};
const uint32_t projection_kernel_count =
    sizeof projection_kernels / sizeof projection_kernels[0];
