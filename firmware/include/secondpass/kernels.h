/* SPDX-License-Identifier: Apache-2.0
 *
 * Kernels: one operation a function, related functions a file in src/kernels/.
 *
 * Vectors and weight rows start on 4-byte boundaries. An int16 vector of odd length is followed by
 * one element that kernels which make activations keep at zero ("padding"); so is every int16
 * weight row with an odd number of inputs. Every kernel has a plain C form, the definition, and may
 * have others (DSP, MVE) with the same result bit for bit. Functions that return a count return the
 * number of saturated values. docs/numerics.md defines every operation. Projections are in
 * projection.h.
 */
#ifndef SECONDPASS_KERNELS_H
#define SECONDPASS_KERNELS_H

#include "secondpass/fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which clamps of a pre-activation are counted. */
#define SP_COUNT_LOW 1u
#define SP_COUNT_HIGH 2u

/* Shape and number formats of a fully connected layer. */
typedef struct {
    uint16_t inputs;  /* columns of the weight matrix, 1 to 4096 */
    uint16_t outputs; /* rows of the weight matrix, 1 to 4096 */
    int8_t shift;     /* right shift from accumulator to output: 0 to 38; a8w8: -8 to 30 */
    uint8_t relu;     /* 1: clamp to [0, 32767] */
    uint8_t counted;  /* SP_COUNT_LOW, SP_COUNT_HIGH: clamps of the output that are counted */
} sp_fc_t;

/* ---- Columns that are not zero ---- */

/* Lists for the kernels below that take `groups`: groups[0] is how many groups of columns are not
 * all zero, or SP_ALL_GROUPS when more than half of them are; their numbers follow, rising. A list
 * of n groups has room for 1 + sp_groups_held(n). Kernels give the same result with a list of their
 * input as without one (NULL). Pairs of columns for int16 weights, whole quads for int8. */
#define SP_ALL_GROUPS 0xFFFFu

static inline uint32_t sp_groups_held(uint32_t groups)
{
    return groups / 2u;
}

void sp_pairs_a16(const int16_t *x, uint32_t length, uint16_t *groups);
void sp_quads_a16(const int16_t *x, uint32_t length, uint16_t *groups);
void sp_quads_a8(const int8_t *x, uint32_t length, uint16_t *groups);

/* Does it pay to visit only the listed groups? */
static inline int sp_few(const uint16_t *groups)
{
    return groups != 0 && groups[0] != SP_ALL_GROUPS;
}

/* ---- Layers ---- */

/* y = weights x + bias, requantised to int16; exact accumulation. The format is in the name:
 * a16 or a8: int16 or int8 inputs; w16 or w8: weights, rows of sp_row_stride(inputs) or
 * sp_row_stride8(inputs). bias: accumulator format; NULL: none. */
uint32_t sp_fc_a16w16(const sp_fc_t *layer, const int16_t *x, const uint16_t *groups,
                      const int16_t *weights, const int32_t *bias, int16_t *y);
uint32_t sp_fc_a16w8(const sp_fc_t *layer, const int16_t *x, const uint16_t *groups,
                     const int8_t *weights, const int32_t *bias, int16_t *y);
uint32_t sp_fc_a8w8(const sp_fc_t *layer, const int8_t *x, const uint16_t *groups,
                    const int8_t *weights, const int32_t *bias, int16_t *y);

/* From an accumulator to output steps: multiplier / 2^(shift + 32), multiplier = high * 2^32 + low,
 * 0 or the 53 bits of a double. */
typedef struct {
    uint32_t high; /* below 2^21 */
    uint32_t low;
    uint8_t shift; /* 1 to 63 */
} sp_affine_scale_t;

/* Shape and formats of a fully connected layer in the int8 arithmetic of TFLite. */
typedef struct {
    uint16_t inputs;   /* 1 to 4096 */
    uint16_t outputs;  /* 1 to 4096 */
    int8_t zero_point; /* of the outputs */
    int8_t lowest;     /* limits of the outputs, lowest <= highest */
    int8_t highest;
    uint8_t counted;   /* SP_COUNT_LOW, SP_COUNT_HIGH: clamps of the outputs that are counted */
    uint8_t per_row;   /* 1: every row has a scale of its own; 0: one for all */
} sp_affine_t;

/* y = zero_point + scale (weights x + bias) as doubles have the product, halves rounded away from
 * zero, clamped to the limits (docs/affine.md). weights: rows of sp_row_stride8(inputs); bias: int32,
 * with the input's zero point in it; sums must fit int32. scales: one, or one a row. */
uint32_t sp_fc_affine8(const sp_affine_t *layer, const int8_t *x, const int8_t *weights,
                       const int32_t *bias, const sp_affine_scale_t *scales, int8_t *y);

/* below = weights^T delta / 2^shift, clamped to int16: what back-propagation hands down.
 * shift in [0, 30]. */
uint32_t sp_backward_w16(const sp_fc_t *layer, const int16_t *delta, const int16_t *weights,
                         unsigned shift, int16_t *below);
uint32_t sp_backward_w8(const sp_fc_t *layer, const int16_t *delta, const int8_t *weights,
                        unsigned shift, int16_t *below);

/* weights -= row_errors x presynaptic^T / 2^16 (a16w8: 2^24) with dithered rounding. Rows whose
 * error is zero are left alone. key: sp_dither_key of step and layer. room: for each row, how far
 * its weights are at least from the limits of int16; steps within it need no clamp. 0 is always
 * true; updates keep it true. */
uint32_t sp_update_a16w16(const sp_fc_t *layer, const int16_t *row_errors,
                          const int16_t *presynaptic, const uint16_t *groups, uint32_t key,
                          uint16_t *room, int16_t *weights);
