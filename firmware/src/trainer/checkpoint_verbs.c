/* SPDX-License-Identifier: Apache-2.0 */
#include "verbs.h"

#include <stddef.h>

#if SP_MODEL_LEARNS

sp_status_t sp_trainer_save(sp_trainer_t *trainer, sp_request_t *request)
{
    const sp_platform_t *platform = trainer->platform;
    sp_save_report_t report;
    sp_status_t status;
    uint32_t start;

    if (request->length != 0) {
        return SP_ERROR_LENGTH;
    }
    if (platform->save == NULL) {
        return SP_ERROR_STORE;
    }
    start = sp_trainer_ticks(trainer);
    status = platform->save(trainer->model, &report);
    sp_put32(request->reply + 9, sp_trainer_ticks(trainer) - start);
    if (status == SP_OK) {
        sp_put32(request->reply, report.bytes_written);
        sp_put32(request->reply + 4, report.pages_erased);
        request->reply[8] = report.skipped;
        request->reply_length = 13;
    }
    return status;
}

sp_status_t sp_trainer_load(sp_trainer_t *trainer, sp_request_t *request)
{
    const sp_platform_t *platform = trainer->platform;
    sp_status_t status;

    if (request->length != 0) {
        return SP_ERROR_LENGTH;
    }
    if (platform->load == NULL) {
        return SP_ERROR_STORE;
    }
    status = platform->load(trainer->model);
    if (status == SP_ERROR_FLASH) {
        sp_model_reset(trainer->model); /* half of it may be the checkpoint's */
    }
    if (status == SP_OK) {
        sp_put32(request->reply, trainer->model->counters.step);
        request->reply_length = 4;
    }
    return status;
}

#endif
