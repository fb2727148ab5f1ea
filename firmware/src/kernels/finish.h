/* SPDX-License-Identifier: Apache-2.0
 *
 * From sums of products to int16: bias, rounding shift, clamp.
 */
#ifndef SECONDPASS_KERNELS_FINISH_H
#define SECONDPASS_KERNELS_FINISH_H

#include <stddef.h>

#include "secondpass/kernels.h"

#include "forms.h"

/* Rows whose sums are requantised at once, a multiple of every group of rows. */
#define SP_BLOCK 16u

/* What a layer's rows share. */
typedef struct {
    const sp_fc_t *layer;
    const int32_t *bias;
    int32_t half;      /* added before the shift */
    unsigned shift;    /* right, 0 to 31 */
    int32_t rectified; /* -1: negative values become 0, not counted */
    int usual;         /* there are biases, and the shift is in [0, 31] */
    uint32_t saturations;
} sp_requantiser_t;

static inline sp_requantiser_t sp_requantiser(const sp_fc_t *layer, const int32_t *bias)
{
    const int shift = layer->shift;
    const int usual = bias != NULL && shift >= 0 && shift <= 31 &&
                      !(layer->relu && (layer->counted & SP_COUNT_LOW));

    return (sp_requantiser_t){
        .layer = layer,
        .bias = bias,
        .half = usual && shift > 0 ? 1 << (shift - 1) : 0,
        .shift = (unsigned)shift & 31u,
        .rectified = layer->relu ? -1 : 0,
        .usual = usual,
        .saturations = 0,
    };
}

/* y of the rows from `row` to `end`, from their sums, the first of which is that of `row`. */
void sp_finish32(sp_requantiser_t *q, const int32_t *sums, uint32_t row, uint32_t end, int16_t *y);
void sp_finish64(sp_requantiser_t *q, const int64_t *sums, uint32_t row, uint32_t end, int16_t *y);

#endif
