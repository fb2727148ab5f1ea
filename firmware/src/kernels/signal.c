/* SPDX-License-Identifier: Apache-2.0
 *
 * What is projected, and FTP's first correction, from int16 vectors (docs/projection.md,
 * docs/rules.md 7.6). 10 to 60 instructions an element, as many elements as the network has outputs
 * or its first layer units: plain C.
 */
#include "secondpass/kernels.h"
#include "secondpass/projection.h"

static int32_t sign(int32_t value)
{
    return (value > 0) - (value < 0);
}

void sp_error_signs(const int16_t *error, uint32_t outputs, int16_t *signs)
{
    for (uint32_t k = 0; k < outputs; ++k) {
        signs[k] = (int16_t)(sign(error[k]) * INT16_MAX);
    }
}

uint32_t sp_contrast_tanh(const int16_t *of_target, const int16_t *of_prediction, uint32_t length,
                          sp_scale_t scale, int16_t *difference)
{
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < length; ++i) {
        const int32_t contrast = (int32_t)sp_tanh_q15(of_target[i]) - sp_tanh_q15(of_prediction[i]);

        difference[i] = sp_scale16(contrast, scale, &saturations);
    }
    sp_pad(difference, length);
    return saturations;
}

uint32_t sp_contrast_sign(const int16_t *of_target, const int16_t *of_prediction, uint32_t length,
                          sp_scale_t scale, int16_t *difference)
{
    uint32_t saturations = 0;

    for (uint32_t i = 0; i < length; ++i) {
        const int32_t contrast = (sign(of_target[i]) - sign(of_prediction[i])) * INT16_MAX;

        difference[i] = sp_scale16(contrast, scale, &saturations);
    }
    sp_pad(difference, length);
    return saturations;
}
