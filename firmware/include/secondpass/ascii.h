/* SPDX-License-Identifier: Apache-2.0
 *
 * The text protocol: the serial protocol of MLCommons Tiny, with verbs to train
 * (docs/text-protocol.md). It knows no hardware; the application hands it every byte that it also
 * hands to the binary link, and writes what it answers.
 *
 * A build says which benchmark the model answers for:
 *   SP_TEXT_ID           what `profile` answers, such as "kws01"
 *   SP_TEXT_FLOAT        1: samples arrive as float32 and are quantised here
 *   SP_TEXT_TRUNCATE     1: three decimals of a result by truncation, else rounded as by printf
 *   SP_TEXT_FINAL_COMMA  1: a comma behind the last value of a result
 */
#ifndef SECONDPASS_ASCII_H
#define SECONDPASS_ASCII_H

#include "secondpass/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef SP_TEXT_ID
#define SP_TEXT_ID "kws01"
#endif
#ifndef SP_TEXT_FLOAT
#define SP_TEXT_FLOAT 0
#endif
#ifndef SP_TEXT_TRUNCATE
#define SP_TEXT_TRUNCATE 0
#endif
#ifndef SP_TEXT_FINAL_COMMA
#define SP_TEXT_FINAL_COMMA 0
#endif

/* Nothing here is worth more flash to be faster. */
#ifdef __GNUC__
#define SP_TEXT_COLD __attribute__((cold))
#else
#define SP_TEXT_COLD
#endif

#define SP_TEXT_COMMAND 80u /* characters of a command that are kept */
#define SP_TEXT_LINE 32u    /* characters that are written at once */

#if SP_TEXT_FLOAT
#define SP_TEXT_SAMPLE_BYTES (4u * SP_MODEL_INPUTS)
#else
#define SP_TEXT_SAMPLE_BYTES SP_MODEL_SAMPLE_BYTES
#endif

#if SP_MODEL_HEAD == SP_HEAD_SIGMOID
#define SP_TEXT_RESULTS 2u /* both classes */
#elif SP_MODEL_HEAD == SP_HEAD_RECONSTRUCTION
#define SP_TEXT_RESULTS 1u /* the score */
#else
#define SP_TEXT_RESULTS SP_MODEL_OUTPUTS
#endif

/* Write characters; they may change when the call returns. */
typedef void (*sp_text_write_t)(const uint8_t *data, uint32_t length);

/* Called behind each inference, each step and each piece of a line of a command: they may be many. */
typedef void (*sp_text_turn_t)(void);

/* What arrives, from one zero byte or '%' to the next. Written by reception only, but for
 * what is told and a command that is ready. */
typedef struct {
    uint8_t command[SP_TEXT_COMMAND];
    volatile uint8_t length;
    volatile uint8_t ready; /* 1: the command waits to be carried out, and is */
    volatile uint8_t stop;  /* 1: a zero byte came since the last command */
    uint8_t position;       /* bytes of this stretch, up to 2 */
    uint8_t behind_zero;    /* 1: the stretch began with a zero byte, not with '%' */
    uint8_t frame;          /* 1: the stretch is a frame of the binary link */
    uint8_t linked;         /* 1: the last stretch that was recognised was a frame */
    uint8_t held;           /* 1: a '%' behind a zero, which may be a frame's first byte */
    uint8_t dropping;       /* 1: the stretch came while a command was ready; 2: before the start */
    volatile uint8_t started;
    volatile uint16_t dropped; /* commands lost in this way, modulo 2^16 */
    uint16_t dropped_told;     /* of these, answered */
    volatile uint16_t empty;   /* held commands that were empty after all, modulo 2^16 */
    uint16_t empty_told;
} sp_text_input_t;

typedef struct {
    sp_trainer_t *trainer; /* whose model, platform and autosave are used */
    sp_text_write_t write;
    sp_text_turn_t turn;
    sp_text_input_t input;
    uint8_t line[SP_TEXT_LINE];
    uint8_t line_length;
    uint8_t has_label;
    uint8_t has_results;
    uint16_t label;
    uint32_t last_ticks; /* of the platform's clock, when it was read last */
    uint32_t seconds;    /* since the start, and ticks of the second that runs */
    uint32_t rest;
    uint32_t expected; /* bytes of the sample that `db load` announced */
    uint32_t stored;   /* bytes of it that came */
    union {
        int16_t values[SP_TEXT_RESULTS]; /* Q15 probabilities, or outputs of the head mse */
        uint32_t score;
    } results; /* of the last inference asked for in text */
    uint8_t sample[SP_TEXT_SAMPLE_BYTES];
#if SP_TEXT_FLOAT
    uint8_t raw[SP_MODEL_SAMPLE_BYTES]; /* the sample as the network takes it */
#endif
} sp_text_t;

/* trainer: initialised before; turn: may be NULL. */
SP_TEXT_COLD void sp_text_init(sp_text_t *text, sp_trainer_t *trainer, sp_text_write_t write,
                               sp_text_turn_t turn);

/* Write the start-up lines. Commands that came before get no answer. */
SP_TEXT_COLD void sp_text_start(sp_text_t *text);

/* Take one byte from the wire. May run in an interrupt handler. Returns how many commands
 * it ended, up to 2: the bytes since the last zero or '%' are then no frame (sp_link_cancel). */
SP_TEXT_COLD int sp_text_receive(sp_text_t *text, uint8_t byte);

/* Is there anything to answer? */
int sp_text_pending(const sp_text_t *text);

/* Carry out and answer one command. */
SP_TEXT_COLD void sp_text_answer(sp_text_t *text);

#ifdef __cplusplus
}
#endif

#endif
