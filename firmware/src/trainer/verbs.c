/* SPDX-License-Identifier: Apache-2.0 */
#include "verbs.h"

#include <string.h>

#include "secondpass/kernels.h"
#include "secondpass/version.h"

static uint32_t stack_used(const sp_trainer_t *trainer)
{
    return trainer->platform->stack_size != 0 ? trainer->platform->stack_used() : 0;
}

/* A name in a field of `size` bytes, cut to leave a zero and padded with zeros. */
static void put_name(uint8_t *at, const char *name, uint32_t size)
{
    uint32_t i = 0;

    for (; i < size - 1u && name[i] != '\0'; ++i) {
        at[i] = (uint8_t)name[i];
    }
    for (; i < size; ++i) {
        at[i] = 0;
    }
}

static sp_status_t hello(sp_trainer_t *trainer, sp_request_t *request)
{
    const sp_platform_t *platform = trainer->platform;
    uint8_t *at = request->reply;

    if (request->length != 0) {
        return SP_ERROR_LENGTH;
    }
    sp_put32(at, (uint32_t)SP_MODEL_HASH);
    sp_put32(at + 4, (uint32_t)(SP_MODEL_HASH >> 32));
    at[8] = SP_VERSION_MAJOR;
    at[9] = SP_VERSION_MINOR;
    at[10] = SP_VERSION_PATCH;
    at[11] = SP_MODEL_LAYERS;
    sp_put16(at + 12, SP_MODEL_CLASSES);
    sp_put16(at + 14, SP_MODEL_INPUTS);
    sp_put32(at + 16, SP_MODEL_SAMPLE_BYTES);
    sp_put32(at + 20, SP_TENSOR_CHUNK);
    sp_put32(at + 24, platform->ticks_hz);
    sp_put32(at + 28, (uint32_t)sizeof(sp_model_t));
    sp_put32(at + 32, (uint32_t)sizeof(sp_trainer_t));
    sp_put32(at + 36, platform->stack_size);
    put_name(at + 40, platform->board, SP_BOARD_FIELD);
    put_name(at + 40 + SP_BOARD_FIELD, platform->core, SP_CORE_FIELD);
    at[40 + SP_BOARD_FIELD + SP_CORE_FIELD] = platform->counts_cycles;
    at[41 + SP_BOARD_FIELD + SP_CORE_FIELD] = sp_trainer_crash_pending(trainer);
    request->reply_length = SP_HELLO_BODY;
    return SP_OK;
}

static sp_scale_t get_scale(const uint8_t *at)
{
    const int32_t bits = sp_get16(at);
    const sp_scale_t scale = {(int16_t)(bits >= 0x8000 ? bits - 0x10000 : bits), at[2]};

    return scale;
}

static int valid_scale(const uint8_t *at)
{
    const sp_scale_t scale = get_scale(at);
    const int32_t magnitude = scale.multiplier < 0 ? -(int32_t)scale.multiplier
                                                   : scale.multiplier;

    return scale.shift <= SP_SCALE_SHIFT_MAX &&
           (magnitude == 0 || (magnitude >= 0x4000 && magnitude <= 0x7FFF));
}

/* Are all settings in range? */
static int valid_settings(const uint8_t *body)
{
    const uint32_t decay_factor = sp_get16(body + 12);

    if (decay_factor < 0x4000u || decay_factor > 0x8000u) {
        return 0;
    }
    for (uint32_t layer = 0; layer < SP_MODEL_LAYERS; ++layer) {
        const uint8_t *rate = body + SP_RATES_AT + SP_RATE_BYTES * layer;
        const uint32_t clip = sp_get16(rate + 3);

        if (!valid_scale(rate) || clip == 0 || clip > INT16_MAX ||
            sp_get16(rate + 5) > INT16_MAX) {
            return 0;
        }
    }
    for (uint32_t at = SP_PROJECTIONS_AT; at < SP_SETTINGS_BODY; at += 3) {
        if (!valid_scale(body + at)) {
            return 0;
        }
    }
    return 1;
}

static void set_projections(sp_model_t *model, const uint8_t *at)
{
#if SP_MODEL_HAS_PROJECTIONS
    for (uint32_t i = 0; i < SP_MODEL_PROJECTIONS; ++i) {
        model->projections[i] = get_scale(at + 3u * i);
    }
#else
    (void)model; /* the rule projects nothing */
    (void)at;
#endif
}

