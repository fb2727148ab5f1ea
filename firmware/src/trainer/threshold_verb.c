/* SPDX-License-Identifier: Apache-2.0 */
#include "verbs.h"

#if SP_MODEL_HAS_THRESHOLD

#define READ 0u
#define RESTART 2u /* 1: set without */

sp_status_t sp_trainer_threshold(sp_trainer_t *trainer, sp_request_t *request)
{
    sp_threshold_t *threshold = &trainer->model->threshold;
    uint32_t quantile;

    if (request->length != SP_THRESHOLD_BODY) {
        return SP_ERROR_LENGTH;
    }
    quantile = sp_get16(request->body + 2);
    if (request->body[0] == READ) {
        if (request->body[1] != 0 || quantile != 0) {
            return SP_ERROR_VALUE;
        }
    } else if (request->body[0] > RESTART || request->body[1] > 1 || quantile < SP_QUANTILE_MIN ||
               quantile > SP_QUANTILE_MAX) {
        return SP_ERROR_VALUE;
    } else {
        threshold->calibrating = request->body[1];
        threshold->quantile = (uint16_t)quantile;
        if (request->body[0] == RESTART) {
            sp_threshold_restart(threshold);
        }
    }
    sp_put32(request->reply, sp_threshold_score(threshold));
    sp_put32(request->reply + 4, threshold->count);
    sp_put16(request->reply + 8, threshold->quantile);
    request->reply[10] = (uint8_t)threshold->calibrating;
    request->reply_length = 11;
    return SP_OK;
}

#endif
