/* SPDX-License-Identifier: Apache-2.0
 *
 * The trainer: answers the requests of docs/protocol.md with the generated model. It knows no
 * hardware; the application feeds it bytes and sends what it answers.
 */
#ifndef SECONDPASS_TRAINER_H
#define SECONDPASS_TRAINER_H

#include "model.h"
#include "secondpass/fault.h"
#include "secondpass/link.h"
#include "secondpass/store.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SP_PROTOCOL_VERSION 3u

typedef enum {
    SP_VERB_HELLO = 0x01,
    SP_VERB_CONFIGURE = 0x02,
    SP_VERB_INFER = 0x03,
    SP_VERB_TRAIN = 0x04,
    SP_VERB_EVALUATE = 0x05,
    SP_VERB_STATISTICS = 0x06,
    SP_VERB_READ_TENSOR = 0x07,
    SP_VERB_WRITE_TENSOR = 0x08,
    SP_VERB_SAVE = 0x09,
    SP_VERB_LOAD = 0x0A,
    SP_VERB_RESET = 0x0B,
    SP_VERB_FAULT = 0x0C,
    SP_VERB_AUTOSAVE = 0x0D,
    SP_VERB_THRESHOLD = 0x0E,
    SP_VERB_REPLY = 0x80 /* set in every answer; alone when the request could not be read */
} sp_verb_t;

#define SP_TENSOR_CHUNK 128u /* bytes of a tensor in one frame */
#define SP_TENSOR_HEADER 8u  /* layer, kind, offset, count */
#define SP_THRESHOLD_BODY 4u /* action, calibrating, quantile */
#define SP_BOARD_FIELD 24u   /* bytes of the board's name, with its final zero */
#define SP_CORE_FIELD 16u    /* the same for the core's */
#define SP_HELLO_BODY (42u + SP_BOARD_FIELD + SP_CORE_FIELD)
#define SP_STATISTICS_TAIL 19u /* behind the layers' counters */
#define SP_STATISTICS_BODY (44u + 16u * SP_MODEL_LAYERS + SP_STATISTICS_TAIL)

/* Body of a configure request: seeds, decay, gate; then the rates, then the projections. */
#define SP_RATES_AT 16u
#define SP_RATE_BYTES 7u /* scale, clip, row gate */
#define SP_PROJECTIONS_AT (SP_RATES_AT + SP_RATE_BYTES * SP_MODEL_LAYERS)
#define SP_SETTINGS_BODY (SP_PROJECTIONS_AT + 3u * SP_MODEL_PROJECTIONS)

#define SP_MAX2(a, b) ((a) > (b) ? (a) : (b))

/* Largest request body: a sample with its target, a chunk of a tensor or the settings. */
#define SP_REQUEST_BODY                                              \
    SP_MAX2(SP_MAX2(SP_MODEL_TARGET_BYTES + SP_MODEL_SAMPLE_BYTES,   \
                    SP_TENSOR_HEADER + SP_TENSOR_CHUNK),             \
            SP_SETTINGS_BODY)

/* Largest answer body, with its status byte. */
#define SP_REPLY_BODY                                                        \
    (1u + SP_MAX2(SP_MAX2(SP_TENSOR_CHUNK, SP_STATISTICS_BODY),              \
                  SP_MAX2(SP_HELLO_BODY, 6u + 2u * SP_MODEL_OUTPUTS)))

#define SP_REQUEST_FRAME SP_LINK_FRAME(SP_REQUEST_BODY)
#define SP_REPLY_FRAME SP_LINK_FRAME(SP_REPLY_BODY)
#define SP_REPLY_ENCODED SP_LINK_ENCODED(SP_REPLY_FRAME)
#define SP_REFUSAL_ENCODED SP_LINK_ENCODED(SP_LINK_FRAME(5u)) /* status and up to 4 bytes */