static sp_status_t configure(sp_trainer_t *trainer, sp_request_t *request)
{
    const uint8_t *body = request->body;
    sp_model_t *model = trainer->model;
    sp_settings_t *settings = &model->settings;
    sp_tensor_t weights;

    if (request->length != SP_SETTINGS_BODY) {
        return SP_ERROR_LENGTH;
    }
    if (!valid_settings(body)) {
        return SP_ERROR_VALUE;
    }
    settings->projection_seed = sp_get32(body);
    settings->dither_seed = sp_get32(body + 4);
    settings->decay_steps = sp_get32(body + 8);
    settings->decay_factor = sp_get16(body + 12);
    settings->gate = sp_get16(body + 14);
    for (uint32_t layer = 0; layer < SP_MODEL_LAYERS; ++layer) {
        const uint8_t *rate = body + SP_RATES_AT + SP_RATE_BYTES * layer;

        model->rates[layer].scale = get_scale(rate);
        model->rates[layer].clip = (int16_t)sp_get16(rate + 3);
        model->rates[layer].row_gate = (uint16_t)sp_get16(rate + 5);
    }
    set_projections(model, body + SP_PROJECTIONS_AT);
    (void)sp_model_tensor(model, 0, 0, &weights);
    sp_model_changed(model, 0, 0, weights.rows);
    return SP_OK;
}

static sp_status_t infer(sp_trainer_t *trainer, sp_request_t *request)
{
    sp_model_t *model = trainer->model;
    uint32_t start;

    if (request->length != SP_MODEL_SAMPLE_BYTES) {
        return SP_ERROR_SAMPLE;
    }
    start = sp_trainer_ticks(trainer);
    sp_model_infer(model, request->body);
    sp_put32(request->reply + 2, sp_trainer_ticks(trainer) - start);
    sp_put16(request->reply, sp_model_predicted(model));
    for (uint32_t k = 0; k < SP_MODEL_OUTPUTS; ++k) {
        sp_put16(request->reply + 6 + 2 * k, (uint16_t)model->logits[k]);
    }
    request->reply_length = 6u + 2u * SP_MODEL_OUTPUTS;
    return SP_OK;
}

static uint32_t all_saturations(const sp_model_t *model)
{
    uint32_t total = model->counters.input_saturations;

    for (uint32_t layer = 0; layer < SP_MODEL_LAYERS; ++layer) {
        const sp_layer_counters_t *counters = &model->layer_counters[layer];

        total += counters->activation_saturations + counters->error_saturations +
                 counters->weight_saturations;
    }
    return total;
}

static sp_status_t train(sp_trainer_t *trainer, sp_request_t *request)
{
    sp_model_t *model = trainer->model;
    sp_step_t step;
    sp_status_t status;
    uint32_t start;

    if (request->length != SP_MODEL_TARGET_BYTES + SP_MODEL_SAMPLE_BYTES) {
        return SP_ERROR_SAMPLE;
    }
    start = sp_trainer_ticks(trainer);
    status = sp_model_train(model, request->body + SP_MODEL_TARGET_BYTES, request->body, &step);
    sp_put32(request->reply + 12, sp_trainer_ticks(trainer) - start);
    if (status == SP_OK) {
        sp_put16(request->reply, step.predicted);
        sp_put16(request->reply + 2, step.label_probability);
        sp_put32(request->reply + 4, model->counters.step);
        sp_put32(request->reply + 8, all_saturations(model));
        sp_put32(request->reply + 16, step.score);
        request->reply_length = 20;
        sp_trainer_stepped(trainer);
    }
    return status;
}

static sp_status_t evaluate(sp_trainer_t *trainer, sp_request_t *request)
{
    sp_step_t step;
    sp_status_t status;
    uint32_t start;

    if (request->length != SP_MODEL_TARGET_BYTES + SP_MODEL_SAMPLE_BYTES) {
        return SP_ERROR_SAMPLE;
    }
    start = sp_trainer_ticks(trainer);
    status = sp_model_evaluate(trainer->model, request->body + SP_MODEL_TARGET_BYTES,
                               request->body, &step);
    sp_put32(request->reply + 2, sp_trainer_ticks(trainer) - start);
    if (status == SP_OK) {
        sp_put16(request->reply, step.predicted);
        sp_put32(request->reply + 6, step.score);
        request->reply_length = 10;
    }
    return status;
}

static sp_status_t statistics(sp_trainer_t *trainer, sp_request_t *request)
{
    sp_model_t *model = trainer->model;
    const sp_counters_t *counters = &model->counters;
    uint8_t *at = request->reply;

    if (request->length != 1) {
        return SP_ERROR_LENGTH;
    }
    if (request->body[0] > 1) {
        return SP_ERROR_VALUE;
    }
    sp_put32(at, counters->step);
    sp_put32(at + 4, counters->trained);
    sp_put32(at + 8, counters->trained_correct);
    sp_put32(at + 12, counters->evaluated);
    sp_put32(at + 16, counters->evaluated_correct);
    sp_put32(at + 20, counters->input_saturations);
    sp_put32(at + 24, trainer->crc_errors);
    sp_put32(at + 28, trainer->frame_errors);
    sp_put32(at + 32, trainer->receiver.overruns);
    sp_put32(at + 36, stack_used(trainer));
    sp_put32(at + 40, counters->skipped);
    at += 44;
    for (uint32_t layer = 0; layer < SP_MODEL_LAYERS; ++layer, at += 16) {
        const sp_layer_counters_t *layer_counters = &model->layer_counters[layer];

        sp_put32(at, layer_counters->activation_saturations);
        sp_put32(at + 4, layer_counters->error_saturations);
        sp_put32(at + 8, layer_counters->weight_saturations);
        sp_put32(at + 12, layer_counters->active_rows);
    }
    sp_trainer_safety(trainer, at);
    if (request->body[0] == 1) {
        const uint32_t step = counters->step;

        memset(&model->counters, 0, sizeof model->counters);
        memset(model->layer_counters, 0, sizeof model->layer_counters);
        model->counters.step = step;
    }
    request->reply_length = SP_STATISTICS_BODY;
    return SP_OK;
}

