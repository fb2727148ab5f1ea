/* SPDX-License-Identifier: Apache-2.0
 *
 * Fused back-propagation in float32. Per weight: one multiply-accumulate forward, one for the
 * update, and above the first layer one for the delta that goes down. No gradient is stored, the
 * input gradient of the first layer is not computed, and rows whose delta is zero (units that
 * ReLU switched off) are skipped. Four rows of the forward pass share each loaded input.
 */
#include "float_bp.h"

#include <math.h>
#include <stddef.h>

static float rectified(float value, int relu)
{
    return relu && value < 0.0f ? 0.0f : value;
}

/* Four rows of a layer. */
static void four_rows(const float_layer_t *layer, const float *x, uint32_t row, int relu)
{
    const uint32_t inputs = layer->inputs;
    const float *a = layer->weights + row * inputs;
    const float *b = a + inputs, *c = b + inputs, *d = c + inputs;
    float *y = layer->output + row;
    float sum_a = layer->bias[row], sum_b = layer->bias[row + 1];
    float sum_c = layer->bias[row + 2], sum_d = layer->bias[row + 3];

    for (const float *const end = x + inputs; x != end; ++x) {
        const float value = *x;

        sum_a += *a++ * value;
        sum_b += *b++ * value;
        sum_c += *c++ * value;
        sum_d += *d++ * value;
    }
    y[0] = rectified(sum_a, relu);
    y[1] = rectified(sum_b, relu);
    y[2] = rectified(sum_c, relu);
    y[3] = rectified(sum_d, relu);
}

static void forward(const float_layer_t *layer, const float *x, int relu)
{
    const uint32_t inputs = layer->inputs;
    uint32_t row = 0;

    for (; row + 3 < layer->outputs; row += 4) {
        four_rows(layer, x, row, relu);
    }
    for (; row < layer->outputs; ++row) {
        const float *weight = layer->weights + row * inputs;
        float sum = layer->bias[row];

        for (uint32_t j = 0; j < inputs; ++j) {
            sum += weight[j] * x[j];
        }
        layer->output[row] = rectified(sum, relu);
    }
}

const float *float_infer(const float_net_t *net, const float *x)
{
    for (uint32_t i = 0; i < net->layers; ++i) {
        forward(&net->layer[i], x, i + 1 < net->layers);
        x = net->layer[i].output;
    }
    return x;
}

float float_softmax_error(const float_net_t *net, uint32_t label)
{
    const float_layer_t *last = &net->layer[net->layers - 1];
    float largest = last->output[0], sum = 0.0f;
    float probability;

    for (uint32_t k = 1; k < last->outputs; ++k) {
        largest = last->output[k] > largest ? last->output[k] : largest;
    }
    for (uint32_t k = 0; k < last->outputs; ++k) {
        last->delta[k] = expf(last->output[k] - largest);
        sum += last->delta[k];
    }
    sum = 1.0f / sum;
    for (uint32_t k = 0; k < last->outputs; ++k) {
        last->delta[k] *= sum;
    }
    probability = last->delta[label];
    last->delta[label] -= 1.0f;
    return probability;
}

float float_mse_error(const float_net_t *net, const float *wanted)
{
    const float_layer_t *last = &net->layer[net->layers - 1];
    float sum = 0.0f;

    for (uint32_t k = 0; k < last->outputs; ++k) {
        const float error = last->output[k] - wanted[k];

        last->delta[k] = error;
        sum += error * error;
    }
    return sum;
}

/* weights -= step x^T for one row. */
static void update_row(float *weight, const float *x, uint32_t inputs, float step)
{
    for (float *const end = weight + inputs; weight != end; ++weight, ++x) {
        *weight -= step * *x;
    }
}

/* The same, and below += delta * weight before the update. */
static void update_and_hand_down(float *weight, const float *x, uint32_t inputs, float step,
                                 float delta, float *below)
{
    for (float *const end = weight + inputs; weight != end; ++weight, ++x, ++below) {
        const float old = *weight;

        *below += delta * old;
        *weight = old - step * *x;
    }
}

/* Update a layer. `below` (NULL for the first layer) gets the delta of the layer below. */
static void learn_layer(const float_layer_t *layer, const float *x, float rate, float *below)
{
    const uint32_t inputs = layer->inputs;

    for (uint32_t j = 0; below != NULL && j < inputs; ++j) {
        below[j] = 0.0f;
    }
    for (uint32_t row = 0; row < layer->outputs; ++row) {
        const float delta = layer->delta[row];
        float *weight = layer->weights + row * inputs;

        if (delta == 0.0f) {
            continue;
        }
        layer->bias[row] -= rate * delta;
        if (below == NULL) {
            update_row(weight, x, inputs, rate * delta);
        } else {
            update_and_hand_down(weight, x, inputs, rate * delta, delta, below);
        }
    }
    for (uint32_t j = 0; below != NULL && j < inputs; ++j) {
        below[j] = x[j] > 0.0f ? below[j] : 0.0f;
    }
}

void float_learn(const float_net_t *net, const float *x)
{
    for (uint32_t i = net->layers; i-- > 1;) {
        learn_layer(&net->layer[i], net->layer[i - 1].output, net->learning_rate,
                    net->layer[i - 1].delta);
    }
    learn_layer(&net->layer[0], x, net->learning_rate, NULL);
}
