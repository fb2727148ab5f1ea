/* SPDX-License-Identifier: Apache-2.0
 *
 * Data for the kernels, and the digest of all that they write and count.
 */
#ifndef SECONDPASS_TESTS_SWEEP_H
#define SECONDPASS_TESTS_SWEEP_H

#include "secondpass/kernels.h"
#include "secondpass/link.h"
#include "secondpass/model_state.h"
#include "secondpass/projection.h"
#include "secondpass/rules.h"

#define LARGEST 70u
#define LARGEST_STRIDE 72u
#define GUARD 0x5A
#define GUARD_BYTES 8u

/* One kernel or a few that belong together; run with widths from 1 to LARGEST. */
typedef struct {
    const char *name;
    void (*run)(uint32_t inputs, uint32_t outputs);
} kernel_t;

extern const kernel_t layer_kernels[], vector_kernels[], projection_kernels[];
extern const uint32_t layer_kernel_count, vector_kernel_count, projection_kernel_count;

/* Two input vectors of int16, one of int8, a matrix, an output; int16 vectors and rows of odd
 * length are followed by zeros. */
extern int16_t x[LARGEST_STRIDE], second[LARGEST_STRIDE];
extern int8_t narrow[LARGEST_STRIDE];
extern int16_t weights16[LARGEST * LARGEST_STRIDE + GUARD_BYTES];
extern int8_t weights8[LARGEST * LARGEST_STRIDE + GUARD_BYTES];
extern int16_t output[LARGEST_STRIDE + GUARD_BYTES];
extern int32_t wide[LARGEST * LARGEST + GUARD_BYTES];
extern uint16_t groups[1 + LARGEST_STRIDE], room[LARGEST];
extern uint8_t bytes[2 * LARGEST + 1];

void begin_sweep(void);
uint32_t digest_of_sweep(void);

/* Never two draws in one call or initialiser: their order is the compiler's. */
uint32_t draw(void);
uint32_t draw_below(uint32_t bound);
sp_scale_t draw_scale(void);

/* `rows` rows of `columns` values, all of one character that is drawn. */
void fill16(int16_t *at, uint32_t rows, uint32_t columns);
void fill8(int8_t *at, uint32_t rows, uint32_t columns);
void fill32(int32_t *at, uint32_t length);
void fill_bytes(void);
void clear_output(void);

void put(const void *data, uint32_t length);
void put_count(uint32_t count);
/* The output with what is behind it, and a count. */
void put_output(uint32_t saturations);

#endif
