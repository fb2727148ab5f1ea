/* SPDX-License-Identifier: Apache-2.0
 *
 * Subject of the bench (firmware/apps/bench): the float baseline. subject_config.h defines
 * FLOAT_LAYERS; FLOAT_WIDTHS, such as 784, 100, 10; FLOAT_INPUTS, the first of them;
 * FLOAT_PARAMETERS, the number of weights and biases; FLOAT_UNITS, the outputs of all layers;
 * FLOAT_LABELLED, 1: softmax, 0: the input is the wanted output; FLOAT_CENTRED, 1: a mean is
 * subtracted from the inputs; FLOAT_RATE, FLOAT_SAMPLE_STEP and FLOAT_ZERO_POINT.
 *
 * A record is a label of two bytes and a uint8 sample, as the integer models take them; turning it
 * into numbers is part of what is measured, as it is there. The state that a job loads: the means
 * of the inputs, then weights and bias of layer after layer.
 */
#include <string.h>

#include "cortex_m.h"
#include "float_bp.h"
#include "subject.h"
#include "subject_config.h"

static const uint32_t widths[FLOAT_LAYERS + 1] = {FLOAT_WIDTHS};

static struct {
    float mean[FLOAT_INPUTS];
    float parameters[FLOAT_PARAMETERS];
} state;

static float x[FLOAT_INPUTS];
static float outputs[FLOAT_UNITS], deltas[FLOAT_UNITS];
static uint8_t record[2 + FLOAT_INPUTS];
static float_net_t net;
static float total; /* of the probabilities of labels, or of the squared errors */

uint8_t *const sp_subject_record = record;
const uint32_t sp_subject_record_bytes = sizeof record;

static void switch_float_unit_on(void)
{
#if defined(__ARM_FP)
    SP_REGISTER(0xE000ED88u) |= 0xFu << 20; /* CPACR: full access to CP10 and CP11 */
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
}

void sp_subject_start(void)
{
    float *parameter = state.parameters;
    uint32_t unit = 0;

    switch_float_unit_on();
    net.layers = FLOAT_LAYERS;
    net.learning_rate = FLOAT_RATE;
    for (uint32_t i = 0; i < FLOAT_LAYERS; ++i) {
        float_layer_t *layer = &net.layer[i];

        layer->inputs = widths[i];
        layer->outputs = widths[i + 1];
        layer->weights = parameter;
        layer->bias = parameter + widths[i] * widths[i + 1];
        layer->output = outputs + unit;
        layer->delta = deltas + unit;
        parameter = layer->bias + widths[i + 1];
        unit += widths[i + 1];
    }
}

void *sp_subject_state(uint32_t *bytes)
{
    *bytes = sizeof state;
    return &state;
}

static void read_sample(void)
{
    const uint8_t *sample = record + 2;

    for (uint32_t j = 0; j < FLOAT_INPUTS; ++j) {
        x[j] = (float)((int32_t)sample[j] - FLOAT_ZERO_POINT) * FLOAT_SAMPLE_STEP;
#if FLOAT_CENTRED
        x[j] -= state.mean[j];
#endif
    }
}

void sp_subject_infer(void)
{
    read_sample();
    (void)float_infer(&net, x);
}

void sp_subject_train(void)
{
    read_sample();
    (void)float_infer(&net, x);
#if FLOAT_LABELLED
    total += float_softmax_error(&net, (uint32_t)record[0] | (uint32_t)record[1] << 8);
#else
    total += float_mse_error(&net, x);
#endif
    float_learn(&net, x);
}

/* The bits of `total`. */
uint32_t sp_subject_check(void)
{
    uint32_t bits;

    memcpy(&bits, &total, sizeof bits);
    return bits;
}
