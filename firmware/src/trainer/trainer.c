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
    return trainer->autosave.due || sp_link_next(&trainer->receiver) != NULL ||
           trainer->receiver.overruns != trainer->overruns_told;
}

/* Complete the header of the answer in `reply` and encode it. */
static sp_answer_t encode(sp_trainer_t *trainer, uint8_t verb, uint16_t sequence,
                          sp_status_t status, uint32_t body_length, uint8_t *encoded)
{
    sp_answer_t answer = {encoded, 0};

    trainer->reply[0] = SP_PROTOCOL_VERSION;
    trainer->reply[1] = verb | (uint8_t)SP_VERB_REPLY;
    sp_put16(trainer->reply + 2, sequence);
    trainer->reply[SP_LINK_HEADER] = (uint8_t)status;
    answer.length = sp_link_encode(trainer->reply, SP_LINK_HEADER + 1u + body_length, encoded);
    return answer;
}

/* A request that was not carried out and takes no sequence number. */
static sp_answer_t refuse(sp_trainer_t *trainer, uint8_t verb, uint16_t sequence,
                          sp_status_t status)
{
    sp_put16(trainer->reply + SP_LINK_HEADER + 1, trainer->next_sequence);
    return encode(trainer, verb, sequence, status, 2, trainer->refusal);
}

/* The kept answer of a repeated request, or NULL. */
static const sp_kept_answer_t *find_kept(const sp_trainer_t *trainer, uint8_t verb,
                                         uint16_t sequence)
{
    const sp_kept_answer_t *kept = &trainer->kept[sequence & 1u];

    return kept->length != 0 && kept->sequence == sequence && kept->verb == verb ? kept : NULL;
}

static sp_answer_t carry_out(sp_trainer_t *trainer, uint8_t verb, uint16_t sequence,
                             const uint8_t *body, uint32_t length)
{
    const sp_handler_t handler = sp_trainer_handler(verb);
    sp_request_t request = {body, length, trainer->reply + SP_LINK_HEADER + 1, 0};
    const sp_status_t status = handler != NULL ? handler(trainer, &request) : SP_ERROR_VERB;
    sp_kept_answer_t *kept = &trainer->kept[sequence & 1u];
    const sp_answer_t answer = encode(trainer, verb, sequence, status,
                                      status == SP_OK ? request.reply_length : 0, kept->encoded);

    kept->sequence = sequence;
    kept->verb = verb;
    kept->length = answer.length;
    trainer->next_sequence = (uint16_t)(sequence + 1u);
    return answer;
}

static sp_answer_t answer_frame(sp_trainer_t *trainer, const uint8_t *frame, uint32_t length)
{
    const uint8_t verb = frame[1];
    const uint16_t sequence = sp_get16(frame + 2);

    if (verb & SP_VERB_REPLY) {
        const sp_answer_t silence = {NULL, 0};

        return silence; /* our own answer came back: to answer it would never end */
    }
    if (frame[0] != SP_PROTOCOL_VERSION) {
        return refuse(trainer, verb, sequence, SP_ERROR_VERSION);
    }
    if (verb == SP_VERB_HELLO) {
        trainer->in_session = 1;
        trainer->kept[0].length = 0;
        trainer->kept[1].length = 0;
    } else if (!trainer->in_session || sequence != trainer->next_sequence) {
        const sp_kept_answer_t *kept = find_kept(trainer, verb, sequence);

        if (kept != NULL) {
            const sp_answer_t again = {kept->encoded, kept->length};

            return again;
        }
        return refuse(trainer, verb, sequence, SP_ERROR_SEQUENCE);
    }
    return carry_out(trainer, verb, sequence, frame + SP_LINK_HEADER, length - SP_LINK_HEADER);
}

/* A frame without a header that can be trusted. */
static sp_answer_t refuse_frame(sp_trainer_t *trainer, sp_status_t status)
{
    return refuse(trainer, 0, trainer->next_sequence, status);
}

static sp_answer_t answer_slot(sp_trainer_t *trainer, const sp_slot_t *slot)
{
    const uint32_t length = slot->length - SP_LINK_CHECKSUM;

    if (slot->state == SP_SLOT_LONG) {
        ++trainer->frame_errors;
        return refuse_frame(trainer, SP_ERROR_LENGTH);
    }
    if (slot->state == SP_SLOT_BAD || slot->length < SP_LINK_HEADER + SP_LINK_CHECKSUM) {
        ++trainer->frame_errors;
        return refuse_frame(trainer, SP_ERROR_FRAME);
    }
    if (sp_link_crc32(slot->data, length) != sp_get32(slot->data + length)) {
        ++trainer->crc_errors;
        return refuse_frame(trainer, SP_ERROR_CRC);
    }
    return answer_frame(trainer, slot->data, length);
}

sp_answer_t sp_trainer_answer(sp_trainer_t *trainer)
{
    const sp_slot_t *slot = sp_link_next(&trainer->receiver);
    const uint32_t overruns = trainer->receiver.overruns;
    sp_answer_t answer = {NULL, 0};

    if (trainer->autosave.due) { /* the last answer has left, the next request has not begun */
        sp_trainer_autosave(trainer);
    } else if (slot != NULL) {
        answer = answer_slot(trainer, slot);
        sp_link_release(&trainer->receiver);
    } else if (overruns != trainer->overruns_told) {
        trainer->overruns_told = overruns;
        answer = refuse_frame(trainer, SP_ERROR_OVERRUN);
    }
    return answer;
}

sp_answer_t sp_trainer_crashed(sp_trainer_t *trainer, const sp_fault_t *fault)
{
    sp_put32(trainer->reply + SP_LINK_HEADER + 1, fault->cfsr);
    return encode(trainer, 0, trainer->next_sequence, SP_ERROR_FAULT, 4, trainer->refusal);
}
