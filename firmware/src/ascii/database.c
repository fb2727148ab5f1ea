/* SPDX-License-Identifier: Apache-2.0
 *
 * `db`: the sample's buffer.
 */
#include "text.h"

static void load(sp_text_t *text, sp_word_t size)
{
    const int32_t bytes = sp_text_count(size, 0);

    if (size.length == 0) {
        sp_text_line(text, "e-[Command 'db load' requires the # of bytes]");
    } else if (bytes == 0) {
        sp_text_line(text, "e-[Command 'db load' must be >0 bytes]");
    } else if (bytes < 0 || (uint32_t)bytes > SP_TEXT_SAMPLE_BYTES) {
        text->expected = 0;
        text->stored = 0;
        sp_text_put(text, "Supplied buffer size ");
        sp_text_put_word(text, size);
        sp_text_numbered(text, " exceeds maximum of ", SP_TEXT_SAMPLE_BYTES, "");
    } else {
        text->expected = (uint32_t)bytes;
        text->stored = 0;
        sp_text_numbered(text, "m-[Expecting ", text->expected, " bytes]");
    }
}

static void print(sp_text_t *text)
{
    for (uint32_t i = 0; i < text->expected; ++i) {
        if (i % 8u == 0) {
            sp_text_put(text, "m-buffer");
        }
        sp_text_put(text, "-");
        sp_text_put_hex(text, text->sample[i]);
        if (i % 8u == 7u || i + 1u == text->expected) {
            sp_text_end(text);
        }
    }
    if (text->expected % 8u != 0) {
        sp_text_end(text); /* as the reference does */
    }
}

static void store(sp_text_t *text, sp_word_t digits)
{
    if (digits.length % 2u != 0) {
        sp_text_line(text, "e-[Insufficent number of hex digits]");
        return;
    }
    for (; digits.length != 0 && text->stored < text->expected; digits.length -= 2u) {
        const int byte = sp_text_hex(digits.at);

        if (byte < 0) {
            digits.length = 2;
            sp_text_put(text, "e-[Invalid hex digit '");
            sp_text_put_word(text, digits);
            sp_text_line(text, "']");
            return;
        }
        text->sample[text->stored++] = (uint8_t)byte;
        digits.at += 2;
        if (text->stored == text->expected) {
            sp_text_line(text, "m-load-done");
        }
    }
}

void sp_text_db(sp_text_t *text, const sp_words_t *words)
{
    const sp_word_t what = words->word[1];

    if (what.length == 0) {
        sp_text_line(text, "e-[Command 'db' requires a subcommand]");
    } else if (sp_text_is(what, "load")) {
        load(text, words->word[2]);
    } else if (sp_text_is(what, "print")) {
        print(text);
    } else {
        store(text, what);
    }
}
