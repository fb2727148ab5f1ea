/* SPDX-License-Identifier: Apache-2.0
 *
 * The checkpoint store: what was learned, kept in flash (docs/checkpoints.md).
 *
 * Two slots. A save erases and fills the slot that does not hold the newest checkpoint and writes
 * its header last, so that at every moment one slot holds a whole checkpoint. The caller supplies
 * the flash and owns all memory.
 */
#ifndef SECONDPASS_STORE_H
#define SECONDPASS_STORE_H

#include <stdint.h>

#include "secondpass/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SP_STORE_HEADER 32u /* bytes in front of the content; a multiple of every program unit */
#define SP_STORE_FORMAT 1u  /* of the header, and of what a generated model saves */

/* Bytes of a slot for `length` bytes of content on pages of `page` bytes. */
#define SP_STORE_SLOT(length, page) \
    ((SP_STORE_HEADER + (length) + (page) - 1u) / (page) * (page))

/* A flash memory of two slots: slot 0 begins at offset 0, slot 1 at slot_bytes.
 * The functions return 0, or anything else when the flash refused. */
typedef struct {
    void *context;       /* handed to the functions */
    uint32_t page_bytes; /* erased together; a multiple of unit_bytes */
    uint32_t unit_bytes; /* programmed together: 1, 2, 4 or 8 */
    uint32_t slot_bytes; /* a multiple of page_bytes */
    /* Set the page at `offset` to 0xFF. */
    int (*erase)(void *context, uint32_t offset);
    /* Program whole units that are erased. data: aligned to 8 bytes. */
    int (*program)(void *context, uint32_t offset, const uint8_t *data, uint32_t length);
    /* Read any range. A unit that a power cut left unreadable is an error, not a fault. */
    int (*read)(void *context, uint32_t offset, uint8_t *data, uint32_t length);
} sp_flash_t;

/* What is saved: `length` bytes at `data`, of the model with that hash. */
typedef struct {
    uint64_t model;
    uint8_t *data;
    uint32_t length;
} sp_checkpoint_t;

typedef struct {
    const sp_flash_t *flash;
    sp_checkpoint_t content;
    sp_status_t slots[2]; /* SP_OK, or why a slot holds no checkpoint of this model */
    uint32_t sequence;    /* of the newest checkpoint */
    int8_t newest;        /* its slot; -1: there is none */
} sp_store_t;

/* What a save did to the flash. */
typedef struct {
    uint32_t bytes_written; /* programmed, with header and padding */
    uint32_t pages_erased;
    uint8_t skipped; /* 1: the newest checkpoint has the same content; nothing was written */
} sp_save_report_t;

/* Look for checkpoints. `flash` must outlive the store. SP_ERROR_SPACE: the content does not fit a
 * slot, or sizes do not go together; then the store must not be used. Slots without a checkpoint
 * are no error. */
sp_status_t sp_store_open(sp_store_t *store, const sp_flash_t *flash,
                          const sp_checkpoint_t *content);

/* Save the content unless the newest checkpoint holds the same. The content must not change
 * meanwhile. SP_ERROR_FLASH: the flash refused or did not keep what was written; the newest
 * checkpoint is still whole. */
sp_status_t sp_store_save(sp_store_t *store, sp_save_report_t *report);

/* Load the newest whole checkpoint. SP_ERROR_EMPTY, SP_ERROR_MODEL, SP_ERROR_DAMAGED: there is
 * none, and why; the content is unchanged. SP_ERROR_FLASH: a checkpoint that was whole could not
 * be read a second time; the content is undefined. */
sp_status_t sp_store_load(sp_store_t *store);

#ifdef __cplusplus
}
#endif

#endif
