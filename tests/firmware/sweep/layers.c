/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers, row errors and updates in every format; a layer's step.
 */
#include <stddef.h>

#include <string.h>

#include "sweep.h"

static sp_fc_t draw_shape(uint32_t inputs, uint32_t outputs, int32_t least, int32_t most)
{
    const uint32_t word = draw();
    const sp_fc_t layer = {
        .inputs = (uint16_t)inputs,
        .outputs = (uint16_t)outputs,
        .shift = (int8_t)(least + (int32_t)(word % (uint32_t)(most - least + 1))),
        .relu = (uint8_t)(word >> 16 & 1u),
        .counted = (uint8_t)(word >> 17 & 3u),
    };

    return layer;
}

/* A quarter of the layers have no bias. */
static const int32_t *draw_bias(uint32_t outputs)
{
    fill32(wide, outputs);
    return draw_below(4) != 0 ? wide : NULL;
}

/* The list of a vector, half of the time. */
static const uint16_t *draw_groups(void (*list)(const int16_t *, uint32_t, uint16_t *),
                                   uint32_t inputs)
{
    list(x, inputs, groups);
    return draw_below(2) ? groups : NULL;
}

static const uint16_t *draw_groups8(uint32_t inputs)
{
    sp_quads_a8(narrow, inputs, groups);
    return draw_below(2) ? groups : NULL;
}

static void run_fc_a16w16(uint32_t inputs, uint32_t outputs)
{
    const sp_fc_t layer = draw_shape(inputs, outputs, 0, 30);
    const uint16_t *listed;

    fill16(x, 1, inputs);
    fill16(weights16, outputs, inputs);
    listed = draw_groups(sp_pairs_a16, inputs);
    put_output(sp_fc_a16w16(&layer, x, listed, weights16, draw_bias(outputs), output));
}

static void run_fc_a16w8(uint32_t inputs, uint32_t outputs)
{
    const sp_fc_t layer = draw_shape(inputs, outputs, 0, 38);
    const uint16_t *listed;

    fill16(x, 1, inputs);
    fill8(weights8, outputs, inputs);
    listed = draw_groups(sp_quads_a16, inputs);
    put_output(sp_fc_a16w8(&layer, x, listed, weights8, draw_bias(outputs), output));
}

static void run_fc_a8w8(uint32_t inputs, uint32_t outputs)
{
    const sp_fc_t layer = draw_shape(inputs, outputs, -8, 30);
    const uint16_t *listed;

    fill8(narrow, 1, inputs);
    fill8(weights8, outputs, inputs);
    listed = draw_groups8(inputs);
    put_output(sp_fc_a8w8(&layer, narrow, listed, weights8, draw_bias(outputs), output));
}

static void run_fc_affine8(uint32_t inputs, uint32_t outputs)
{
    static sp_affine_scale_t scales[LARGEST];
    const uint32_t word = draw();
    const sp_affine_t layer = {
        .inputs = (uint16_t)inputs,
        .outputs = (uint16_t)outputs,
        .zero_point = (int8_t)(word & 0xFFu),
        .lowest = word & 0x100u ? (int8_t)-128 : (int8_t)(word & 0xFFu),
        .highest = 127,
        .counted = (uint8_t)(word >> 9 & 3u),
        .per_row = (uint8_t)(word >> 11 & 1u),
    };

    fill8(narrow, 1, inputs);
    fill8(weights8, outputs, inputs);
    fill32(wide, outputs);
    for (uint32_t row = 0; row < outputs; ++row) {
        wide[row] /= 2; /* sums fit int32 */
        scales[row].high = draw() >> 11;
        scales[row].low = draw();
        scales[row].shift = (uint8_t)(1u + draw_below(63));
    }
    put_output(sp_fc_affine8(&layer, narrow, weights8, wide, scales, (int8_t *)output));
    sp_widen_a8(narrow, inputs, output);
    put_output(0);
}

static void run_backward_w16(uint32_t inputs, uint32_t outputs)
{
    const sp_fc_t layer = draw_shape(inputs, outputs, 0, 0);

    fill16(second, 1, outputs);
    fill16(weights16, outputs, inputs);
    put_output(sp_backward_w16(&layer, second, weights16, draw_below(31), output));
}

static void run_backward_w8(uint32_t inputs, uint32_t outputs)
{
    const sp_fc_t layer = draw_shape(inputs, outputs, 0, 0);

    fill16(second, 1, outputs);
    fill8(weights8, outputs, inputs);
    put_output(sp_backward_w8(&layer, second, weights8, draw_below(31), output));
}

static void run_row_errors(uint32_t inputs, uint32_t outputs)
{
    uint32_t active = outputs;
    int16_t clip;

    fill16(output, 1, inputs);
    clip = (int16_t)(draw_below(4) ? 1 + draw_below(INT16_MAX) : INT16_MAX);
    put_output(sp_row_errors(output, inputs, draw_scale(), clip, &active));
    put_count(active);
}

static void run_thin_rows(uint32_t inputs, uint32_t outputs)
{
    uint32_t key;
    uint32_t gate;

    fill16(output, 1, inputs);
    key = draw();
    gate = draw_below(outputs % 2u != 0 ? 400 : (uint32_t)INT16_MAX + 1u);
    sp_thin_rows(output, inputs, (uint16_t)gate, key);
    put_output(0);
}

