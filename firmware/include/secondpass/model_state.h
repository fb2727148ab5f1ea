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

/* What the model did; every counter is modulo 2^32. `step` survives a clear of the counters. */
typedef struct {
    uint32_t step;              /* training steps since reset */
    uint32_t trained;           /* samples trained on */
    uint32_t trained_correct;   /* of these, predicted right before the update */
    uint32_t evaluated;         /* samples evaluated */
    uint32_t evaluated_correct; /* of these, predicted right */
    uint32_t input_saturations; /* of the quantised and of the modulated input */
} sp_counters_t;

typedef struct {
    uint32_t activation_saturations;
    uint32_t error_saturations;  /* row errors clamped */
    uint32_t weight_saturations; /* weights and biases clamped by an update */
    uint32_t active_rows;        /* rows updated because their error was not zero */
} sp_layer_counters_t;

/* Settings of the learning step that may change at run time; the rates stand beside them. */
typedef struct {
    uint32_t projection_seed;
    uint32_t dither_seed;
    sp_scale_t projection;
} sp_settings_t;

/* The outcome of one sample; the prediction is made before the update. */
typedef struct {
    uint16_t predicted;
    uint16_t label_probability; /* Q0.15, 0 to 32768 */
} sp_step_t;

/* A view of one weight matrix or bias vector. */
typedef struct {
    void *data;
    uint32_t rows;
    uint32_t columns;
    uint32_t stride;       /* elements from one row to the next */
    uint32_t element_size; /* bytes: 2 weights, 4 biases */
} sp_tensor_t;

#endif
