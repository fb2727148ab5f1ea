/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a model's state that do not depend on the network. A generated model.h puts them
 * into its sp_model_t beside the weights and activations.
 */
#ifndef SECONDPASS_MODEL_STATE_H
#define SECONDPASS_MODEL_STATE_H

#include <stdint.h>

#include "secondpass/fixed.h"

#ifdef __GNUC__
#define SP_ALIGN4 __attribute__((aligned(4)))
#else
#define SP_ALIGN4
#endif

/* Values of SP_MODEL_HEAD. */
#define SP_HEAD_SOFTMAX 0
#define SP_HEAD_SIGMOID 1
#define SP_HEAD_MSE 2
#define SP_HEAD_RECONSTRUCTION 3

/* A model that learns what is normal keeps an anomaly threshold. */
#define SP_MODEL_HAS_THRESHOLD (SP_MODEL_LEARNS && SP_MODEL_HEAD == SP_HEAD_RECONSTRUCTION)

/* What the model did; every counter is modulo 2^32. `step` survives a clear of the counters. */
typedef struct {
    uint32_t step;              /* training steps since reset */
    uint32_t trained;           /* samples trained on */
    uint32_t trained_correct;   /* of these, predicted right before the update */
    uint32_t evaluated;         /* samples evaluated */
    uint32_t evaluated_correct; /* of these, predicted right */
    uint32_t input_saturations; /* of the quantised and of the modulated input */
    uint32_t skipped;           /* samples whose error was below the gate */
} sp_counters_t;

typedef struct {
    uint32_t activation_saturations;
    uint32_t error_saturations;  /* row errors clamped */
    uint32_t weight_saturations; /* weights and biases clamped by an update */
    uint32_t active_rows;        /* rows updated because their error was not zero */
} sp_layer_counters_t;

/* Settings of the learning step that may change at run time; rates and the scales of projections,
 * as many as the rule has, stand beside them. */
typedef struct {
    uint32_t projection_seed;
    uint32_t dither_seed;
    uint32_t decay_steps;  /* steps after which the rates decay; 0: never */
    uint16_t decay_factor; /* Q15, 16384 to 32768 */
    uint16_t gate;         /* samples whose largest error is smaller are not learned */
} sp_settings_t;

/* What turns a layer's delta into row errors. */
typedef struct {
    sp_scale_t scale;
    int16_t clip;      /* largest magnitude of a row error, 1 to 32767 */
    uint16_t row_gate; /* smaller deltas are zero or this, at random; 0 to 32767, 0: off */
} sp_rate_t;

/* The outcome of one sample; the prediction is made before the update. */
typedef struct {
    uint16_t predicted;
    uint16_t label_probability; /* Q0.15, 0 to 32768; 0 for heads without labels */
    uint32_t score;             /* mean squared error of heads without labels */
} sp_step_t;

/* A view of one weight matrix or bias vector. */
typedef struct {
    const void *data;
    void *writable;        /* the same place; NULL: in flash, because no step changes it */
    uint32_t rows;
    uint32_t columns;
    uint32_t stride;       /* elements from one row to the next */
    uint32_t element_size; /* bytes: 1 or 2 weights, 4 biases */
} sp_tensor_t;

#endif
