/* SPDX-License-Identifier: Apache-2.0
 *
 * y = W x + b, int8 weights, int16 inputs; also the second pass of a8w8, whose inputs are
 * differences in int16.
 *
 * 511 products of 2^22 at most stay below 2^31: so many columns are summed in 32 bits, then join a
 * sum in 64 bits. Instructions a product, gcc 12.2 -O2:
 *
 * DSP    1.5  SXTB16 makes pairs of the bytes 0, 2 and 1, 3, so the inputs are packed likewise;
 *             SMLAD adds two products
 * MVE    0.3  bytes widen while they are loaded; VMLADAVA adds eight products
 * plain  2.4  LDRSB and MLA, no long multiply
 */
#include "secondpass/kernels.h"

#define SP_X int16_t
#define SP_NEXT sp_next_a16
#define SP_FC sp_fc_a16w8
#define SP_SAFE 496u

#define SP_LANES 8
#define SP_ON vctp16q
#define SP_VALUES int16x8_t
#define SP_INPUTS vldrhq_s16
#define SP_INPUTS_SOME vldrhq_z_s16
#define SP_WEIGHTS vldrbq_s16
#define SP_WEIGHTS_SOME vldrbq_z_s16
#define SP_ADD vmladavaq_s16

#include "fc_w8.h"
