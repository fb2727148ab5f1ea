/* SPDX-License-Identifier: Apache-2.0
 *
 * Features of raw readings, computed ahead of the first layer: docs/features.md defines every bit.
 */
#ifndef SECONDPASS_FEATURES_H
#define SECONDPASS_FEATURES_H

#include "secondpass/fixed.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Raw feature that stands for its centre. */
#define SP_FEATURE_ZERO 128

/* Memory that other vectors use before and after: GCC must not assume what type it holds. */
#ifdef __GNUC__
#define SP_MAY_ALIAS __attribute__((may_alias))
#else
#define SP_MAY_ALIAS
#endif

/* A complex number; the window's transform is made of window / 2 of them. */
typedef struct {
    int32_t re;
    int32_t im;
} SP_MAY_ALIAS sp_complex_t;

/* Log spectra of a window of readings of several axes. */
typedef struct {
    uint16_t window;        /* readings of an axis: 2^(twos + 1) * 5^fives, in [20, 1000] */
    uint16_t axes;          /* values of a reading, 1 or more */
    uint16_t bands;         /* features of an axis */
    uint16_t lines;         /* of the spectrum in a band; bands * lines < window / 2 */
    uint8_t twos;           /* 1 or more */
    uint8_t fives;
    sp_scale_t scale;       /* from 1/512 of a power's octave to raw steps of a feature */
    const int16_t *sines;   /* Q15 sin(2 pi k / window), k = 0 .. window * 5 / 4 - 1 */
    const uint16_t *places; /* where the pair of readings 2n and 2n + 1 goes */
    const uint16_t *centres; /* of every feature, in 1/512 octaves of power */
} sp_spectrum_t;

/* Features uint8 of a window, axis after axis.
 * readings: int16, little endian, one reading's axes side by side; any values.
 * scratch: window / 2 numbers, overwritten. features: axes * bands.
 * Returns how many features were clamped. */
uint32_t sp_spectrum_u8(const sp_spectrum_t *spectrum, const uint8_t *readings,
                        sp_complex_t *scratch, uint8_t *features);

#ifdef __cplusplus
}
#endif

#endif
