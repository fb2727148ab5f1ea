/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "secondpass/link.h"

/* Keeps the compiler from moving a slot's data past its state: an interrupt may come between. */
#define BARRIER() __asm__ volatile("" ::: "memory")

static void begin_frame(sp_link_receiver_t *receiver)
{
    receiver->started = 0;
    receiver->code = 0;
    receiver->block = 0xFF;
    receiver->damage = SP_SLOT_READY;
}

void sp_link_receiver_init(sp_link_receiver_t *receiver, uint8_t *first, uint8_t *second,
                           uint32_t capacity)
{
    receiver->slots[0].data = first;
    receiver->slots[0].length = 0;
    receiver->slots[0].state = SP_SLOT_FREE;
    receiver->slots[1].data = second;
    receiver->slots[1].length = 0;
    receiver->slots[1].state = SP_SLOT_FREE;
    receiver->capacity = capacity;
    receiver->filling = 0;
    receiver->reading = 0;
    receiver->skipping = 0;
    receiver->overruns = 0;
    begin_frame(receiver);
}

static void append(sp_link_receiver_t *receiver, sp_slot_t *slot, uint8_t byte)
{
    if (slot->length < receiver->capacity) {
        slot->data[slot->length++] = byte;
    } else {
        receiver->damage = SP_SLOT_LONG;
    }
}

/* A zero byte ends the frame in every state. */
static void end_frame(sp_link_receiver_t *receiver, sp_slot_t *slot)
{
    if (receiver->skipping) {
        receiver->skipping = 0;
    } else if (receiver->started) {
        if (receiver->code != 0 && receiver->damage == SP_SLOT_READY) {
            receiver->damage = SP_SLOT_BAD;
        }
        BARRIER();
        slot->state = receiver->damage;
        receiver->filling ^= 1u;
    }
    begin_frame(receiver);
}

void sp_link_receive(sp_link_receiver_t *receiver, uint8_t byte)
{
    sp_slot_t *slot = &receiver->slots[receiver->filling];

    if (slot->state != SP_SLOT_FREE) {
        if (byte != 0 && !receiver->skipping) {
            receiver->skipping = 1;
            ++receiver->overruns;
        } else if (byte == 0) {
            receiver->skipping = 0;
        }
        return;
    }
    if (byte == 0) {
        end_frame(receiver, slot);
    } else if (receiver->skipping) {
        return;
    } else if (receiver->code == 0) {
        /* A length code; the block before it ends with a zero unless it was a full one. */
        if (receiver->block != 0xFF) {
            append(receiver, slot, 0);
        }
        receiver->started = 1;
        receiver->block = byte;
        receiver->code = (uint8_t)(byte - 1u);
    } else {
        append(receiver, slot, byte);
        --receiver->code;
    }
}

void sp_link_cancel(sp_link_receiver_t *receiver)
{
    sp_slot_t *slot = &receiver->slots[receiver->filling];

    if (slot->state == SP_SLOT_FREE) {
        slot->length = 0;
    }
    receiver->skipping = 0;
    begin_frame(receiver);
}

sp_slot_t *sp_link_next(sp_link_receiver_t *receiver)
{
    sp_slot_t *slot = &receiver->slots[receiver->reading];

    return slot->state == SP_SLOT_FREE ? NULL : slot;
}

void sp_link_release(sp_link_receiver_t *receiver)
{
    sp_slot_t *slot = &receiver->slots[receiver->reading];

    receiver->reading ^= 1u;
    slot->length = 0;
    BARRIER();
    slot->state = SP_SLOT_FREE;
}
