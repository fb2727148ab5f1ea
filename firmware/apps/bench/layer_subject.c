/* SPDX-License-Identifier: Apache-2.0
 *
 * Subject: the kernels of one fully connected layer on dense random data. An inference is the
 * layer, a step the update of all its rows. subject_config.h defines SP_LAYER_INPUTS,
 * SP_LAYER_OUTPUTS and SP_LAYER_FORMAT, such as a16w8.
 */
#include <stddef.h>

#include "secondpass/kernels.h"
#include "secondpass/link.h"
#include "secondpass/model_state.h"
#include "subject.h"
#include "subject_config.h"

#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
#define IS_a16w16 1
#define IS_a16w8 2
#define IS_a8w8 3
#define FORMAT JOIN(IS_, SP_LAYER_FORMAT)

/* Ranges as in trained networks: a few bits of head-room, results that do not saturate. */
#if FORMAT == IS_a8w8
typedef int8_t input_t;
#define INPUT_BITS 8
#define SHIFT 3
#else
typedef int16_t input_t;
#define INPUT_BITS 13
#define SHIFT (FORMAT == IS_a16w16 ? 15 : 9)
#endif
#if FORMAT == IS_a16w16
typedef int16_t weight_t;
#define WEIGHT_BITS 14
#define STRIDE sp_row_stride(SP_LAYER_INPUTS)
#else
typedef int8_t weight_t;
#define WEIGHT_BITS 7
#define STRIDE sp_row_stride8(SP_LAYER_INPUTS)
#endif

static const sp_fc_t shape = {
    .inputs = SP_LAYER_INPUTS, .outputs = SP_LAYER_OUTPUTS, .shift = SHIFT, .relu = 1, .counted = 2};

static SP_ALIGN4 input_t x[SP_LAYER_INPUTS + 4];
static SP_ALIGN4 weight_t weights[SP_LAYER_OUTPUTS * (SP_LAYER_INPUTS + 4)];
static SP_ALIGN4 int32_t bias[SP_LAYER_OUTPUTS];
static SP_ALIGN4 int16_t y[SP_LAYER_OUTPUTS + 2];
static SP_ALIGN4 int16_t row_errors[SP_LAYER_OUTPUTS + 2];
#if FORMAT == IS_a16w16
static uint16_t room[SP_LAYER_OUTPUTS];
#define ROOM room,
#else
#define ROOM
#endif
static SP_ALIGN4 uint8_t record[4]; /* the seed of the inputs */
static uint32_t saturations;

uint8_t *const sp_subject_record = record;
const uint32_t sp_subject_record_bytes = sizeof record;

/* A number of so many bits, never zero: a dense input has none. */
static int32_t draw(uint32_t seed, uint32_t index, unsigned bits)
{
    const uint32_t low = sp_mix32(seed + index) & ((1u << bits) - 1u);
    const int32_t value = (int32_t)low - (1 << (bits - 1));

    return value != 0 ? value : 1;
}

void sp_subject_start(void)
{
    for (uint32_t row = 0; row < SP_LAYER_OUTPUTS; ++row) {
        bias[row] = draw(1, row, INPUT_BITS);
        row_errors[row] = (int16_t)draw(2, row, 12);
        for (uint32_t j = 0; j < SP_LAYER_INPUTS; ++j) {
            const uint32_t at = row * STRIDE + j;

            weights[at] = (weight_t)draw(3, at, WEIGHT_BITS);
        }
#if FORMAT == IS_a16w16
        room[row] = sp_room_w16(weights + row * STRIDE, SP_LAYER_INPUTS);
#endif
    }
    for (uint32_t j = 0; j < SP_LAYER_INPUTS; ++j) {
        x[j] = (input_t)draw(4, j, INPUT_BITS);
    }
}

void *sp_subject_state(uint32_t *bytes)
{
    *bytes = 0;
    return NULL;
}

void sp_subject_infer(void)
{
    saturations += JOIN(sp_fc_, SP_LAYER_FORMAT)(&shape, x, NULL, weights, bias, y);
}

void sp_subject_train(void)
{
    saturations += JOIN(sp_update_, SP_LAYER_FORMAT)(&shape, row_errors, x, NULL, 5, ROOM weights);
}

uint32_t sp_subject_check(void)
{
    return sp_link_crc32((const uint8_t *)y, sizeof y) ^
           sp_link_crc32((const uint8_t *)weights, sizeof weights);
}
