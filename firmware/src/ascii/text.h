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

SP_TEXT_COLD void sp_text_split(const uint8_t *command, uint32_t length, sp_words_t *words);
SP_TEXT_COLD int sp_text_is(sp_word_t word, const char *name);

/* Read a decimal number with an optional sign, clamped to +-2147483647. Returns 0 and leaves
 * *value alone when the word is none. */
SP_TEXT_COLD int sp_text_number(sp_word_t word, int32_t *value);

/* The byte of two hexadecimal digits, or -1. */
SP_TEXT_COLD int sp_text_hex(const uint8_t *digits);

/* ---- print.c: everything written is ASCII ---- */

SP_TEXT_COLD void sp_text_put(sp_text_t *text, const char *characters);
SP_TEXT_COLD void sp_text_put_word(sp_text_t *text, sp_word_t word); /* others than ASCII become '?' */
SP_TEXT_COLD void sp_text_put_number(sp_text_t *text, uint32_t value);
SP_TEXT_COLD void sp_text_put_padded(sp_text_t *text, uint32_t value, uint32_t places); /* 100: 3 digits */
SP_TEXT_COLD void sp_text_put_hex(sp_text_t *text, uint8_t byte);

/* Three decimals of value / 2^frac; frac in [0, 30]. Rounded as printf does, to even in the middle,
 * or truncated. */
SP_TEXT_COLD void sp_text_put_fixed(sp_text_t *text, uint32_t value, unsigned frac);

/* The same; a negative frac, which frozen networks may have, shows a whole number, or the largest. */
static inline void sp_text_put_scaled(sp_text_t *text, uint32_t value, int frac)
{
    if (frac >= 0) {
        sp_text_put_fixed(text, value, (unsigned)frac);
    } else {
        const unsigned up = (unsigned)-frac < 32u ? (unsigned)-frac : 32u;

        sp_text_put_number(text, value > UINT32_MAX >> (up - 1u) >> 1 ? UINT32_MAX
                                 : value == 0                         ? 0
                                                                      : value << up);
        sp_text_put(text, ".000");
    }
}

/* A step's score. */
static inline void sp_text_put_score(sp_text_t *text, uint32_t score)
{
    sp_text_put_scaled(text, score, 2 * (int)SP_MODEL_OUTPUT_FRAC);
}

SP_TEXT_COLD void sp_text_end(sp_text_t *text); /* CR LF, and out */

/* A whole line; with a number in the middle. */
SP_TEXT_COLD void sp_text_line(sp_text_t *text, const char *characters);
SP_TEXT_COLD void sp_text_numbered(sp_text_t *text, const char *before, uint32_t value, const char *after);

/* ---- clock.c ---- */

/* Bring the clock up to date: at least once in 2^32 ticks of what is timed. */
SP_TEXT_COLD void sp_text_tick(sp_text_t *text);
SP_TEXT_COLD void sp_text_lap(sp_text_t *text); /* the time stamp m-lap-us-N */

/* ---- sample.c ---- */

/* The sample as the network takes it, from what was loaded. */
SP_TEXT_COLD const uint8_t *sp_text_sample(sp_text_t *text);

/* ---- verbs ---- */

typedef void (*sp_text_verb_t)(sp_text_t *text, const sp_words_t *words);

SP_TEXT_COLD void sp_text_db(sp_text_t *text, const sp_words_t *words);
SP_TEXT_COLD void sp_text_infer(sp_text_t *text, const sp_words_t *words);
SP_TEXT_COLD void sp_text_results(sp_text_t *text, const sp_words_t *words);
SP_TEXT_COLD void sp_text_label(sp_text_t *text, const sp_words_t *words);
SP_TEXT_COLD void sp_text_train(sp_text_t *text, const sp_words_t *words);
SP_TEXT_COLD void sp_text_save(sp_text_t *text, const sp_words_t *words);
SP_TEXT_COLD void sp_text_load(sp_text_t *text, const sp_words_t *words);
SP_TEXT_COLD void sp_text_reset(sp_text_t *text, const sp_words_t *words);
SP_TEXT_COLD void sp_text_stats(sp_text_t *text, const sp_words_t *words);

/* Behind each inference and step: the clock, and what the application does then. */
SP_TEXT_COLD void sp_text_turn(sp_text_t *text);

/* N of a command: the word's number, or `absent` when it is not there; 0 when it is none. */
SP_TEXT_COLD int32_t sp_text_count(sp_word_t word, int32_t absent);

#endif
