/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

void sp_text_split(const uint8_t *command, uint32_t length, sp_words_t *words)
{
    const uint8_t *const end = command + length;

    for (uint32_t i = 0; i < SP_TEXT_WORDS; ++i) {
        while (command < end && *command == ' ') {
            ++command;
        }
        words->word[i].at = command;
        while (command < end && *command != ' ') {
            ++command;
        }
        words->word[i].length = (uint32_t)(command - words->word[i].at);
    }
}

int sp_text_is(sp_word_t word, const char *name)
{
    uint32_t i = 0;

    while (i < word.length && name[i] != '\0' && (uint8_t)name[i] == word.at[i]) {
        ++i;
    }
    return i == word.length && name[i] == '\0';
}

int sp_text_number(sp_word_t word, int32_t *value)
{
    const int negative = word.length != 0 && word.at[0] == '-';
    uint32_t i = negative || (word.length != 0 && word.at[0] == '+');
    int32_t number = 0;

    if (i == word.length) {
        return 0;
    }
    for (; i < word.length; ++i) {
        const int32_t digit = word.at[i] - '0';

        if (digit < 0 || digit > 9) {
            return 0;
        }
        if (number > INT32_MAX / 10 || (number == INT32_MAX / 10 && digit > INT32_MAX % 10)) {
            number = INT32_MAX;
        } else {
            number = number * 10 + digit;
        }
    }
    *value = negative ? -number : number;
    return 1;
}

int32_t sp_text_count(sp_word_t word, int32_t absent)
{
    int32_t value = 0;

    if (word.length == 0) {
        return absent;
    }
    (void)sp_text_number(word, &value);
    return value;
}

static int hex_digit(uint8_t character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    if (character >= 'a' && character <= 'f') {
        return character - 'a' + 10;
    }
    if (character >= 'A' && character <= 'F') {
        return character - 'A' + 10;
    }
    return -1;
}

int sp_text_hex(const uint8_t *digits)
{
    const int high = hex_digit(digits[0]);
    const int low = hex_digit(digits[1]);

    return high < 0 || low < 0 ? -1 : high * 16 + low;
}
