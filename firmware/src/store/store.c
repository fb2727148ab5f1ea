/* SPDX-License-Identifier: Apache-2.0
 *
 * Two slots, each: header (32 bytes, little endian), content, 0xFF up to a whole unit.
 *
 * offset 0 magic, 4 format (u16), 6 header bytes (u16), 8 model hash (u64), 16 sequence (u32),
 * 20 content bytes (u32), 24 CRC-32 of the content, 28 CRC-32 of the 28 bytes before.
 *
 * Every unit is programmed once between two erases: flash with an error-correcting code allows no
 * more. Pages are erased even when they read as erased, because after a power cut that may not last.
 */
#include "secondpass/store.h"

#include <string.h>

#include "secondpass/link.h"

#define MAGIC 0x4B435053u /* "SPCK" */
#define CHUNK 64u         /* bytes handled at once; a multiple of the largest unit */

/* Bytes of a chunk, aligned as flash controllers want their data. */
typedef union {
    uint64_t alignment;
    uint8_t bytes[CHUNK];
} chunk_t;

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t slot_offset(const sp_store_t *store, unsigned slot)
{
    return slot * store->flash->slot_bytes;
}

static int read_flash(const sp_store_t *store, uint32_t offset, uint8_t *data, uint32_t length)
{
    return store->flash->read(store->flash->context, offset, data, length);
}

static int is_erased(const uint8_t *data, uint32_t length)
{
    for (uint32_t i = 0; i < length; ++i) {
        if (data[i] != 0xFFu) {
            return 0;
        }
    }
    return 1;
}

/* Is the content of a slot as its CRC says? */
static int content_is_whole(const sp_store_t *store, unsigned slot, uint32_t wanted)
{
    const uint32_t start = slot_offset(store, slot) + SP_STORE_HEADER;
    uint32_t crc = 0;
    chunk_t chunk;

    for (uint32_t at = 0; at < store->content.length; at += CHUNK) {
        const uint32_t length = smaller(CHUNK, store->content.length - at);

        if (read_flash(store, start + at, chunk.bytes, length) != 0) {
            return 0;
        }
        crc = sp_crc32_add(crc, chunk.bytes, length);
    }
    return crc == wanted;
}

static uint64_t get64(const uint8_t *at)
{
    return sp_get32(at) | (uint64_t)sp_get32(at + 4) << 32;
}

/* SP_OK and the sequence number of a slot's checkpoint, or why there is none of this model. */
static sp_status_t check_slot(const sp_store_t *store, unsigned slot, uint32_t *sequence)
{
    const sp_checkpoint_t *content = &store->content;
    uint8_t header[SP_STORE_HEADER];

    if (read_flash(store, slot_offset(store, slot), header, sizeof header) != 0) {
        return SP_ERROR_DAMAGED;
    }
    if (is_erased(header, sizeof header)) {
        return SP_ERROR_EMPTY;
    }
    if (sp_get32(header) != MAGIC ||
        sp_crc32_add(0, header, SP_STORE_HEADER - 4u) != sp_get32(header + 28)) {
        return SP_ERROR_DAMAGED;
    }
    if (sp_get16(header + 4) != SP_STORE_FORMAT || sp_get16(header + 6) != SP_STORE_HEADER ||
        get64(header + 8) != content->model || sp_get32(header + 20) != content->length) {
        return SP_ERROR_MODEL;
    }
    *sequence = sp_get32(header + 16);
    return content_is_whole(store, slot, sp_get32(header + 24)) ? SP_OK : SP_ERROR_DAMAGED;
}

/* Find the newest checkpoint. Sequence numbers wrap: the newer one is less than half of them
 * ahead. */
static void scan(sp_store_t *store)
{
    uint32_t sequences[2] = {0, 0};

    store->newest = -1;
    store->sequence = 0;
    for (unsigned slot = 0; slot < 2; ++slot) {
        store->slots[slot] = check_slot(store, slot, &sequences[slot]);
        if (store->slots[slot] == SP_OK &&
            (store->newest < 0 || sequences[slot] - store->sequence < 0x80000000u)) {
            store->newest = (int8_t)slot;
            store->sequence = sequences[slot];
        }
    }
}

sp_status_t sp_store_open(sp_store_t *store, const sp_flash_t *flash,
                          const sp_checkpoint_t *content)
{
    const uint32_t unit = flash->unit_bytes;

    if ((unit != 1 && unit != 2 && unit != 4 && unit != 8) || flash->page_bytes == 0 ||
        flash->page_bytes % unit != 0 || flash->slot_bytes % flash->page_bytes != 0 ||
        flash->slot_bytes < SP_STORE_HEADER ||
        flash->slot_bytes - SP_STORE_HEADER < content->length) {
        return SP_ERROR_SPACE;
    }
    store->flash = flash;
    store->content = *content;
    scan(store);
    return SP_OK;
}

