/* SPDX-License-Identifier: Apache-2.0
 *
 * The bench application, for emulated boards: reads jobs from a file of the host, writes the ticks
 * of every inference and training step into another one and ends the emulator.
 *
 * jobs.bin: jobs, each a header {kind, count} of two words. JOB_LOAD: count bytes of state follow;
 * JOB_INFER and JOB_TRAIN: count records. ticks.bin, words: ticks of measuring nothing; for every
 * job the ticks of every record, then the subject's check; high-water mark of the stack in bytes.
 *
 * The no-ops around the work mark it for the counting plugin of the emulator (bench/cycles).
 */
#include "cortex_m.h"
#include "secondpass/port.h"
#include "semihosting.h"
#include "subject.h"

enum { JOB_LOAD = 0, JOB_INFER = 1, JOB_TRAIN = 2 };
enum { EXIT_DONE = 0, EXIT_JOBS = 2, EXIT_RESULTS = 3, EXIT_STATE = 4, EXIT_FAULT = 5 };

#define NAME_LENGTH 8u
#define KEPT 64u

typedef void (*work_t)(void);

static uint32_t jobs, results;
static uint32_t kept[KEPT]; /* results not yet written */
static uint32_t kept_count;

void sp_on_fault(const sp_fault_t *fault)
{
    (void)fault;
    sp_host_exit(EXIT_FAULT);
}

static void no_byte(uint8_t byte)
{
    (void)byte; /* nothing is received */
}

static void write_kept(void)
{
    if (sp_host_write(results, kept, kept_count * 4u) != 0) {
        sp_host_exit(EXIT_RESULTS);
    }
    kept_count = 0;
}

static void keep(uint32_t result)
{
    if (kept_count == KEPT) {
        write_kept();
    }
    kept[kept_count++] = result;
}

static void nothing(void)
{
    __asm__ volatile("" ::: "memory");
}

static __attribute__((noinline)) uint32_t timed(work_t work)
{
    const uint32_t start = sp_port_ticks();

    __asm__ volatile("mov r10, r10" ::: "memory");
    work();
    __asm__ volatile("mov r11, r11" ::: "memory");
    return sp_port_ticks() - start;
}

static void read_exactly(void *data, uint32_t length)
{
    if (sp_host_read(jobs, data, length) != 0) {
        sp_host_exit(EXIT_JOBS);
    }
}

static void load(uint32_t length)
{
    uint32_t expected = 0;
    void *state = sp_subject_state(&expected);

    if (length != expected) {
        sp_host_exit(EXIT_STATE);
    }
    read_exactly(state, length);
}

static void repeat(work_t work, uint32_t count)
{
    for (; count != 0; --count) {
        read_exactly(sp_subject_record, sp_subject_record_bytes);
        keep(timed(work));
    }
}

int main(void)
{
    uint32_t job[2];

    sp_port_init(no_byte);
    jobs = sp_host_open("jobs.bin", NAME_LENGTH, SP_HOST_READ_BINARY);
    results = sp_host_open("ticks.bin", NAME_LENGTH + 1u, SP_HOST_WRITE_BINARY);
    sp_subject_start();
    keep(timed(nothing));
    while (sp_host_read(jobs, job, sizeof job) == 0) {
        if (job[0] == JOB_LOAD) {
            load(job[1]);
        } else {
            repeat(job[0] == JOB_INFER ? sp_subject_infer : sp_subject_train, job[1]);
        }
        keep(sp_subject_check());
    }
    keep(sp_stack_used());
    write_kept();
    sp_host_exit(EXIT_DONE);
}
