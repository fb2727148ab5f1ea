/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of the computer that emulates the board, read and written over Arm semihosting. The calls
 * take no emulated time that matters: instructions are counted around the work, not around them.
 */
#ifndef SECONDPASS_BENCH_SEMIHOSTING_H
#define SECONDPASS_BENCH_SEMIHOSTING_H

#include <stdint.h>

#define SP_HOST_OPEN 0x01u
#define SP_HOST_WRITE 0x05u
#define SP_HOST_READ 0x06u
#define SP_HOST_EXIT_EXTENDED 0x20u

#define SP_HOST_READ_BINARY 1u
#define SP_HOST_WRITE_BINARY 5u
#define SP_HOST_APPLICATION_EXIT 0x20026u

static inline uint32_t sp_host_call(uint32_t operation, const uint32_t *arguments)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const uint32_t *r1 __asm__("r1") = arguments;

    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* A file's handle; all ones when it cannot be opened. */
static inline uint32_t sp_host_open(const char *name, uint32_t length, uint32_t mode)
{
    const uint32_t arguments[3] = {(uint32_t)(uintptr_t)name, mode, length};

    return sp_host_call(SP_HOST_OPEN, arguments);
}

/* Bytes that are missing: 0 when all were read. */
static inline uint32_t sp_host_read(uint32_t file, void *data, uint32_t length)
{
    const uint32_t arguments[3] = {file, (uint32_t)(uintptr_t)data, length};

    return sp_host_call(SP_HOST_READ, arguments);
}

/* Bytes that were not written: 0 when all were. */
static inline uint32_t sp_host_write(uint32_t file, const void *data, uint32_t length)
{
    const uint32_t arguments[3] = {file, (uint32_t)(uintptr_t)data, length};

    return sp_host_call(SP_HOST_WRITE, arguments);
}

/* End the emulator with an exit code. */
static inline void sp_host_exit(uint32_t code)
{
    const uint32_t arguments[2] = {SP_HOST_APPLICATION_EXIT, code};

    for (;;) {
        (void)sp_host_call(SP_HOST_EXIT_EXTENDED, arguments);
    }
}

#endif