/* Find the elements that a read or write names; their bytes are contiguous within a row only. */
static sp_status_t find_range(sp_trainer_t *trainer, const sp_request_t *request,
                              sp_tensor_t *tensor, uint32_t *offset, uint32_t *count)
{
    if (request->length < SP_TENSOR_HEADER) {
        return SP_ERROR_LENGTH;
    }
    *offset = sp_get32(request->body + 2);
    *count = sp_get16(request->body + 6);
    if (sp_model_tensor(trainer->model, request->body[0], request->body[1], tensor) != SP_OK ||
        *count == 0 || *count > SP_TENSOR_CHUNK / tensor->element_size ||
        *offset >= tensor->rows * tensor->columns ||
        *count > tensor->rows * tensor->columns - *offset) {
        return SP_ERROR_TENSOR;
    }
    return SP_OK;
}

/* Bytes from the beginning of a tensor to an element, without the rows' padding. */
static uint32_t position(const sp_tensor_t *tensor, uint32_t index)
{
    const uint32_t row = index / tensor->columns;
    const uint32_t column = index % tensor->columns;

    return (row * tensor->stride + column) * tensor->element_size;
}

static sp_status_t read_tensor(sp_trainer_t *trainer, sp_request_t *request)
{
    sp_tensor_t tensor;
    uint32_t offset;
    uint32_t count;
    const sp_status_t status = find_range(trainer, request, &tensor, &offset, &count);

    if (status != SP_OK) {
        return status;
    }
    if (request->length != SP_TENSOR_HEADER) {
        return SP_ERROR_LENGTH;
    }
    for (uint32_t i = 0; i < count; ++i) {
        memcpy(request->reply + i * tensor.element_size,
               (const uint8_t *)tensor.data + position(&tensor, offset + i), tensor.element_size);
    }
    request->reply_length = count * tensor.element_size;
    return SP_OK;
}

static sp_status_t write_tensor(sp_trainer_t *trainer, sp_request_t *request)
{
    sp_tensor_t tensor;
    uint32_t offset;
    uint32_t count;
    const sp_status_t status = find_range(trainer, request, &tensor, &offset, &count);

    if (status != SP_OK) {
        return status;
    }
    if (request->length != SP_TENSOR_HEADER + count * tensor.element_size) {
        return SP_ERROR_LENGTH;
    }
    if (tensor.writable == NULL) {
        return SP_ERROR_FROZEN;
    }
    for (uint32_t i = 0; i < count; ++i) {
        memcpy((uint8_t *)tensor.writable + position(&tensor, offset + i),
               request->body + SP_TENSOR_HEADER + i * tensor.element_size, tensor.element_size);
    }
    if (request->body[1] == 0) {
        const uint32_t row = offset / tensor.columns;

        sp_model_changed(trainer->model, request->body[0], row,
                         (offset + count - 1u) / tensor.columns - row + 1u);
    }
    return SP_OK;
}

static sp_status_t reset(sp_trainer_t *trainer, sp_request_t *request)
{
    if (request->length != 0) {
        return SP_ERROR_LENGTH;
    }
    sp_model_reset(trainer->model);
    return SP_OK;
}

sp_handler_t sp_trainer_handler(uint8_t verb)
{
    switch (verb) {
    case SP_VERB_HELLO:
        return hello;
    case SP_VERB_CONFIGURE:
        return configure;
    case SP_VERB_INFER:
        return infer;
    case SP_VERB_TRAIN:
        return train;
    case SP_VERB_EVALUATE:
        return evaluate;
    case SP_VERB_STATISTICS:
        return statistics;
    case SP_VERB_READ_TENSOR:
        return read_tensor;
    case SP_VERB_WRITE_TENSOR:
        return write_tensor;
    case SP_VERB_SAVE:
        return sp_trainer_save;
    case SP_VERB_LOAD:
        return sp_trainer_load;
    case SP_VERB_RESET:
        return reset;
    case SP_VERB_FAULT:
        return sp_trainer_fault;
    case SP_VERB_AUTOSAVE:
        return sp_trainer_set_autosave;
    default:
        return NULL;
    }
}
