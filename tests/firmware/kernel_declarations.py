# SPDX-License-Identifier: Apache-2.0
"""What the tests call of the C library, as cffi reads it; the compiler compares it with headers."""

from secondpass.device.twin_declarations import COUNTERS, SETTINGS

_KERNELS = """
typedef struct {
    uint16_t inputs, outputs; int8_t shift; uint8_t relu, counted; ...;
} sp_fc_t;
typedef struct { uint32_t high, low; uint8_t shift; ...; } sp_affine_scale_t;
typedef struct {
    uint16_t inputs, outputs; int8_t zero_point, lowest, highest; uint8_t counted, per_row; ...;
} sp_affine_t;
typedef struct { uint16_t rows, outputs; uint32_t seed; const int8_t *stored; ...; } sp_matrix_t;

int16_t sp_saturate16(int64_t value, uint32_t *saturations);
int8_t sp_saturate8(int32_t value, uint32_t *saturations);
int32_t sp_saturate32(int64_t value, uint32_t *saturations);
int16_t sp_fit16(int32_t value, uint32_t *saturations);
int64_t sp_round_shift(int64_t value, unsigned shift);
int32_t sp_round_shift32(int32_t value, unsigned shift);
int64_t sp_product(int32_t value, int32_t factor);
int16_t sp_scale16(int32_t value, sp_scale_t scale, uint32_t *saturations);
sp_scale_t sp_short_scale(sp_scale_t scale);
int16_t sp_scale16_short(int32_t value, sp_scale_t scale, uint32_t *saturations);
uint32_t sp_mix32(uint32_t x);
uint32_t sp_dither_key(uint32_t dither_seed, uint32_t step, uint32_t layer);
uint32_t sp_layer_seed(uint32_t seed, uint32_t layer);
uint32_t sp_row_stride(uint32_t inputs);
uint32_t sp_row_stride8(uint32_t inputs);
uint32_t sp_link_crc32(const uint8_t *, uint32_t);

void sp_pairs_a16(const int16_t *, uint32_t, uint16_t *);
void sp_quads_a16(const int16_t *, uint32_t, uint16_t *);
void sp_quads_a8(const int8_t *, uint32_t, uint16_t *);
uint32_t sp_fc_a16w16(const sp_fc_t *, const int16_t *, const uint16_t *, const int16_t *,
                      const int32_t *, int16_t *);
uint32_t sp_fc_a16w8(const sp_fc_t *, const int16_t *, const uint16_t *, const int8_t *,
                     const int32_t *, int16_t *);
uint32_t sp_fc_a8w8(const sp_fc_t *, const int8_t *, const uint16_t *, const int8_t *,
                    const int32_t *, int16_t *);
uint32_t sp_fc_affine8(const sp_affine_t *, const int8_t *, const int8_t *, const int32_t *,
                       const sp_affine_scale_t *, int8_t *);
uint32_t sp_backward_w16(const sp_fc_t *, const int16_t *, const int16_t *, unsigned, int16_t *);
uint32_t sp_backward_w8(const sp_fc_t *, const int16_t *, const int8_t *, unsigned, int16_t *);
uint32_t sp_update_a16w16(const sp_fc_t *, const int16_t *, const int16_t *, const uint16_t *,
                          uint32_t, uint16_t *, int16_t *);
uint32_t sp_update_a16w8(const sp_fc_t *, const int16_t *, const int16_t *, const uint16_t *,
                         uint32_t, int8_t *);
uint32_t sp_update_a8w8(const sp_fc_t *, const int16_t *, const int8_t *, const uint16_t *,
                        uint32_t, int8_t *);
uint16_t sp_room_w16(const int16_t *, uint32_t);
uint32_t sp_update_bias(const int16_t *, uint32_t, int, int32_t *);
void sp_thin_rows(int16_t *, uint32_t, uint16_t, uint32_t);
uint32_t sp_row_errors(int16_t *, uint32_t, sp_scale_t, int16_t, uint32_t *);

uint32_t sp_quantise_u8(const uint8_t *, uint32_t, int32_t, sp_scale_t, int16_t *);
uint32_t sp_quantise_i8(const uint8_t *, uint32_t, int32_t, sp_scale_t, int16_t *);
uint32_t sp_quantise_i16(const uint8_t *, uint32_t, int32_t, sp_scale_t, int16_t *);
void sp_load_i16(const uint8_t *, uint32_t, int16_t *);

void sp_relu_a16(const int16_t *, uint32_t, int16_t *);
void sp_hard_tanh_a16(const int16_t *, uint32_t, unsigned, int16_t *);
void sp_tanh_a16(const int16_t *, uint32_t, unsigned, int16_t *);
int16_t sp_tanh_q15(int16_t);
void sp_widen_a8(const int8_t *, uint32_t, int16_t *);
uint32_t sp_narrow_a8(const int16_t *, uint32_t, int8_t *);
void sp_slope_relu(const int16_t *, uint32_t, int16_t *);
void sp_slope_hard_tanh(const int16_t *, uint32_t, unsigned, int16_t *);
void sp_slope_tanh(const int16_t *, uint32_t, unsigned, int16_t *);

uint32_t sp_add_a16(const int16_t *, const int16_t *, uint32_t, int16_t *);
uint32_t sp_subtract_a16(const int16_t *, const int16_t *, uint32_t, int16_t *);
uint32_t sp_negate_a16(const int16_t *, uint32_t, int16_t *);
uint32_t sp_rescale_a16(const int16_t *, uint32_t, int, int16_t *);

uint16_t sp_softmax_error(const int16_t *, uint32_t, unsigned, uint16_t, int16_t *);
uint16_t sp_sigmoid_error(int16_t, unsigned, uint16_t, int16_t *);
void sp_prediction(const int16_t *, uint32_t, uint32_t, int32_t, int16_t *);
void sp_negative_one_hot(uint32_t, uint32_t, int32_t, int16_t *);
uint32_t sp_mean_square(const int16_t *, uint32_t);
uint32_t sp_largest(const int16_t *, uint32_t);
uint16_t sp_argmax(const int16_t *, uint32_t);

uint32_t sp_project_sign(const sp_matrix_t *, const int16_t *, sp_scale_t, int16_t *);
uint32_t sp_project_dense(const sp_matrix_t *, const int16_t *, sp_scale_t, int16_t *);
uint32_t sp_project_sparse(const sp_matrix_t *, const int16_t *, sp_scale_t, int16_t *);
uint32_t sp_project_stored(const sp_matrix_t *, const int16_t *, sp_scale_t, int16_t *);
uint32_t sp_column_sign(const sp_matrix_t *, uint32_t, int32_t, sp_scale_t, int16_t *);
uint32_t sp_column_dense(const sp_matrix_t *, uint32_t, int32_t, sp_scale_t, int16_t *);
uint32_t sp_column_sparse(const sp_matrix_t *, uint32_t, int32_t, sp_scale_t, int16_t *);
uint32_t sp_column_stored(const sp_matrix_t *, uint32_t, int32_t, sp_scale_t, int16_t *);
void sp_fold_sign(const sp_matrix_t *, const void *, unsigned, int32_t *);
void sp_fold_dense(const sp_matrix_t *, const void *, unsigned, int32_t *);
void sp_fold_sparse(const sp_matrix_t *, const void *, unsigned, int32_t *);
void sp_fold_stored(const sp_matrix_t *, const void *, unsigned, int32_t *);
void sp_error_signs(const int16_t *, uint32_t, int16_t *);
uint32_t sp_contrast_tanh(const int16_t *, const int16_t *, uint32_t, sp_scale_t, int16_t *);
uint32_t sp_contrast_sign(const int16_t *, const int16_t *, uint32_t, sp_scale_t, int16_t *);
uint32_t sp_modulation(const int32_t *, uint32_t, uint32_t, const int16_t *, sp_scale_t,
                       int16_t *);
void sp_follow_update(int32_t *, uint32_t, uint32_t, const int16_t *, const int32_t *, unsigned);

typedef struct {
    const sp_fc_t *shape; int32_t *bias; uint16_t *room; int bias_exponent;
    sp_rate_t rate; uint32_t key; sp_layer_counters_t *counters;
    ...;
} sp_layer_step_t;
void sp_learn_a16w16(const sp_layer_step_t *, int16_t *, int16_t *, const int16_t *,
                     const uint16_t *);
void sp_learn_a16w8(const sp_layer_step_t *, int8_t *, int16_t *, const int16_t *,
                     const uint16_t *);
void sp_learn_a8w8(const sp_layer_step_t *, int8_t *, int16_t *, const int8_t *,
                     const uint16_t *);
void sp_learn_bias(const sp_layer_step_t *, int16_t *);
sp_scale_t sp_decayed(sp_scale_t, uint32_t);
void sp_finish_step(sp_counters_t *, const sp_settings_t *, sp_rate_t *, uint32_t);
typedef struct {
    int32_t mean, spread; uint32_t width, count; uint16_t quantile, calibrating; ...;
} sp_threshold_t;
void sp_threshold_restart(sp_threshold_t *);
uint32_t sp_threshold_score(const sp_threshold_t *);
uint16_t sp_threshold_judge(sp_threshold_t *, uint32_t, int);
static const int form_is_dsp, form_is_split;
"""

DECLARATIONS = COUNTERS + SETTINGS + _KERNELS

PREAMBLE = """
#include "secondpass/kernels.h"
#include "secondpass/link.h"
#include "secondpass/projection.h"
#include "secondpass/rules.h"
#include "secondpass/threshold.h"
#include "kernels/dsp.h"
static const int form_is_dsp = SP_DSP;
#if defined(SP_NO_LONG_MULTIPLY)
static const int form_is_split = 1;
#else
static const int form_is_split = 0;
#endif
"""
