/* SPDX-License-Identifier: Apache-2.0
 *
 * Subject: a generated model. A record is a target and a sample, as in a train request.
 */
#include "model.h"
#include "secondpass/link.h"
#include "subject.h"

static sp_model_t model;
static SP_ALIGN4 uint8_t record[SP_MODEL_TARGET_BYTES + SP_MODEL_SAMPLE_BYTES];

uint8_t *const sp_subject_record = record;
const uint32_t sp_subject_record_bytes = sizeof record;

void sp_subject_start(void)
{
    sp_model_reset(&model);
}

void *sp_subject_state(uint32_t *bytes)
{
    *bytes = sizeof model;
    return &model;
}

void sp_subject_infer(void)
{
    sp_model_infer(&model, record + SP_MODEL_TARGET_BYTES);
}

void sp_subject_train(void)
{
    sp_step_t step;

    (void)sp_model_train(&model, record + SP_MODEL_TARGET_BYTES, record, &step);
}

/* Weights, biases and what was counted: the same on the host twin when it did the same. */
uint32_t sp_subject_check(void)
{
    uint32_t check = model.counters.step + model.counters.trained_correct + model.counters.skipped;
    sp_tensor_t tensor;

    for (uint8_t layer = 0; layer < SP_MODEL_LAYERS; ++layer) {
        for (uint8_t kind = 0; kind < 2; ++kind) {
            (void)sp_model_tensor(&model, layer, kind, &tensor);
            check = check * 31u + sp_link_crc32(tensor.data, tensor.rows * tensor.stride *
                                                                 tensor.element_size);
        }
    }
    return check;
}
