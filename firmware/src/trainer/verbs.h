/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SECONDPASS_TRAINER_VERBS_H
#define SECONDPASS_TRAINER_VERBS_H

#include "secondpass/trainer.h"

/* One request's body, and where its answer goes. */
typedef struct {
    const uint8_t *body;
    uint32_t length;
    uint8_t *reply;        /* answer body after the status byte */
    uint32_t reply_length; /* set by the handler */
} sp_request_t;

typedef sp_status_t (*sp_handler_t)(sp_trainer_t *trainer, sp_request_t *request);

/* The handler of a verb, or NULL. Every handler checks the whole body before it changes anything. */
sp_handler_t sp_trainer_handler(uint8_t verb);

#endif