/* What the trainer needs from its surroundings. */
typedef struct {
    uint32_t (*ticks)(void);      /* free-running 32-bit counter */
    uint32_t ticks_hz;            /* its rate; 0: there is none */
    uint8_t counts_cycles;        /* 1: it counts cycles of the core; 0: ticks of a timer */
    uint32_t (*stack_used)(void); /* high-water mark in bytes */
    uint32_t stack_size;          /* bytes reserved for the stack; 0: not known */
    const char *board;            /* up to 23 characters */
    const char *core;             /* up to 15 characters */
    /* Save or load a checkpoint (store.h); both NULL: the board has no store. */
    sp_status_t (*save)(sp_model_t *model, sp_save_report_t *report);
    sp_status_t (*load)(sp_model_t *model);
    int (*stack_whole)(void); /* 0: the stack ran over its end; NULL: not known */
    /* The report of the last crash, or NULL; and forget it. Both NULL: no reports are kept. */
    const sp_fault_t *(*fault)(void);
    void (*clear_fault)(void);
    uint8_t reset_cause; /* why the device started, an sp_reset_cause_t */
} sp_platform_t;

/* An answer as it goes over the wire. */
typedef struct {
    const uint8_t *data;
    uint32_t length; /* 0: there is nothing to send */
} sp_answer_t;

/* The answer to a carried-out request, kept to be sent again when the request is repeated. */
typedef struct {
    uint16_t sequence;
    uint8_t verb;
    uint32_t length; /* 0: empty */
    uint8_t encoded[SP_REPLY_ENCODED];
} sp_kept_answer_t;

/* Checkpoints that the device saves by itself. */
typedef struct {
    uint32_t every;    /* steps; 0: none */
    uint32_t saved;    /* checkpoints written, or found unchanged */
    uint32_t failed;
    uint32_t longest;  /* ticks of the longest save */
    sp_status_t last;  /* outcome of the last save */
    uint8_t due;       /* 1: one comes before the next request */
} sp_autosave_t;

typedef struct {
    const sp_platform_t *platform;
    sp_model_t *model;
    sp_link_receiver_t receiver;
    uint8_t request[2][SP_REQUEST_FRAME];
    uint8_t reply[SP_REPLY_FRAME]; /* the answer being made */
    sp_kept_answer_t kept[2];      /* by the lowest bit of the sequence number */
    uint8_t refusal[SP_REFUSAL_ENCODED];
    uint32_t crc_errors;
    uint32_t frame_errors;
    uint32_t overruns_told; /* overruns answered so far */
    uint16_t next_sequence; /* sequence number that the next request must carry */
    uint8_t in_session;     /* 1 after the first hello */
    sp_autosave_t autosave;
} sp_trainer_t;

void sp_trainer_init(sp_trainer_t *trainer, sp_model_t *model, const sp_platform_t *platform);

/* Take one byte from the wire. May run in an interrupt handler. */
void sp_trainer_receive(sp_trainer_t *trainer, uint8_t byte);

/* Is there anything to answer, or to save? */
int sp_trainer_pending(sp_trainer_t *trainer);

/* Carry out one request, or the save that is due before it. The answer stays valid until the next
 * call, which must not come before it has been sent; it may be empty. */
sp_answer_t sp_trainer_answer(sp_trainer_t *trainer);

/* Saturations since the counters were cleared: of the input and of all layers. */
uint32_t sp_trainer_saturations(const sp_model_t *model);

/* Behind a step of sp_model_train that came by another way than a request: saves the checkpoint that
 * is due, at once. Only for models that learn. */
void sp_trainer_after_step(sp_trainer_t *trainer);

/* The first words of a device that crashed: an answer nobody asked for, with SP_ERROR_FAULT, for
 * the host that still waits for another one. */
sp_answer_t sp_trainer_crashed(sp_trainer_t *trainer, const sp_fault_t *fault);

#ifdef __cplusplus
}
#endif

#endif