static void run_update_bias(uint32_t inputs, uint32_t outputs)
{
    fill16(second, 1, inputs);
    fill32(wide, inputs);
    put_count(sp_update_bias(second, inputs, (int)(outputs % 39u) - 24, wide));
    put(wide, inputs * 4u + GUARD_BYTES);
}

/* A layer's step is its row errors, the bias and the update. */
typedef struct {
    sp_fc_t shape;
    sp_layer_counters_t counters;
    sp_layer_step_t step;
} learning_t;

static void draw_learning(learning_t *learning, uint32_t inputs, uint32_t outputs)
{
    const int exponent = (int)draw_below(39) - 24;
    const uint32_t key = draw();
    sp_scale_t rate = draw_scale();
    const uint32_t gate = draw_below(2) != 0 ? draw_below((uint32_t)INT16_MAX + 1u) : 0;

    rate.shift = (uint8_t)(8u + draw_below(9));
    learning->shape = draw_shape(inputs, outputs, 0, 0);
    learning->counters = (sp_layer_counters_t){0, 0, 0, 0};
    learning->step = (sp_layer_step_t){
        .shape = &learning->shape,
        .bias = wide,
        .room = memset(room, 0, sizeof room),
        .bias_exponent = exponent,
        .rate = {rate, INT16_MAX, (uint16_t)gate},
        .key = key,
        .counters = &learning->counters,
    };
    fill16(second, 1, outputs);
    fill32(wide, outputs);
}

static void put_learning(const learning_t *learning)
{
    put(&learning->counters, sizeof learning->counters);
    put(second, sizeof second);
    put(wide, learning->shape.outputs * 4u + GUARD_BYTES);
}

static void run_learn_a16w16(uint32_t inputs, uint32_t outputs)
{
    learning_t learning;

    draw_learning(&learning, inputs, outputs);
    fill16(x, 1, inputs);
    fill16(weights16, outputs, inputs);
    sp_learn_a16w16(&learning.step, weights16, second, x, draw_groups(sp_pairs_a16, inputs));
    put_learning(&learning);
    put(weights16, outputs * sp_row_stride(inputs) * 2u + GUARD_BYTES);
}

static void run_learn_a16w8(uint32_t inputs, uint32_t outputs)
{
    learning_t learning;

    draw_learning(&learning, inputs, outputs);
    fill16(x, 1, inputs);
    fill8(weights8, outputs, inputs);
    sp_learn_a16w8(&learning.step, weights8, second, x, draw_groups(sp_quads_a16, inputs));
    put_learning(&learning);
    put(weights8, outputs * sp_row_stride8(inputs) + GUARD_BYTES);
}

static void run_learn_a8w8(uint32_t inputs, uint32_t outputs)
{
    learning_t learning;

    draw_learning(&learning, inputs, outputs);
    fill8(narrow, 1, inputs);
    fill8(weights8, outputs, inputs);
    sp_learn_a8w8(&learning.step, weights8, second, narrow, draw_groups8(inputs));
    put_learning(&learning);
    put(weights8, outputs * sp_row_stride8(inputs) + GUARD_BYTES);
}

static void run_learn_bias(uint32_t inputs, uint32_t outputs)
{
    learning_t learning;

    draw_learning(&learning, inputs, outputs);
    sp_learn_bias(&learning.step, second);
    put_learning(&learning);
}

static void run_finish_step(uint32_t inputs, uint32_t outputs)
{
    sp_counters_t counters = {.step = inputs % 5u};
    const sp_settings_t settings = {.decay_steps = outputs % 4u,
                                    .decay_factor = (uint16_t)(16384u + draw_below(16385))};
    sp_rate_t rates[3];

    for (uint32_t i = 0; i < 3; ++i) {
        rates[i] = (sp_rate_t){draw_scale(), 1, 1};
    }
    sp_finish_step(&counters, &settings, rates, 2);
    rates[2].scale = sp_decayed(rates[2].scale, settings.decay_factor);
    put_count(counters.step);
    for (uint32_t i = 0; i < 3; ++i) {
        put_count((uint32_t)rates[i].scale.multiplier);
        put_count(rates[i].scale.shift);
    }
}

const kernel_t layer_kernels[] = {
    {"fc_a16w16", run_fc_a16w16},       {"fc_a16w8", run_fc_a16w8},
    {"fc_a8w8", run_fc_a8w8},           {"fc_affine8", run_fc_affine8},
    {"backward_w16", run_backward_w16},
    {"backward_w8", run_backward_w8},   {"row_errors", run_row_errors},
    {"thin_rows", run_thin_rows},       {"update_bias", run_update_bias},
    {"learn_a16w16", run_learn_a16w16}, {"learn_a16w8", run_learn_a16w8},
    {"learn_a8w8", run_learn_a8w8},     {"learn_bias", run_learn_bias},
    {"finish_step", run_finish_step},
};
const uint32_t layer_kernel_count = sizeof layer_kernels / sizeof layer_kernels[0];
