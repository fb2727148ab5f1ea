/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums of products of four rows of int8 weights, which share the inputs' loads. A file that includes
 * it defines
 *
 * SP_X         type of an input, int16_t or int8_t
 * SP_NEXT      dsp.h: the next four inputs, packed
 *
 * and what fc_w8_mve.h needs.
 */
#ifndef SECONDPASS_KERNELS_FC_W8_ROWS_H
#define SECONDPASS_KERNELS_FC_W8_ROWS_H

#include "dsp.h"

#define TOGETHER 4u

/* What the products of one layer share. */
typedef struct {
    const SP_X *x;
    const uint16_t *groups;
    const uint32_t *packed; /* the inputs as `pack` leaves them, or NULL */
    uint32_t inputs;
    uint32_t stride; /* from a row to the next */
    uint32_t step;   /* the same within a group; 0: all are the same row */
} rows_t;

#if SP_MVE
#include "fc_w8_mve.h"
#else
#include "fc_w8_columns.h"
#endif

#endif
