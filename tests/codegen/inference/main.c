/* SPDX-License-Identifier: Apache-2.0
 *
 * The smallest application around an inference-only model: samples.bin of the host's computer
 * becomes answers.bin, for every sample the output and the label, int16 each.
 */
#include <string.h>

#include "cortex_m.h"
#include "model.h"
#include "semihosting.h"

static sp_model_t model;
static SP_ALIGN4 uint8_t sample[SP_MODEL_SAMPLE_BYTES];

void sp_on_fault(const sp_fault_t *fault)
{
    (void)fault;
    sp_host_exit(2);
}

int main(void)
{
    const uint32_t samples = sp_host_open("samples.bin", 11, SP_HOST_READ_BINARY);
    const uint32_t answers = sp_host_open("answers.bin", 11, SP_HOST_WRITE_BINARY);

    memset(&model, 0xA5, sizeof model); /* nothing has to be set up */
    while (sp_host_read(samples, sample, sizeof sample) == 0) {
        uint16_t predicted;

        sp_model_infer(&model, sample);
        predicted = sp_model_predicted(&model);
        if (sp_host_write(answers, model.logits, 2u * SP_MODEL_OUTPUTS) != 0 ||
            sp_host_write(answers, &predicted, sizeof predicted) != 0) {
            sp_host_exit(3);
        }
    }
    sp_host_exit(0);
}
