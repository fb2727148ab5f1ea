/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs every kernel over many shapes and prints one CRC-32 a kernel over all that it wrote and
 * counted. The same program runs on this computer and on every emulated board.
 */
#include <string.h>

#include "secondpass/kernels.h"
#include "secondpass/link.h"
#include "secondpass/model_state.h"

#define LARGEST 70u
#define GUARD 0x5AFE
#define GUARD_WORDS 4u

enum { KIND_FULL, KIND_SMALL, KIND_RAILS, KIND_LOWEST, KIND_SPARSE, KINDS };

static SP_ALIGN4 int16_t x[LARGEST];
static SP_ALIGN4 int16_t second[LARGEST];
static SP_ALIGN4 int16_t weights[LARGEST * LARGEST + GUARD_WORDS];
static SP_ALIGN4 int16_t output[LARGEST + GUARD_WORDS];
static int32_t bias[LARGEST];
static uint8_t bytes[2 * LARGEST + 1];
static uint32_t draws;
static uint32_t digest;

static uint32_t draw(void)
{
    return sp_mix32(draws++);
}

static int16_t draw16(unsigned kind)
{
    const uint32_t word = draw();
    const int32_t full = (int32_t)(word & 0xFFFFu) - 0x8000;

    switch (kind) {
    case KIND_SMALL:
        return (int16_t)(full / 128);
    case KIND_RAILS:
        return word & 0x10000u ? INT16_MAX : INT16_MIN;
    case KIND_LOWEST:
        return INT16_MIN;
    case KIND_SPARSE:
        return (int16_t)(word & 0x30000u ? 0 : full);
    default:
        return (int16_t)full;
    }
}

/* Rows of `columns` values, each followed by a zero when their number is odd. */
static void fill(int16_t *at, uint32_t rows, uint32_t columns)
{
    const unsigned kind = draw() % KINDS;

    for (uint32_t row = 0; row < rows; ++row) {
        for (uint32_t j = 0; j < columns; ++j) {
            *at++ = draw16(kind);
        }
        if (columns & 1u) {
            *at++ = 0;
        }
    }
}

static void fill_bias(uint32_t length)
{
    const unsigned kind = draw() % KINDS;

    for (uint32_t i = 0; i < length; ++i) {
        bias[i] = (int32_t)draw16(kind) * 65536 + (int32_t)(draw() & 0xFFFFu);
    }
}

static sp_scale_t draw_scale(void)
{
    const uint32_t word = draw();
    const int32_t magnitude = (int32_t)(0x4000u + (word & 0x3FFFu));
    const sp_scale_t scale = {(int16_t)(word & 0x4000u ? -magnitude : magnitude),
                              (uint8_t)((word >> 16) % (SP_SCALE_SHIFT_MAX + 1u))};

    return scale;
}

static void put(const void *data, uint32_t length)
{
    const uint8_t *at = data;
    uint32_t parts[2];

    parts[0] = digest;
    parts[1] = sp_link_crc32(at, length);
    digest = sp_link_crc32((const uint8_t *)parts, sizeof parts);
}

static void put_count(uint32_t count)
{
    put(&count, sizeof count);
}

static void put_output(uint32_t saturations)
{
    put(output, sizeof output);
    put_count(saturations);
}

static void clear_output(void)
{
    for (uint32_t i = 0; i < LARGEST + GUARD_WORDS; ++i) {
        output[i] = GUARD;
    }
}

static void run_fc(uint32_t inputs, uint32_t outputs)
{
    const sp_fc_t layer = {.inputs = (uint16_t)inputs, .outputs = (uint16_t)outputs,
                           .in_frac = 0, .shift = (uint8_t)((inputs + outputs) % 31u),
                           .relu = (uint8_t)(inputs / 3u & 1u)};

    fill(x, 1, inputs);
    fill(weights, outputs, inputs);
    fill_bias(outputs);
    put_output(sp_fc_a16w16(&layer, x, weights, bias, output));
}

static void run_update(uint32_t inputs, uint32_t outputs)
{
    const sp_fc_t layer = {.inputs = (uint16_t)inputs, .outputs = (uint16_t)outputs,
                           .in_frac = (uint8_t)(draw() % 16u), .shift = 0, .relu = 0};
    uint32_t active = 0;

    fill(x, 1, inputs);
    fill(second, 1, outputs);
    fill(weights, outputs, inputs);
    fill_bias(outputs);
    put_count(sp_update_a16w16(&layer, second, x, draw(), weights, bias, &active));
    put_count(active);
    put(weights, outputs * sp_row_stride(inputs) * 2u + 2u * GUARD_WORDS);
    put(bias, outputs * 4u);
}

typedef uint32_t (*projection_t)(const int16_t *error, uint32_t outputs, const int16_t *x,
                                 uint32_t inputs, uint32_t seed, sp_scale_t scale,
                                 int16_t *modulated);

