/* SPDX-License-Identifier: Apache-2.0
 *
 * Tells commands from frames of the binary link. A stretch of bytes ends with a zero or with '%'.
 * Its second byte gives a frame away: the version of the protocol, a control character that no
 * text has. After a frame any byte that is not text does, because frames may be damaged. Whatever
 * ends with a zero belongs to the link, which has seen every byte; here it is forgotten.
 */
#include "secondpass/ascii.h"

/* Keeps the compiler from moving a command past its flag: an interrupt may come between. */
#define BARRIER() __asm__ volatile("" ::: "memory")

static int is_control(uint8_t byte)
{
    return byte < 0x20 && byte != '\t' && byte != '\r' && byte != '\n';
}

static int opens_frame(const sp_text_input_t *input, uint8_t byte)
{
    return (input->position == 1 && is_control(byte)) ||
           (input->linked && (is_control(byte) || byte >= 0x7F));
}

static void begin(sp_text_input_t *input, uint8_t behind_zero)
{
    input->position = 0;
    input->behind_zero = behind_zero;
    input->frame = 0;
    input->held = 0;
    if (!input->ready) {
        input->length = 0;
    }
}

static void end_command(sp_text_input_t *input)
{
    input->linked = 0;
    if (input->dropping == 1) {
        ++input->dropped;
    } else if (input->dropping == 0) {
        input->stop = 0;
        BARRIER();
        input->ready = 1;
    }
    begin(input, 0);
}

static void end_frame(sp_text_input_t *input)
{
    if (input->frame) {
        input->linked = 1;
    }
    input->stop = 1;
    begin(input, 1);
}

static void append(sp_text_input_t *input, uint8_t byte)
{
    if (!input->dropping && input->length < SP_TEXT_COMMAND) {
        input->command[input->length] = byte;
        input->length = (uint8_t)(input->length + 1u);
    }
}

/* A byte that is not zero, of a stretch that may be text. Returns 1 at the end of a command. */
static int take(sp_text_input_t *input, uint8_t byte)
{
    if (input->position == 0) {
        input->dropping = input->started ? input->ready : 2;
        if (byte == '%' && input->behind_zero) {
            input->held = 1;
            input->position = 1;
            return 0;
        }
    }
    if (opens_frame(input, byte)) {
        input->frame = 1;
        return 0;
    }
    if (byte == '%') {
        end_command(input);
        return 1;
    }
    append(input, byte);
    input->position = input->position == 0 ? 1 : 2;
    return 0;
}

int sp_text_receive(sp_text_t *text, uint8_t byte)
{
    sp_text_input_t *input = &text->input;

    if (byte == 0) {
        end_frame(input);
        return 0;
    }
    if (input->frame) {
        return 0;
    }
    if (input->held && !opens_frame(input, byte)) {
        ++input->empty;
        begin(input, 0);
        return 1 + take(input, byte);
    }
    return take(input, byte);
}

int sp_text_pending(const sp_text_t *text)
{
    const sp_text_input_t *input = &text->input;

    return input->ready || input->dropped != input->dropped_told ||
           input->empty != input->empty_told;
}
