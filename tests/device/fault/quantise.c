/* SPDX-License-Identifier: Apache-2.0
 *
 * In place of the library's file of this name: the first request with a sample ends in a fault.
 */
#include "secondpass/kernels.h"

uint32_t sp_quantise_i16(const uint8_t *sample, uint32_t length, int32_t zero_point,
                         sp_scale_t scale, int16_t *x)
{
    (void)sample;
    (void)length;
    (void)zero_point;
    (void)scale;
    (void)x;
    __asm__ volatile("udf #0");
    return 0;
}
