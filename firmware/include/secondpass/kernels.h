/* SPDX-License-Identifier: Apache-2.0
 *
 * Kernels: one operation a function, one function a file in src/kernels/.
 *
 * Vectors and weight rows start on 4-byte boundaries. A vector of odd length is followed by one
 * element that kernels keep at zero ("padding"); so is every weight row with an odd number of
 * inputs. Every kernel has a plain C form, the definition, and may have a DSP form with the same
 * result bit for bit. Functions that return a count return the number of saturated values.
 */
#ifndef SECONDPASS_KERNELS_H
#define SECONDPASS_KERNELS_H

#include "secondpass/fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Shape and number formats of a fully connected layer. */
typedef struct {
    uint16_t inputs;   /* columns of the weight matrix, 1 to 4096 */
    uint16_t outputs;  /* rows of the weight matrix, 1 to 4096 */
    uint8_t in_frac;   /* fractional bits of the inputs, 0 to 15 */
    uint8_t shift;     /* from accumulator to output, 0 to 30 */
    uint8_t relu;      /* 1: clamp to [0, 32767]; 0: identity */
} sp_fc_t;

/* y = activation(weights x + bias), int16 activations and int16 weights, exact accumulation.
 * weights: outputs rows of sp_row_stride(inputs). bias: accumulator format. */
uint32_t sp_fc_a16w16(const sp_fc_t *layer, const int16_t *x, const int16_t *weights,
                      const int32_t *bias, int16_t *y);

/* weights -= row_errors x presynaptic^T / 2^16 with dithered rounding; bias likewise.
 * Rows whose error is zero are skipped; the others are added to *active_rows. */
uint32_t sp_update_a16w16(const sp_fc_t *layer, const int16_t *row_errors,
                          const int16_t *presynaptic, uint32_t key, int16_t *weights,
                          int32_t *bias, uint32_t *active_rows);

/* row_errors = delta * rate, clamped to int16. */
uint32_t sp_row_errors(const int16_t *delta, uint32_t length, sp_scale_t rate,
                       int16_t *row_errors);

/* row_errors = (first - second) * rate, clamped to int16. */
uint32_t sp_row_errors_difference(const int16_t *first, const int16_t *second, uint32_t length,
                                  sp_scale_t rate, int16_t *row_errors);

/* The same where first is positive, zero elsewhere: the difference times ReLU's derivative. */
uint32_t sp_row_errors_relu(const int16_t *first, const int16_t *second, uint32_t length,
                            sp_scale_t rate, int16_t *row_errors);

/* x = (sample - zero_point) * scale, clamped to int16; one byte an element. */
uint32_t sp_quantise_u8(const uint8_t *sample, uint32_t length, int32_t zero_point,
                        sp_scale_t scale, int16_t *x);

/* The same for little-endian int16 samples at any address. */
uint32_t sp_quantise_i16(const uint8_t *sample, uint32_t length, int32_t zero_point,
                         sp_scale_t scale, int16_t *x);

/* modulated = x + F error, F a +-1 matrix times the scale, generated from the seed. */
uint32_t sp_project_sign_a16(const int16_t *error, uint32_t outputs, const int16_t *x,
                             uint32_t inputs, uint32_t seed, sp_scale_t scale,
                             int16_t *modulated);

/* The same with F uniform over the odd integers in [-255, 255], divided by 256. */
uint32_t sp_project_dense_a16(const int16_t *error, uint32_t outputs, const int16_t *x,
                              uint32_t inputs, uint32_t seed, sp_scale_t scale,
                              int16_t *modulated);

/* The same with one element +-1 a row: every input is tied to one output. */
uint32_t sp_project_sparse_a16(const int16_t *error, uint32_t outputs, const int16_t *x,
                               uint32_t inputs, uint32_t seed, sp_scale_t scale,
                               int16_t *modulated);

/* signs = -32767, 0 or 32767 as the error is negative, zero or positive. May be in place. */
void sp_error_signs(const int16_t *error, uint32_t outputs, int16_t *signs);

/* error = softmax(logits) - onehot(label) in Q0.15.
 * logits have frac_bits fractional bits (0 to 15). Returns the label's probability in Q0.15,
 * 0 to 32768. */
uint16_t sp_softmax_error(const int16_t *logits, uint32_t classes, unsigned frac_bits,
                          uint16_t label, int16_t *error);

/* Index of the largest value; the lowest one when several are equal. */
uint16_t sp_argmax(const int16_t *values, uint32_t length);

#ifdef __cplusplus
}
#endif

#endif
