/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the text protocol share.
 */
#ifndef SECONDPASS_ASCII_TEXT_H
#define SECONDPASS_ASCII_TEXT_H

#include "secondpass/ascii.h"

/* A word of a command: not ended by a zero; length 0: there is none. */
typedef struct {
    const uint8_t *at;
    uint32_t length;
} sp_word_t;

#define SP_TEXT_WORDS 3u /* words of a command that mean something */

/* A command's first words. */
typedef struct {
    sp_word_t word[SP_TEXT_WORDS];
} sp_words_t;

/* ---- words.c ---- */

void sp_text_split(const uint8_t *command, uint32_t length, sp_words_t *words);
int sp_text_is(sp_word_t word, const char *name);

/* Read a decimal number with an optional sign, clamped to +-2147483647. Returns 0 and leaves
 * *value alone when the word is none. */
int sp_text_number(sp_word_t word, int32_t *value);

/* The byte of two hexadecimal digits, or -1. */
int sp_text_hex(const uint8_t *digits);

/* ---- print.c: everything written is ASCII ---- */

void sp_text_put(sp_text_t *text, const char *characters);
void sp_text_put_word(sp_text_t *text, sp_word_t word); /* others than ASCII become '?' */
void sp_text_put_number(sp_text_t *text, uint32_t value);
void sp_text_put_padded(sp_text_t *text, uint32_t value, uint32_t places); /* 100: 3 digits */
void sp_text_put_hex(sp_text_t *text, uint8_t byte);

/* Three decimals of value / 2^frac; frac in [0, 30]. Rounded as printf does, to even in the middle,
 * or truncated. */
void sp_text_put_fixed(sp_text_t *text, uint32_t value, unsigned frac);
void sp_text_end(sp_text_t *text); /* CR LF, and out */

/* A whole line; with a number in the middle. */
void sp_text_line(sp_text_t *text, const char *characters);
void sp_text_numbered(sp_text_t *text, const char *before, uint32_t value, const char *after);

/* ---- clock.c ---- */

/* Bring the clock up to date: at least once in 2^32 ticks of what is timed. */
void sp_text_tick(sp_text_t *text);
void sp_text_lap(sp_text_t *text); /* the time stamp m-lap-us-N */

/* ---- sample.c ---- */

/* The sample as the network takes it, from what was loaded. */
const uint8_t *sp_text_sample(sp_text_t *text);

/* ---- verbs ---- */

typedef void (*sp_text_verb_t)(sp_text_t *text, const sp_words_t *words);

void sp_text_db(sp_text_t *text, const sp_words_t *words);
void sp_text_infer(sp_text_t *text, const sp_words_t *words);
void sp_text_results(sp_text_t *text, const sp_words_t *words);
void sp_text_label(sp_text_t *text, const sp_words_t *words);
void sp_text_train(sp_text_t *text, const sp_words_t *words);
void sp_text_save(sp_text_t *text, const sp_words_t *words);
void sp_text_load(sp_text_t *text, const sp_words_t *words);
void sp_text_reset(sp_text_t *text, const sp_words_t *words);
void sp_text_stats(sp_text_t *text, const sp_words_t *words);

/* Behind each inference and step: the clock, and what the application does then. */
void sp_text_turn(sp_text_t *text);

/* N of a command: the word's number, or `absent` when it is not there; 0 when it is none. */
int32_t sp_text_count(sp_word_t word, int32_t absent);

#endif
