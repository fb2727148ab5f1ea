/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#ifdef SP_TEXT

#include "cortex_m.h"
#include "secondpass/ascii.h"
#include "secondpass/port.h"

static sp_text_t text;
static uint8_t written; /* 1: text is the last that was sent */

SP_TEXT_COLD __attribute__((noinline)) static void wait_until_sent(void)
{
    while (sp_port_sending()) {
        sp_disable_interrupts();
        if (sp_port_sending()) {
            sp_wait_for_interrupt();
        }
        sp_enable_interrupts();
    }
}

SP_TEXT_COLD static void write_text(const uint8_t *data, uint32_t length)
{
    wait_until_sent(); /* a frame may be under way */
    sp_port_send(data, length);
    wait_until_sent();
    written = 1;
}

void sp_console_init(sp_trainer_t *trainer, void (*turn)(void))
{
    sp_text_init(&text, trainer, write_text, turn);
}

void sp_console_start(void)
{
    sp_text_start(&text);
}

void sp_console_receive(sp_trainer_t *trainer, uint8_t byte)
{
    sp_trainer_receive(trainer, byte);
    if (sp_text_receive(&text, byte) != 0) {
        sp_link_cancel(&trainer->receiver);
    }
}

int sp_console_pending(void)
{
    return sp_text_pending(&text);
}

void sp_console_answer(void)
{
    sp_text_answer(&text);
}

void sp_console_separate(void)
{
    static const uint8_t zero = 0;

    if (written) {
        write_text(&zero, 1);
        written = 0;
    }
}

#endif
