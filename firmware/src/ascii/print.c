/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "text.h"

static void flush(sp_text_t *text)
{
    if (text->line_length != 0) {
        text->write(text->line, text->line_length);
        text->line_length = 0;
        if (text->turn != NULL) {
            text->turn();
        }
    }
}

static void put_character(sp_text_t *text, uint8_t character)
{
    if (text->line_length == SP_TEXT_LINE) {
        flush(text);
    }
    text->line[text->line_length] = character;
    text->line_length = (uint8_t)(text->line_length + 1u);
}

void sp_text_put(sp_text_t *text, const char *characters)
{
    for (; *characters != '\0'; ++characters) {
        put_character(text, (uint8_t)*characters);
    }
}

/* A host takes every line that holds "m-ready" for the end of an answer: none may be told that it
 * came by repeating what was asked. */
static int closes(sp_word_t word, uint32_t i)
{
    const sp_word_t part = {word.at + i, 7};

    return word.length - i >= part.length && sp_text_is(part, "m-ready");
}

void sp_text_put_word(sp_text_t *text, sp_word_t word)
{
    for (uint32_t i = 0; i < word.length; ++i) {
        const uint8_t character = word.at[i];
        const int plain = character >= 0x20 && character < 0x7F && !closes(word, i);

        put_character(text, plain ? character : (uint8_t)'?');
    }
}

void sp_text_put_number(sp_text_t *text, uint32_t value)
{
    uint8_t digits[10];
    uint32_t count = 0;

    do {
        digits[count++] = (uint8_t)('0' + value % 10u);
        value /= 10u;
    } while (value != 0);
    while (count != 0) {
        put_character(text, digits[--count]);
    }
}

void sp_text_put_padded(sp_text_t *text, uint32_t value, uint32_t places)
{
    for (uint32_t place = places; place != 0; place /= 10u) {
        put_character(text, (uint8_t)('0' + value / place % 10u));
    }
}

void sp_text_put_hex(sp_text_t *text, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";

    put_character(text, (uint8_t)digits[byte >> 4]);
    put_character(text, (uint8_t)digits[byte & 15u]);
}

void sp_text_put_fixed(sp_text_t *text, uint32_t value, unsigned frac)
{
    const uint32_t one = (uint32_t)1 << frac;
    const uint64_t exact = (uint64_t)(value & (one - 1u)) * 1000u;
    const uint32_t rest = (uint32_t)exact & (one - 1u);
    uint32_t whole = value >> frac;
    uint32_t thousandths = (uint32_t)(exact >> frac);

    if (!SP_TEXT_TRUNCATE && rest + (thousandths & 1u) > one / 2u) {
        ++thousandths;
        whole += thousandths / 1000u;
    }
    sp_text_put_number(text, whole);
    put_character(text, '.');
    sp_text_put_padded(text, thousandths, 100);
}

void sp_text_end(sp_text_t *text)
{
    put_character(text, '\r');
    put_character(text, '\n');
    flush(text);
}

void sp_text_line(sp_text_t *text, const char *characters)
{
    sp_text_put(text, characters);
    sp_text_end(text);
}

void sp_text_numbered(sp_text_t *text, const char *before, uint32_t value, const char *after)
{
    sp_text_put(text, before);
    sp_text_put_number(text, value);
    sp_text_line(text, after);
}
