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
#if SP_MODEL_LEARNS
    if (request->body[1] == 0) {
        const uint32_t row = offset / tensor.columns;

        sp_model_changed(trainer->model, request->body[0], row,
                         (offset + count - 1u) / tensor.columns - row + 1u);
    }
#endif
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

#if !SP_MODEL_LEARNS
static sp_status_t refuse_learning(sp_trainer_t *trainer, sp_request_t *request)
{
    (void)trainer;
    (void)request;
    return SP_ERROR_INFERS;
}
#endif

sp_handler_t sp_trainer_handler(uint8_t verb)
{
    switch (verb) {
    case SP_VERB_HELLO:
        return hello;
    case SP_VERB_INFER:
        return infer;
    case SP_VERB_EVALUATE:
        return evaluate;
    case SP_VERB_STATISTICS:
        return statistics;
    case SP_VERB_READ_TENSOR:
        return read_tensor;
    case SP_VERB_WRITE_TENSOR:
        return write_tensor;
    case SP_VERB_RESET:
        return reset;
    case SP_VERB_FAULT:
        return sp_trainer_fault;
#if SP_MODEL_HAS_THRESHOLD
    case SP_VERB_THRESHOLD:
        return sp_trainer_threshold;
#endif
#if SP_MODEL_LEARNS
    case SP_VERB_CONFIGURE:
        return sp_trainer_configure;
    case SP_VERB_TRAIN:
        return sp_trainer_train;
    case SP_VERB_SAVE:
        return sp_trainer_save;
    case SP_VERB_LOAD:
        return sp_trainer_load;
    case SP_VERB_AUTOSAVE:
        return sp_trainer_set_autosave;
#else
    case SP_VERB_CONFIGURE:
    case SP_VERB_TRAIN:
    case SP_VERB_SAVE:
    case SP_VERB_LOAD:
    case SP_VERB_AUTOSAVE:
        return refuse_learning;
#endif
    default:
        return NULL;
    }
}
