/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "secondpass/version.h"
#include "text.h"

#define SP_STRING_OF(number) #number
#define SP_STRING(number) SP_STRING_OF(number)
#define VERSION                                                                          \
    SP_STRING(SP_VERSION_MAJOR) "." SP_STRING(SP_VERSION_MINOR) "." SP_STRING(SP_VERSION_PATCH)

/* Keeps the compiler from reading a command after it was given back to reception. */
#define BARRIER() __asm__ volatile("" ::: "memory")

void sp_text_init(sp_text_t *text, sp_trainer_t *trainer, sp_text_write_t write,
                  sp_text_turn_t turn)
{
    memset(text, 0, sizeof *text);
    text->trainer = trainer;
    text->write = write;
    text->turn = turn;
}

void sp_text_start(sp_text_t *text)
{
    sp_text_line(text, "m-timestamp-mode-performance");
    sp_text_lap(text);
    sp_text_line(text, "m-init-done");
    text->input.started = 1; /* before m-ready: the first command may come at once */
    sp_text_line(text, "m-ready");
}

static void name(sp_text_t *text, const sp_words_t *words)
{
    (void)words;
    sp_text_put(text, "m-name-dut-[secondpass/");
    sp_text_put(text, text->trainer->platform->board);
    sp_text_line(text, "]");
}

static void profile(sp_text_t *text, const sp_words_t *words)
{
    (void)words;
    sp_text_line(text, "m-profile-[Secondpass " VERSION "]");
    sp_text_line(text, "m-model-[" SP_TEXT_ID "]");
}

static void help(sp_text_t *text, const sp_words_t *words)
{
    (void)words;
    sp_text_line(text, "name, profile, timestamp, help, db load N, db HEX, db print, infer [N [W]], results, "
                       "label K, train [N], save, load, reset, stats");
    sp_text_numbered(text, "a sample has ", SP_TEXT_SAMPLE_BYTES, " bytes");
}

static void timestamp(sp_text_t *text, const sp_words_t *words)
{
    (void)words;
    sp_text_lap(text);
}

static const struct {
    const char *name;
    sp_text_verb_t verb;
} verbs[] = {
    {"name", name},
    {"timestamp", timestamp},
    {"profile", profile},
    {"help", help},
    {"db", sp_text_db},
    {"infer", sp_text_infer},
    {"results", sp_text_results},
    {"label", sp_text_label},
    {"train", sp_text_train},
    {"save", sp_text_save},
    {"load", sp_text_load},
    {"reset", sp_text_reset},
    {"stats", sp_text_stats},
};

static void carry_out(sp_text_t *text, const uint8_t *command, uint32_t length)
{
    sp_words_t words;

    sp_text_split(command, length, &words);
    for (uint32_t i = 0; i < sizeof verbs / sizeof verbs[0]; ++i) {
        if (sp_text_is(words.word[0], verbs[i].name)) {
            verbs[i].verb(text, &words);
            return;
        }
    }
    sp_text_put(text, "e-[Unknown command: ");
    sp_text_put_word(text, words.word[0]);
    sp_text_line(text, "]");
}

void sp_text_answer(sp_text_t *text)
{
    sp_text_input_t *input = &text->input;

    if (input->empty != input->empty_told) {
        ++input->empty_told;
        carry_out(text, input->command, 0);
    } else if (input->ready) {
        carry_out(text, input->command, input->length);
        BARRIER();
        /* Before m-ready: the host's next command may come at once. */
        input->length = 0;
        input->ready = 0;
    } else if (input->dropped != input->dropped_told) {
        ++input->dropped_told;
        sp_text_line(text, "e-[Command dropped: the one before was not done]");
    } else {
        return;
    }
    sp_text_line(text, "m-ready");
}
