/* SPDX-License-Identifier: Apache-2.0 */
#include "verbs.h"

#if SP_MODEL_LEARNS

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

sp_status_t sp_trainer_configure(sp_trainer_t *trainer, sp_request_t *request)
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

sp_status_t sp_trainer_train(sp_trainer_t *trainer, sp_request_t *request)
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
        sp_put32(request->reply + 8, sp_trainer_saturations(model));
        sp_put32(request->reply + 16, step.score);
        request->reply_length = 20;
        sp_trainer_stepped(trainer);
    }
    return status;
}

#endif