uint32_t sp_update_a16w8(const sp_fc_t *layer, const int16_t *row_errors,
                         const int16_t *presynaptic, const uint16_t *groups, uint32_t key,
                         int8_t *weights);
uint32_t sp_update_a8w8(const sp_fc_t *layer, const int16_t *row_errors,
                        const int8_t *presynaptic, const uint16_t *groups, uint32_t key,
                        int8_t *weights);

/* How far so many weights of one row are from the limits of int16. */
uint16_t sp_room_w16(const int16_t *weights, uint32_t inputs);

/* bias -= row_errors * 2^exponent, rounded; the bias sees a constant input of one.
 * exponent in [-24, 14]. */
uint32_t sp_update_bias(const int16_t *row_errors, uint32_t length, int exponent, int32_t *bias);

/* Deltas of a magnitude in [1, gate - 1] become zero or +-gate at random; their mean stays. gate in
 * [0, 32767], in steps of the delta; key: sp_dither_key of step and layer. */
void sp_thin_rows(int16_t *delta, uint32_t length, uint16_t gate, uint32_t key);

/* delta becomes row errors in place: delta * rate, clamped to [-clip, clip]. Adds the number of
 * those that are not zero to *active_rows. */
uint32_t sp_row_errors(int16_t *delta, uint32_t length, sp_scale_t rate, int16_t clip,
                       uint32_t *active_rows);

/* ---- Inputs ---- */

/* x = (sample - zero_point) * scale, clamped to int16; uint8, one byte an element. */
uint32_t sp_quantise_u8(const uint8_t *sample, uint32_t length, int32_t zero_point,
                        sp_scale_t scale, int16_t *x);

/* The same for int8 samples. */
uint32_t sp_quantise_i8(const uint8_t *sample, uint32_t length, int32_t zero_point,
                        sp_scale_t scale, int16_t *x);

/* The same for little-endian int16 samples at any address. */
uint32_t sp_quantise_i16(const uint8_t *sample, uint32_t length, int32_t zero_point,
                         sp_scale_t scale, int16_t *x);

/* values = little-endian int16 at any address. */
void sp_load_i16(const uint8_t *bytes, uint32_t length, int16_t *values);

/* ---- Activations: int16 to int16, may be in place; frac: fractional bits of the result ---- */

void sp_relu_a16(const int16_t *z, uint32_t length, int16_t *result);

/* Clamp to +-2^frac; frac in [8, 14]. */
void sp_hard_tanh_a16(const int16_t *z, uint32_t length, unsigned frac, int16_t *result);

/* z has 12 fractional bits; frac in [8, 15]. */
void sp_tanh_a16(const int16_t *z, uint32_t length, unsigned frac, int16_t *result);

/* tanh of a value with 12 fractional bits, Q0.15. */
int16_t sp_tanh_q15(int16_t value);

/* widened = values, int8 as int16. */
void sp_widen_a8(const int8_t *values, uint32_t length, int16_t *widened);

/* narrowed = result / 2^8, rounded and clamped to int8. */
uint32_t sp_narrow_a8(const int16_t *result, uint32_t length, int8_t *narrowed);

/* delta *= slope of the activation function that gave `result`. */
void sp_slope_relu(const int16_t *result, uint32_t length, int16_t *delta);
void sp_slope_hard_tanh(const int16_t *result, uint32_t length, unsigned frac, int16_t *delta);
void sp_slope_tanh(const int16_t *result, uint32_t length, unsigned frac, int16_t *delta);

/* ---- Vectors: clamped to int16, may be in place ---- */

uint32_t sp_add_a16(const int16_t *first, const int16_t *second, uint32_t length, int16_t *sum);
uint32_t sp_subtract_a16(const int16_t *first, const int16_t *second, uint32_t length,
                         int16_t *difference);
uint32_t sp_negate_a16(const int16_t *values, uint32_t length, int16_t *negative);

/* rescaled = values / 2^shift, rounded; a negative shift multiplies. shift in [-15, 15]. */
uint32_t sp_rescale_a16(const int16_t *values, uint32_t length, int shift, int16_t *rescaled);

/* ---- Heads ---- */

/* error = softmax(logits) - onehot(label) in Q0.15.
 * logits have frac_bits fractional bits (0 to 15). Returns the label's probability in Q0.15,
 * 0 to 32768. */
uint16_t sp_softmax_error(const int16_t *logits, uint32_t classes, unsigned frac_bits,
                          uint16_t label, int16_t *error);

/* error[0] = sigmoid(logit) - label in Q0.15, label 0 or 1; error[1] is scratch. */
uint16_t sp_sigmoid_error(int16_t logit, unsigned frac_bits, uint16_t label, int16_t *error);

/* prediction = error + value at `index`, the error elsewhere; clamped, not counted.
 * value: 0 or 32768. */
void sp_prediction(const int16_t *error, uint32_t length, uint32_t index, int32_t value,
                   int16_t *prediction);

/* wanted = -value at `index`, zero elsewhere. value: 0 or 32768. */
void sp_negative_one_hot(uint32_t length, uint32_t index, int32_t value, int16_t *wanted);

/* Mean of the squares, rounded; twice the fractional bits of the error. */
uint32_t sp_mean_square(const int16_t *error, uint32_t length);

/* Largest magnitude, 0 to 32768. */
uint32_t sp_largest(const int16_t *values, uint32_t length);

/* Index of the largest value; the lowest one when several are equal. */
uint16_t sp_argmax(const int16_t *values, uint32_t length);

#ifdef __cplusplus
}
#endif

#endif
