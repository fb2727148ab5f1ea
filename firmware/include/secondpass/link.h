/* SPDX-License-Identifier: Apache-2.0
 *
 * The link: COBS frames ended by a zero byte, each with a CRC-32 (docs/protocol.md, section 2).
 *
 * Reception decodes byte by byte, so that an interrupt handler can call it, into two buffers: one
 * request is received while another is being answered. The caller owns all memory.
 */
#ifndef SECONDPASS_LINK_H
#define SECONDPASS_LINK_H

#include <stdint.h>

#include "secondpass/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SP_LINK_HEADER 4u   /* version, verb, sequence number */
#define SP_LINK_CHECKSUM 4u /* CRC-32 */

/* Largest decoded frame for a body of `body` bytes. */
#define SP_LINK_FRAME(body) (SP_LINK_HEADER + (body) + SP_LINK_CHECKSUM)

/* Largest encoded frame for a decoded one of `length` bytes, with its final zero. */
#define SP_LINK_ENCODED(length) ((length) + (length) / 254u + 2u)

typedef enum { SP_SLOT_FREE = 0, SP_SLOT_READY, SP_SLOT_BAD, SP_SLOT_LONG } sp_slot_state_t;

/* One reception buffer. `state` is written last by the receiver and first by the reader. */
typedef struct {
    uint8_t *data;
    uint32_t length;
    volatile sp_slot_state_t state;
} sp_slot_t;

typedef struct {
    sp_slot_t slots[2];
    uint32_t capacity;          /* bytes in each buffer */
    uint8_t filling;            /* slot that reception writes */
    uint8_t reading;            /* slot that is answered next */
    uint8_t code;               /* COBS: bytes left of the current block */
    uint8_t block;              /* COBS: length code of the current block */
    uint8_t started;            /* 1: the current frame has a first byte */
    uint8_t skipping;           /* 1: drop bytes up to the next zero */
    sp_slot_state_t damage;     /* what is wrong with the frame so far */
    volatile uint32_t overruns; /* frames dropped because both slots were taken */
} sp_link_receiver_t;

/* Start with two buffers of `capacity` bytes each. */
void sp_link_receiver_init(sp_link_receiver_t *receiver, uint8_t *first, uint8_t *second,
                           uint32_t capacity);

/* Take one byte from the wire. May run in an interrupt handler. */
void sp_link_receive(sp_link_receiver_t *receiver, uint8_t byte);

/* Forget what came since the last zero byte: it was no frame. Where sp_link_receive may run. */
void sp_link_cancel(sp_link_receiver_t *receiver);

/* The frame to answer next, or NULL. Its state says READY, BAD (not COBS) or LONG. */
sp_slot_t *sp_link_next(sp_link_receiver_t *receiver);

/* Give the buffer of sp_link_next back to reception. */
void sp_link_release(sp_link_receiver_t *receiver);

/* CRC-32 (IEEE 802.3, reflected, as zlib's crc32). */
uint32_t sp_link_crc32(const uint8_t *data, uint32_t length);

/* The CRC of data whose first part has the CRC `crc` (0: there is none) and goes on with these
 * bytes. */
uint32_t sp_crc32_add(uint32_t crc, const uint8_t *data, uint32_t length);

/* Append the checksum to `frame` (room for 4 bytes after `length`) and write it to `encoded`
 * (SP_LINK_ENCODED(length + 4) bytes). Returns the encoded length. */
uint32_t sp_link_encode(uint8_t *frame, uint32_t length, uint8_t *encoded);

/* Little-endian fields at any address. */
static inline void sp_put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static inline void sp_put32(uint8_t *at, uint32_t value)
{
    sp_put16(at, value);
    sp_put16(at + 2, value >> 16);
}

static inline uint16_t sp_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t sp_get32(const uint8_t *at)
{
    return sp_get16(at) | (uint32_t)sp_get16(at + 2) << 16;
}

#ifdef __cplusplus
}
#endif

#endif
