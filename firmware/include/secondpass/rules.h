/* SPDX-License-Identifier: Apache-2.0
 *
 * What learning steps share: the update of one layer and the end of a step (docs/rules.md).
 */
#ifndef SECONDPASS_RULES_H
#define SECONDPASS_RULES_H

#include "secondpass/kernels.h"
#include "secondpass/model_state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One layer as a learning step sees it. */
typedef struct {
    const sp_fc_t *shape;
    int32_t *bias;
    uint16_t *room;                /* of each row of int16 weights that move (kernels.h), else NULL */
    int bias_exponent;             /* row error to bias: power of two */
    sp_rate_t rate;                /* delta to row error */
    uint32_t key;                  /* sp_dither_key of this step and layer */
    sp_layer_counters_t *counters;
} sp_layer_step_t;

/* Update weights and bias of a layer in a format. delta: shape->outputs elements, which become row
 * errors; presynaptic: what the layer reads in the pass that the rule names; groups: its list
 * (kernels.h) or NULL. */
void sp_learn_a16w16(const sp_layer_step_t *step, int16_t *weights, int16_t *delta,
                     const int16_t *presynaptic, const uint16_t *groups);
void sp_learn_a16w8(const sp_layer_step_t *step, int8_t *weights, int16_t *delta,
                    const int16_t *presynaptic, const uint16_t *groups);
void sp_learn_a8w8(const sp_layer_step_t *step, int8_t *weights, int16_t *delta,
                   const int8_t *presynaptic, const uint16_t *groups);

/* The same for the bias alone. */
void sp_learn_bias(const sp_layer_step_t *step, int16_t *delta);

/* A rate times a Q15 factor in [16384, 32768]. */
sp_scale_t sp_decayed(sp_scale_t rate, uint32_t factor);

/* Count the step; let the rates decay when it is time. */
void sp_finish_step(sp_counters_t *counters, const sp_settings_t *settings, sp_rate_t *rates,
                    uint32_t layers);

#ifdef __cplusplus
}
#endif

#endif
