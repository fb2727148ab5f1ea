/* SPDX-License-Identifier: Apache-2.0
 *
 * y = W x + b, int8 weights and inputs.
 *
 * 4096 products of 2^14 fit 27 bits, so all are summed in 32 bits: no long multiply, which small
 * cores lack. Instructions a product, gcc 12.2 -O2:
 *
 * DSP    1.5  SXTB16 makes pairs of the bytes 0, 2 and 1, 3 of inputs and weights; SMLAD adds two
 *             products
 * MVE    0.2  VMLADAVA adds sixteen products
 * plain  2.4  LDRSB and MLA
 */
#include "secondpass/kernels.h"

#define SP_X int8_t
#define SP_NEXT sp_next_a8
#define SP_FC sp_fc_a8w8
#define SP_SAFE 4096u

#define SP_LANES 16
#define SP_ON vctp8q
#define SP_VALUES int8x16_t
#define SP_INPUTS vldrbq_s8
#define SP_INPUTS_SOME vldrbq_z_s8
#define SP_WEIGHTS vldrbq_s8
#define SP_WEIGHTS_SOME vldrbq_z_s8
#define SP_ADD vmladavaq_s8

#include "fc_w8.h"