static void run_projection(projection_t project, uint32_t inputs, uint32_t outputs)
{
    uint32_t seed;

    fill(x, 1, inputs);
    fill(second, 1, outputs);
    seed = draw();
    put_output(project(second, outputs, x, inputs, seed, draw_scale(), output));
}

static void run_project_sign(uint32_t inputs, uint32_t outputs)
{
    run_projection(sp_project_sign_a16, inputs, outputs);
}

static void run_project_dense(uint32_t inputs, uint32_t outputs)
{
    run_projection(sp_project_dense_a16, inputs, outputs);
}

static void run_project_sparse(uint32_t inputs, uint32_t outputs)
{
    run_projection(sp_project_sparse_a16, inputs, outputs);
}

static void run_row_errors(uint32_t inputs, uint32_t outputs)
{
    (void)outputs;
    fill(x, 1, inputs);
    fill(second, 1, inputs);
    put_output(sp_row_errors(x, inputs, draw_scale(), output));
    put_output(sp_row_errors_difference(x, second, inputs, draw_scale(), output));
    put_output(sp_row_errors_relu(x, second, inputs, draw_scale(), output));
}

static void run_quantise(uint32_t inputs, uint32_t outputs)
{
    const uint8_t *const unaligned = bytes + outputs % 2u;
    const int32_t zero_point = draw16(outputs % KINDS);

    for (uint32_t i = 0; i < sizeof bytes; ++i) {
        bytes[i] = (uint8_t)draw();
    }
    put_output(sp_quantise_u8(unaligned, inputs, zero_point, draw_scale(), output));
    put_output(sp_quantise_i16(unaligned, inputs, zero_point, draw_scale(), output));
}

static void run_softmax(uint32_t inputs, uint32_t outputs)
{
    fill(x, 1, inputs);
    put_count(sp_softmax_error(x, inputs, outputs % 16u, (uint16_t)(draw() % inputs), output));
    put_output(sp_argmax(x, inputs));
}

static void run_crc32(uint32_t inputs, uint32_t outputs)
{
    fill(x, 1, inputs);
    put_count(sp_link_crc32((const uint8_t *)x + outputs % 2u, inputs));
}

typedef struct {
    const char *name;
    void (*run)(uint32_t inputs, uint32_t outputs);
} kernel_t;

static const kernel_t kernels[] = {
    {"fc_a16w16", run_fc},
    {"update_a16w16", run_update},
    {"project_sign_a16", run_project_sign},
    {"project_dense_a16", run_project_dense},
    {"project_sparse_a16", run_project_sparse},
    {"row_errors", run_row_errors},
    {"quantise", run_quantise},
    {"softmax", run_softmax},
    {"crc32", run_crc32},
};
#define KERNELS (sizeof kernels / sizeof kernels[0])

static uint32_t sweep(const kernel_t *kernel)
{
    draws = 0;
    digest = 0;
    for (uint32_t inputs = 1; inputs <= LARGEST; ++inputs) {
        /* Every number of outputs occurs, each with every third number of inputs. */
        for (uint32_t outputs = 1u + inputs % 3u; outputs <= LARGEST; outputs += 3) {
            clear_output();
            kernel->run(inputs, outputs);
        }
    }
    return digest;
}

/* "name crc\n"; returns its length. */
static uint32_t report(const kernel_t *kernel, char *line)
{
    const uint32_t crc = sweep(kernel);
    uint32_t length = (uint32_t)strlen(kernel->name);

    memcpy(line, kernel->name, length);
    line[length++] = ' ';
    for (int shift = 28; shift >= 0; shift -= 4) {
        line[length++] = "0123456789abcdef"[(crc >> shift) & 15u];
    }
    line[length++] = '\n';
    return length;
}

#ifdef SP_BOARD_NAME

#include "cortex_m.h"
#include "secondpass/port.h"

static volatile int asked;

static void on_byte(uint8_t byte)
{
    (void)byte;
    asked = 1;
}

void sp_on_fault(uint32_t fault_status)
{
    (void)fault_status;
    sp_port_send_blocking((const uint8_t *)"fault 0\nend\n", 12);
}

/* What is sent before the other side listens is lost: wait for its first byte. */
int main(void)
{
    char line[40];

    sp_port_init(on_byte);
    while (!asked) {
    }
    for (uint32_t i = 0; i < KERNELS; ++i) {
        sp_port_send_blocking((const uint8_t *)line, report(&kernels[i], line));
    }
    sp_port_send_blocking((const uint8_t *)"end\n", 4);
    for (;;) {
        sp_wait_for_interrupt();
    }
}

#else

#include <stdio.h>

int main(void)
{
    char line[40];

    for (uint32_t i = 0; i < KERNELS; ++i) {
        (void)fwrite(line, 1, report(&kernels[i], line), stdout);
    }
    (void)puts("end");
    return 0;
}

#endif
