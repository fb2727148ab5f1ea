/* SPDX-License-Identifier: Apache-2.0
 *
 * Inputs, activations, sums and heads.
 */
#include "sweep.h"

static void run_quantise(uint32_t inputs, uint32_t outputs)
{
    const uint8_t *const unaligned = bytes + outputs % 2u;
    int32_t zero_point;

    fill16(x, 1, 1);
    zero_point = x[0];
    fill_bytes();
    put_output(sp_quantise_u8(unaligned, inputs, zero_point, draw_scale(), output));
    put_output(sp_quantise_i8(unaligned, inputs, zero_point, draw_scale(), output));
    put_output(sp_quantise_i16(unaligned, inputs, zero_point, draw_scale(), output));
    sp_load_i16(unaligned, inputs, output);
    put_output(0);
}

static void run_activations(uint32_t inputs, uint32_t outputs)
{
    fill16(x, 1, inputs);
    sp_relu_a16(x, inputs, output);
    put_output(0);
    sp_hard_tanh_a16(x, inputs, 8u + outputs % 7u, output);
    put_output(0);
    sp_tanh_a16(x, inputs, 8u + outputs % 8u, output);
    put_output(sp_narrow_a8(x, inputs, narrow));
    put(narrow, sizeof narrow);
}

static void run_slopes(uint32_t inputs, uint32_t outputs)
{
    const unsigned hard_frac = 8u + outputs % 7u;
    const unsigned tanh_frac = 8u + outputs % 8u;

    fill16(x, 1, inputs);
    fill16(output, 1, inputs);
    sp_slope_relu(x, inputs, output);
    put_output(0);
    sp_hard_tanh_a16(x, inputs, hard_frac, second);
    fill16(output, 1, inputs);
    sp_slope_hard_tanh(second, inputs, hard_frac, output);
    put_output(0);
    sp_tanh_a16(x, inputs, tanh_frac, second);
    fill16(output, 1, inputs);
    sp_slope_tanh(second, inputs, tanh_frac, output);
    put_output(0);
}

static void run_sums(uint32_t inputs, uint32_t outputs)
{
    fill16(x, 1, inputs);
    fill16(second, 1, inputs);
    put_output(sp_add_a16(x, second, inputs, output));
    put_output(sp_subtract_a16(x, second, inputs, output));
    put_output(sp_negate_a16(x, inputs, output));
    put_output(sp_rescale_a16(x, inputs, (int)(outputs % 31u) - 15, output));
}

static void run_measures(uint32_t inputs, uint32_t outputs)
{
    (void)outputs;
    fill16(x, 1, inputs);
    put_count(sp_mean_square(x, inputs));
    put_count(sp_largest(x, inputs));
    put_count(sp_argmax(x, inputs));
}

static void run_softmax(uint32_t inputs, uint32_t outputs)
{
    fill16(x, 1, inputs);
    put_output(sp_softmax_error(x, inputs, outputs % 16u, (uint16_t)draw_below(inputs), output));
    put_output(sp_sigmoid_error(x[0], outputs % 16u, (uint16_t)(inputs % 2u), output));
}

static void run_targets(uint32_t inputs, uint32_t outputs)
{
    const int32_t value = outputs % 2u ? 32768 : 0;
    const uint32_t index = draw_below(inputs);

    fill16(x, 1, inputs);
    sp_prediction(x, inputs, index, value, output);
    put_output(0);
    sp_negative_one_hot(inputs, index, value, output);
    put_output(0);
}

static void run_crc32(uint32_t inputs, uint32_t outputs)
{
    fill16(x, 1, inputs);
    put_count(sp_link_crc32((const uint8_t *)x + outputs % 2u, inputs));
}

const kernel_t vector_kernels[] = {
    {"quantise", run_quantise}, {"activations", run_activations}, {"slopes", run_slopes},
    {"sums", run_sums},         {"measures", run_measures},       {"softmax", run_softmax},
    {"targets", run_targets},   {"crc32", run_crc32},
};
const uint32_t vector_kernel_count = sizeof vector_kernels / sizeof vector_kernels[0];
