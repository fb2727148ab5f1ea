/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "verbs.h"

#define FAULT_BODY 32u
#define STACK_NOT_KNOWN 2u

static void put_fault(uint8_t *at, const sp_fault_t *fault)
{
    at[0] = fault->cause;
    at[1] = fault->flags;
    at[2] = fault->exception;
    at[3] = fault->count;
    sp_put32(at + 4, fault->pc);
    sp_put32(at + 8, fault->lr);
    sp_put32(at + 12, fault->xpsr);
    sp_put32(at + 16, fault->sp);
    sp_put32(at + 20, fault->cfsr);
    sp_put32(at + 24, fault->hfsr);
    sp_put32(at + 28, fault->address);
}

sp_status_t sp_trainer_fault(sp_trainer_t *trainer, sp_request_t *request)
{
    if (request->length != 1) {
        return SP_ERROR_LENGTH;
    }
    if (request->body[0] > 1) {
        return SP_ERROR_VALUE;
    }
    memset(request->reply, 0, FAULT_BODY);
    request->reply_length = FAULT_BODY;
    if (sp_trainer_crash_pending(trainer)) {
        put_fault(request->reply, trainer->platform->fault());
        if (request->body[0] == 1) {
            trainer->platform->clear_fault();
        }
    }
    return SP_OK;
}

sp_status_t sp_trainer_set_autosave(sp_trainer_t *trainer, sp_request_t *request)
{
    if (request->length != 4) {
        return SP_ERROR_LENGTH;
    }
    if (trainer->platform->save == NULL && sp_get32(request->body) != 0) {
        return SP_ERROR_STORE;
    }
    trainer->autosave.every = sp_get32(request->body);
    return SP_OK;
}

uint32_t sp_trainer_saturations(const sp_model_t *model)
{
    uint32_t total = model->counters.input_saturations;

    for (uint32_t layer = 0; layer < SP_MODEL_LAYERS; ++layer) {
        const sp_layer_counters_t *counters = &model->layer_counters[layer];

        total += counters->activation_saturations + counters->error_saturations +
                 counters->weight_saturations;
    }
    return total;
}

void sp_trainer_stepped(sp_trainer_t *trainer)
{
    const uint32_t every = trainer->autosave.every;

    if (every != 0) {
        trainer->autosave.due = trainer->model->counters.step % every == 0;
    }
}

void sp_trainer_autosave(sp_trainer_t *trainer)
{
    sp_autosave_t *autosave = &trainer->autosave;
    const uint32_t start = sp_trainer_ticks(trainer);
    sp_save_report_t report;
    uint32_t ticks;

    autosave->due = 0;
    autosave->last = trainer->platform->save(trainer->model, &report);
    ticks = sp_trainer_ticks(trainer) - start;
    if (autosave->last == SP_OK) {
        ++autosave->saved;
    } else {
        ++autosave->failed;
    }
    if (ticks > autosave->longest) {
        autosave->longest = ticks;
    }
}

void sp_trainer_after_step(sp_trainer_t *trainer)
{
    sp_trainer_stepped(trainer);
    if (trainer->autosave.due) {
        sp_trainer_autosave(trainer);
    }
}

void sp_trainer_safety(const sp_trainer_t *trainer, uint8_t *at)
{
    const sp_platform_t *platform = trainer->platform;
    const sp_autosave_t *autosave = &trainer->autosave;

    sp_put32(at, autosave->every);
    sp_put32(at + 4, autosave->saved);
    sp_put32(at + 8, autosave->failed);
    sp_put32(at + 12, autosave->longest);
    at[16] = (uint8_t)autosave->last;
    at[17] = STACK_NOT_KNOWN;
    if (platform->stack_whole != NULL) {
        at[17] = platform->stack_whole() != 0;
    }
    at[18] = platform->reset_cause;
}
