/* SPDX-License-Identifier: Apache-2.0
 *
 * Learning steps of one layer, composed of kernels: docs/numerics.md, section 6.
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
    int16_t *weights;
    int32_t *bias;
    sp_scale_t rate;               /* delta to row error */
    uint32_t key;                  /* sp_dither_key of this step and layer */
    int16_t *row_errors;           /* scratch, shape->outputs elements */
    sp_layer_counters_t *counters;
} sp_layer_step_t;

/* PEPITA, hidden layer: delta = first - second, where first and second are the layer's activations
 * in the two passes and presynaptic is its input in the pass the rule names. */
void sp_pepita_hidden_a16w16(const sp_layer_step_t *step, const int16_t *first,
                             const int16_t *second, const int16_t *presynaptic);

/* FTP, hidden layer: delta = (first - target) times the derivative of the layer's activation, which
 * for ReLU is 1 where first is positive; presynaptic is the layer's input in the first pass. */
void sp_ftp_hidden_a16w16(const sp_layer_step_t *step, const int16_t *first,
                          const int16_t *target, const int16_t *presynaptic);

/* Output layer of every rule: delta is the output error in Q0.15. */
void sp_output_a16w16(const sp_layer_step_t *step, const int16_t *error,
                      const int16_t *presynaptic);

/* What every rule ends with: update from step->row_errors. */
void sp_layer_update_a16w16(const sp_layer_step_t *step, const int16_t *presynaptic);

#ifdef __cplusplus
}
#endif

#endif