/* Does a slot hold the content as it is now? */
static int holds_content(const sp_store_t *store, unsigned slot)
{
    const uint32_t start = slot_offset(store, slot) + SP_STORE_HEADER;
    chunk_t chunk;

    for (uint32_t at = 0; at < store->content.length; at += CHUNK) {
        const uint32_t length = smaller(CHUNK, store->content.length - at);

        if (read_flash(store, start + at, chunk.bytes, length) != 0 ||
            memcmp(chunk.bytes, store->content.data + at, length) != 0) {
            return 0;
        }
    }
    return 1;
}

/* Program bytes at an offset that begins a unit, filled up with 0xFF to whole units. */
static int program(const sp_store_t *store, uint32_t offset, const uint8_t *data, uint32_t length,
                   sp_save_report_t *report)
{
    const sp_flash_t *flash = store->flash;
    chunk_t chunk;

    for (uint32_t at = 0; at < length; at += CHUNK) {
        const uint32_t part = smaller(CHUNK, length - at);
        const uint32_t whole = (part + flash->unit_bytes - 1u) / flash->unit_bytes *
                               flash->unit_bytes;

        memset(chunk.bytes, 0xFF, sizeof chunk.bytes);
        memcpy(chunk.bytes, data + at, part);
        if (flash->program(flash->context, offset + at, chunk.bytes, whole) != 0) {
            return 1;
        }
        report->bytes_written += whole;
    }
    return 0;
}

static int erase_slot(const sp_store_t *store, unsigned slot, sp_save_report_t *report)
{
    const sp_flash_t *flash = store->flash;
    const uint32_t used = SP_STORE_HEADER + store->content.length;

    for (uint32_t at = 0; at < used; at += flash->page_bytes) {
        if (flash->erase(flash->context, slot_offset(store, slot) + at) != 0) {
            return 1;
        }
        ++report->pages_erased;
    }
    return 0;
}

/* Fill a slot. The header goes in only after the content was read back as it should be. */
static sp_status_t write_slot(const sp_store_t *store, unsigned slot, uint32_t sequence,
                              sp_save_report_t *report)
{
    const sp_checkpoint_t *content = &store->content;
    const uint32_t offset = slot_offset(store, slot);
    const uint32_t crc = sp_crc32_add(0, content->data, content->length);
    uint8_t header[SP_STORE_HEADER];
    uint32_t written;

    sp_put32(header, MAGIC);
    sp_put16(header + 4, SP_STORE_FORMAT);
    sp_put16(header + 6, SP_STORE_HEADER);
    sp_put32(header + 8, (uint32_t)content->model);
    sp_put32(header + 12, (uint32_t)(content->model >> 32));
    sp_put32(header + 16, sequence);
    sp_put32(header + 20, content->length);
    sp_put32(header + 24, crc);
    sp_put32(header + 28, sp_crc32_add(0, header, SP_STORE_HEADER - 4u));
    if (erase_slot(store, slot, report) != 0 ||
        program(store, offset + SP_STORE_HEADER, content->data, content->length, report) != 0 ||
        !content_is_whole(store, slot, crc) ||
        program(store, offset, header, sizeof header, report) != 0 ||
        check_slot(store, slot, &written) != SP_OK || written != sequence) {
        return SP_ERROR_FLASH;
    }
    return SP_OK;
}

/* The slot that a save may destroy. Without a checkpoint of this model, another model's is spared
 * while the other slot is free. */
static unsigned target_slot(const sp_store_t *store)
{
    if (store->newest >= 0) {
        return 1u - (unsigned)store->newest;
    }
    return store->slots[0] == SP_ERROR_MODEL && store->slots[1] != SP_ERROR_MODEL;
}

sp_status_t sp_store_save(sp_store_t *store, sp_save_report_t *report)
{
    const uint32_t sequence = store->sequence + 1u;
    const unsigned slot = target_slot(store);

    memset(report, 0, sizeof *report);
    if (store->newest >= 0 && holds_content(store, (unsigned)store->newest)) {
        report->skipped = 1;
        return SP_OK;
    }
    store->slots[slot] = write_slot(store, slot, sequence, report);
    if (store->slots[slot] == SP_OK) {
        store->newest = (int8_t)slot;
        store->sequence = sequence;
    }
    return store->slots[slot];
}

/* Why neither slot holds a checkpoint: what a user can least do about comes first. */
static sp_status_t reason(const sp_store_t *store)
{
    static const sp_status_t order[] = {SP_ERROR_DAMAGED, SP_ERROR_MODEL};

    for (unsigned i = 0; i < sizeof order / sizeof order[0]; ++i) {
        if (store->slots[0] == order[i] || store->slots[1] == order[i]) {
            return order[i];
        }
    }
    return SP_ERROR_EMPTY;
}

sp_status_t sp_store_load(sp_store_t *store)
{
    const sp_checkpoint_t *content = &store->content;
    uint32_t offset;

    scan(store);
    if (store->newest < 0) {
        return reason(store);
    }
    offset = slot_offset(store, (unsigned)store->newest) + SP_STORE_HEADER;
    if (read_flash(store, offset, content->data, content->length) != 0 ||
        !holds_content(store, (unsigned)store->newest)) {
        return SP_ERROR_FLASH;
    }
    return SP_OK;
}
