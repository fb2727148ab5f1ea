/* SPDX-License-Identifier: Apache-2.0
 *
 * What the bench measures: one subject is linked with main.c.
 */
#ifndef SECONDPASS_BENCH_SUBJECT_H
#define SECONDPASS_BENCH_SUBJECT_H

#include <stdint.h>

/* Memory for one record of the jobs file, and its size in bytes. */
extern uint8_t *const sp_subject_record;
extern const uint32_t sp_subject_record_bytes;

/* Make ready; called once, before anything is measured. */
void sp_subject_start(void);

/* The memory that a job may load, and its size in bytes; 0: there is none. */
void *sp_subject_state(uint32_t *bytes);

/* The work that is measured, on the record: an inference, a training step. */
void sp_subject_infer(void);
void sp_subject_train(void);

/* A number that depends on what was computed: equal to the host's when both did the same. */
uint32_t sp_subject_check(void);

#endif
