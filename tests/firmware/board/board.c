/* SPDX-License-Identifier: Apache-2.0
 *
 * What a board's port and start-up code promise, measured on it: one line a measurement,
 * "name number\n" in decimal, and "end\n".
 */
#include <string.h>

#include "cortex_m.h"
#include "secondpass/port.h"

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>
#endif

static volatile int asked;

static void on_byte(uint8_t byte)
{
    (void)byte;
    asked = 1;
}

static void report(const char *name, uint32_t value)
{
    char digits[11];
    uint32_t at = sizeof digits;

    digits[--at] = '\n';
    do {
        digits[--at] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value != 0);
    sp_port_send_blocking((const uint8_t *)name, (uint32_t)strlen(name));
    sp_port_send_blocking((const uint8_t *)digits + at, sizeof digits - at);
}

void sp_on_fault(const sp_fault_t *fault)
{
    report("fault ", fault->cfsr);
    sp_port_send_blocking((const uint8_t *)"end\n", 4);
}

/* Ticks around a loop of two instructions; what else is counted does not depend on `rounds`. */
__attribute__((noinline)) static uint32_t ticks_of_loop(uint32_t rounds)
{
    const uint32_t start = sp_port_ticks();

    __asm__ volatile(".syntax unified\n1: subs %0, #1\n bne 1b" : "+l"(rounds)::"cc");
    return sp_port_ticks() - start;
}

#if defined(__ARM_FEATURE_MVE)

/* Sum of products; the last vector is a part of one. */
__attribute__((noinline)) static int32_t dot(const int8_t *a, const int8_t *b, int32_t length)
{
    int32_t sum = 0;

    for (; length > 0; length -= 16, a += 16, b += 16) {
        const mve_pred16_t lanes = vctp8q((uint32_t)length);

        sum = vmladavaq_p_s8(sum, vldrbq_z_s8(a, lanes), vldrbq_z_s8(b, lanes), lanes);
    }
    return sum;
}

static void report_vectors(void)
{
    int8_t a[48], b[48];

    for (int i = 0; i < 48; ++i) {
        a[i] = (int8_t)(i + 1);
        b[i] = 3;
    }
    report("dot ", (uint32_t)dot(a, b, 37));
}

#else

static void report_vectors(void)
{
}

#endif

/* What is sent before the other side listens is lost: wait for its first byte. */
int main(void)
{
    sp_port_init(on_byte);
    while (!asked) {
    }
    sp_disable_interrupts();
    report("short ", ticks_of_loop(1000));
    report("again ", ticks_of_loop(1000));
    report("long ", ticks_of_loop(6001000));
    report_vectors();
    sp_port_send_blocking((const uint8_t *)"end\n", 4);
    for (;;) {
        sp_wait_for_interrupt();
    }
}
