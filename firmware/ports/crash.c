/* SPDX-License-Identifier: Apache-2.0 */
#include "crash.h"

#include <stddef.h>

#include "cortex_m.h"
#include "secondpass/link.h"

#define MAGIC 0x53504352u /* RAM holds anything when the power comes */
#define RESET_REQUEST 0x05FA0004u

typedef struct {
    uint32_t magic;
    sp_fault_t fault;
    uint32_t fresh; /* 1: the device has not started since this was written */
    uint32_t crc;   /* of everything before */
} record_t;

/* The linker script reserves it; only its address means something. */
extern uint32_t sp_link_crash_record[];

static record_t *kept(void)
{
    return (record_t *)(uintptr_t)sp_link_crash_record;
}

static uint32_t checksum(const record_t *record)
{
    return sp_crc32_add(0, (const uint8_t *)record, offsetof(record_t, crc));
}

static int is_whole(const record_t *record)
{
    return record->magic == MAGIC && record->crc == checksum(record);
}

static void keep(record_t *record)
{
    record->magic = MAGIC;
    record->crc = checksum(record);
    __asm__ volatile("dsb" ::: "memory");
}

void sp_crash(const sp_fault_t *fault)
{
    record_t *record = kept();
    const uint8_t before = is_whole(record) ? record->fault.count : 0;

    sp_disable_interrupts();
    record->fault = *fault;
    record->fault.count = (uint8_t)(before < 255u ? before + 1u : 255u);
    record->fresh = 1;
    keep(record);
    SP_AIRCR = RESET_REQUEST;
    __asm__ volatile("dsb" ::: "memory");
    for (;;) {
    }
}

const sp_fault_t *sp_crash_report(void)
{
    return is_whole(kept()) ? &kept()->fault : NULL;
}

void sp_crash_clear(void)
{
    kept()->magic = 0;
}

uint8_t sp_crash_cause(void)
{
    record_t *record = kept();
    uint8_t cause = SP_RESET_OTHER;

    if (is_whole(record) && record->fresh) {
        cause = record->fault.cause;
        record->fresh = 0; /* a reset button pressed later is no crash */
        keep(record);
    }
    return cause;
}
