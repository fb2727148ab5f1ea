/* SPDX-License-Identifier: Apache-2.0
 *
 * Microseconds from ticks of any rate, without 64-bit divisions.
 */
#include <stddef.h>

#include "text.h"

static uint32_t rate(const sp_text_t *text)
{
    return text->trainer->platform->ticks_hz;
}

void sp_text_tick(sp_text_t *text)
{
    if (rate(text) != 0) {
        const uint32_t now = text->trainer->platform->ticks();
        const uint32_t passed = now - text->last_ticks;
        const uint32_t part = passed % rate(text);

        text->last_ticks = now;
        text->seconds += passed / rate(text);
        if (text->rest >= rate(text) - part) {
            text->rest -= rate(text) - part;
            ++text->seconds;
        } else {
            text->rest += part;
        }
    }
}

void sp_text_turn(sp_text_t *text)
{
    sp_text_tick(text);
    if (text->turn != NULL) {
        text->turn();
    }
}

/* Microseconds of the second that runs: digit by digit. */
static uint32_t microseconds(const sp_text_t *text)
{
    uint64_t rest = text->rest;
    uint32_t value = 0;

    for (uint32_t place = 0; place < 6; ++place) {
        rest *= 10u;
        value *= 10u;
        for (; rest >= rate(text); rest -= rate(text)) {
            ++value;
        }
    }
    return value;
}

void sp_text_lap(sp_text_t *text)
{
    uint32_t part;

    sp_text_tick(text);
    part = rate(text) != 0 ? microseconds(text) : 0;
    sp_text_put(text, "m-lap-us-");
    if (text->seconds != 0) {
        sp_text_put_number(text, text->seconds);
        sp_text_put_padded(text, part, 100000);
        sp_text_end(text);
    } else {
        sp_text_numbered(text, "", part, "");
    }
}
