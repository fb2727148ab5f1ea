/* SPDX-License-Identifier: Apache-2.0
 *
 * The floating-point baseline: one back-propagation step of a fully connected network with ReLU
 * units, batch size 1, written by hand for speed on a core with or without a float unit.
 */
#ifndef SECONDPASS_BASELINE_FLOAT_BP_H
#define SECONDPASS_BASELINE_FLOAT_BP_H

#include <stdint.h>

#define FLOAT_MAX_LAYERS 8u

/* A fully connected layer; all memory is the caller's. */
typedef struct {
    uint32_t inputs, outputs;
    float *weights; /* row by row, outputs x inputs */
    float *bias;    /* outputs */
    float *output;  /* outputs: the activation */
    float *delta;   /* outputs */
} float_layer_t;

typedef struct {
    uint32_t layers; /* 2 to FLOAT_MAX_LAYERS; hidden layers have ReLU, the last one is linear */
    float_layer_t layer[FLOAT_MAX_LAYERS];
    float learning_rate;
} float_net_t;

/* Returns the output of the last layer. */
const float *float_infer(const float_net_t *net, const float *x);

/* Turn the output of an inference into the error of softmax with cross entropy, in `delta` of the
 * last layer; returns the label's probability. */
float float_softmax_error(const float_net_t *net, uint32_t label);

/* The same for the mean squared error to a wanted output; returns the error's sum of squares. */
float float_mse_error(const float_net_t *net, const float *wanted);

/* Back-propagate the error and update every weight and bias. */
void float_learn(const float_net_t *net, const float *x);

#endif
