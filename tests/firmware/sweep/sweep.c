/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs every kernel over many shapes and prints one CRC-32 a kernel over all that it wrote and
 * counted. The same program runs on this computer and on every emulated board.
 */
#include <string.h>

#include "sweep.h"

static uint32_t sweep(const kernel_t *kernel)
{
    begin_sweep();
    for (uint32_t inputs = 1; inputs <= LARGEST; ++inputs) {
        /* Every number of outputs occurs, each with every fifth number of inputs. */
        for (uint32_t outputs = 1u + inputs % 5u; outputs <= LARGEST; outputs += 5) {
            clear_output();
            kernel->run(inputs, outputs);
        }
    }
    return digest_of_sweep();
}

/* "name crc\n"; returns its length. */
static uint32_t report(const kernel_t *kernel, char *line)
{
    const uint32_t crc = sweep(kernel);
    uint32_t length = (uint32_t)strlen(kernel->name);

    memcpy(line, kernel->name, length);
    line[length++] = ' ';
    for (int shift = 28; shift >= 0; shift -= 4) {
        line[length++] = "0123456789abcdef"[(crc >> shift) & 15u];
    }
    line[length++] = '\n';
    return length;
}

static uint32_t kernel_count(void)
{
    return layer_kernel_count + vector_kernel_count + projection_kernel_count;
}

static const kernel_t *kernel_at(uint32_t index)
{
    if (index < layer_kernel_count) {
        return &layer_kernels[index];
    }
    index -= layer_kernel_count;
    if (index < vector_kernel_count) {
        return &vector_kernels[index];
    }
    return &projection_kernels[index - vector_kernel_count];
}

#ifdef SP_BOARD_NAME

#include "cortex_m.h"
#include "secondpass/port.h"

static volatile int asked;

static void on_byte(uint8_t byte)
{
    (void)byte;
    asked = 1;
}

void sp_on_fault(const sp_fault_t *fault)
{
    (void)fault;
    sp_port_send_blocking((const uint8_t *)"fault 0\nend\n", 12);
}

/* What is sent before the other side listens is lost: wait for its first byte. */
int main(void)
{
    char line[40];

    sp_port_init(on_byte);
    while (!asked) {
    }
    for (uint32_t i = 0; i < kernel_count(); ++i) {
        sp_port_send_blocking((const uint8_t *)line, report(kernel_at(i), line));
    }
    sp_port_send_blocking((const uint8_t *)"end\n", 4);
    for (;;) {
        sp_wait_for_interrupt();
    }
}

#else

#include <stdio.h>

int main(void)
{
    char line[40];

    for (uint32_t i = 0; i < kernel_count(); ++i) {
        (void)fwrite(line, 1, report(kernel_at(i), line), stdout);
    }
    (void)puts("end");
    return 0;
}

#endif
