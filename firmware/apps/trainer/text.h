/* SPDX-License-Identifier: Apache-2.0
 *
 * The trainer's text protocol beside the binary link, on the same UART. Without SP_TEXT there is
 * none, and these functions do what the link alone needs.
 */
#ifndef SECONDPASS_APPS_TEXT_H
#define SECONDPASS_APPS_TEXT_H

#include "secondpass/trainer.h"

#ifdef SP_TEXT

/* Before sp_port_init. turn: called all through a command, as sp_text_turn_t is; may be NULL. */
void sp_console_init(sp_trainer_t *trainer, void (*turn)(void));

/* Behind sp_port_init, and behind the report of a crash: write the start-up lines. */
void sp_console_start(void);

/* Take one byte from the wire, for both protocols. */
void sp_console_receive(sp_trainer_t *trainer, uint8_t byte);

/* Is there a command to answer? */
int sp_console_pending(void);

/* Answer one. */
void sp_console_answer(void);

/* Before a frame leaves: a zero byte ends the text that went before it. */
void sp_console_separate(void);

#else

static inline void sp_console_init(sp_trainer_t *trainer, void (*turn)(void))
{
    (void)trainer;
    (void)turn;
}

static inline void sp_console_start(void)
{
}

static inline void sp_console_receive(sp_trainer_t *trainer, uint8_t byte)
{
    sp_trainer_receive(trainer, byte);
}

static inline int sp_console_pending(void)
{
    return 0;
}

static inline void sp_console_answer(void)
{
}

static inline void sp_console_separate(void)
{
}

#endif

#endif
