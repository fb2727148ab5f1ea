/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SECONDPASS_TRAINER_VERBS_H
#define SECONDPASS_TRAINER_VERBS_H

#include <stddef.h>

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

/* Verbs 0x02 and 0x04, of models that learn. */
sp_status_t sp_trainer_configure(sp_trainer_t *trainer, sp_request_t *request);
sp_status_t sp_trainer_train(sp_trainer_t *trainer, sp_request_t *request);

/* Verbs 0x09 and 0x0A, of models that learn. */
sp_status_t sp_trainer_save(sp_trainer_t *trainer, sp_request_t *request);
sp_status_t sp_trainer_load(sp_trainer_t *trainer, sp_request_t *request);

/* Verb 0x0E, of models that have a threshold. */
sp_status_t sp_trainer_threshold(sp_trainer_t *trainer, sp_request_t *request);

/* Verbs 0x0C and 0x0D, and what of them is in the statistics: SP_STATISTICS_TAIL bytes. */
sp_status_t sp_trainer_fault(sp_trainer_t *trainer, sp_request_t *request);
sp_status_t sp_trainer_set_autosave(sp_trainer_t *trainer, sp_request_t *request);
void sp_trainer_safety(const sp_trainer_t *trainer, uint8_t *at);

/* A training step is done: is a save due? */
void sp_trainer_stepped(sp_trainer_t *trainer);

/* Save the checkpoint that is due. */
void sp_trainer_autosave(sp_trainer_t *trainer);

/* 1: there is a report of a crash. */
static inline uint8_t sp_trainer_crash_pending(const sp_trainer_t *trainer)
{
    return trainer->platform->fault != NULL && trainer->platform->fault() != NULL;
}

/* The time now; 0 on a device without a clock. */
static inline uint32_t sp_trainer_ticks(const sp_trainer_t *trainer)
{
    return trainer->platform->ticks_hz != 0 ? trainer->platform->ticks() : 0;
}

#endif
