/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/trainer.h"

#include <string.h>

#include "verbs.h"

void sp_trainer_init(sp_trainer_t *trainer, sp_model_t *model, const sp_platform_t *platform)
{
    memset(trainer, 0, sizeof *trainer);
    trainer->platform = platform;
    trainer->model = model;
    sp_link_receiver_init(&trainer->receiver, trainer->request[0], trainer->request[1],
                          sizeof trainer->request[0]);
    sp_model_reset(model);
}

void sp_trainer_receive(sp_trainer_t *trainer, uint8_t byte)
{
    sp_link_receive(&trainer->receiver, byte);
}

int sp_trainer_pending(sp_trainer_t *trainer)
{
    return sp_link_next(&trainer->receiver) != NULL ||
           trainer->receiver.overruns != trainer->overruns_told;
}

static uint32_t finish(sp_trainer_t *trainer, uint8_t verb, uint16_t sequence, sp_status_t status,
                       uint32_t body_length)
{
    trainer->reply[0] = SP_PROTOCOL_VERSION;
    trainer->reply[1] = verb | (uint8_t)SP_VERB_REPLY;
    sp_put16(trainer->reply + 2, sequence);
    trainer->reply[SP_LINK_HEADER] = (uint8_t)status;
    trainer->encoded_length = sp_link_encode(
        trainer->reply, SP_LINK_HEADER + 1u + body_length, trainer->encoded);
    return trainer->encoded_length;
}

/* A frame that carries no trustworthy header: the answer names the expected sequence number. */
static uint32_t refuse_frame(sp_trainer_t *trainer, sp_status_t status)
{
    return finish(trainer, 0, trainer->next_sequence, status, 0);
}

static uint32_t answer_request(sp_trainer_t *trainer, const uint8_t *frame, uint32_t length)
{
    const uint8_t verb = frame[1];
    const uint16_t sequence = sp_get16(frame + 2);
    const sp_handler_t handler = sp_trainer_handler(verb);
    sp_request_t request = {frame + SP_LINK_HEADER, length - SP_LINK_HEADER,
                            trainer->reply + SP_LINK_HEADER + 1, 0};
    sp_status_t status;

    if (frame[0] != SP_PROTOCOL_VERSION) {
        return finish(trainer, verb, sequence, SP_ERROR_VERSION, 0);
    }
    if (verb == SP_VERB_HELLO) {
        trainer->in_session = 1;
    } else if (!trainer->in_session || sequence != trainer->next_sequence) {
        if (trainer->in_session && (uint16_t)(sequence + 1u) == trainer->next_sequence &&
            trainer->reply[1] == (verb | SP_VERB_REPLY) &&
            sp_get16(trainer->reply + 2) == sequence) {
            return trainer->encoded_length; /* a repeated request: the same answer again */
        }
        sp_put16(request.reply, trainer->next_sequence);
        return finish(trainer, verb, sequence, SP_ERROR_SEQUENCE, 2);
    }
    trainer->next_sequence = (uint16_t)(sequence + 1u);
    status = handler != NULL ? handler(trainer, &request) : SP_ERROR_VERB;
    return finish(trainer, verb, sequence, status, status == SP_OK ? request.reply_length : 0);
}

uint32_t sp_trainer_answer(sp_trainer_t *trainer)
{
    const sp_slot_t *slot = sp_link_next(&trainer->receiver);
    uint32_t length;

    if (slot == NULL) {
        if (trainer->receiver.overruns == trainer->overruns_told) {
            return 0;
        }
        trainer->overruns_told = trainer->receiver.overruns;
        return refuse_frame(trainer, SP_ERROR_OVERRUN);
    }
    if (slot->state == SP_SLOT_LONG) {
        ++trainer->frame_errors;
        length = refuse_frame(trainer, SP_ERROR_LENGTH);
    } else if (slot->state == SP_SLOT_BAD ||
               slot->length < SP_LINK_HEADER + SP_LINK_CHECKSUM) {
        ++trainer->frame_errors;
        length = refuse_frame(trainer, SP_ERROR_FRAME);
    } else if (sp_link_crc32(slot->data, slot->length - SP_LINK_CHECKSUM) !=
               sp_get32(slot->data + slot->length - SP_LINK_CHECKSUM)) {
        ++trainer->crc_errors;
        length = refuse_frame(trainer, SP_ERROR_CRC);
    } else {
        length = answer_request(trainer, slot->data, slot->length - SP_LINK_CHECKSUM);
    }
    sp_link_release(&trainer->receiver);
    return length;
}

uint32_t sp_trainer_fault(sp_trainer_t *trainer, uint32_t fault_status)
{
    sp_put32(trainer->reply + SP_LINK_HEADER + 1, fault_status);
    return finish(trainer, 0, trainer->next_sequence, SP_ERROR_FAULT, 4);
}
