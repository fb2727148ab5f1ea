/* SPDX-License-Identifier: Apache-2.0
 *
 * `infer` and `results`.
 */
#include <string.h>

#include "secondpass/kernels.h"
#include "text.h"

/* So many inferences, unless a zero byte stops them. The clock is read behind each: it may go round
 * in less time than all of them take. */
static int run(sp_text_t *text, const uint8_t *sample, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        if (text->input.stop) {
            sp_text_line(text, "e-[Stopped]");
            return 0;
        }
        sp_model_infer(text->trainer->model, sample);
        sp_text_turn(text);
    }
    return 1;
}

#if SP_MODEL_HEAD != SP_HEAD_RECONSTRUCTION

/* The outputs of the last inference, with SP_MODEL_OUTPUT_FRAC fractional bits. */
static void put_outputs(const sp_model_t *model, int16_t *outputs)
{
#if SP_MODEL_LEARNS
    memcpy(outputs, model->logits, SP_MODEL_OUTPUTS * sizeof *outputs);
#else
    static const sp_scale_t scale = SP_MODEL_OUTPUT_SCALE;

    (void)sp_quantise_i16((const uint8_t *)model->logits, SP_MODEL_OUTPUTS,
                          SP_MODEL_OUTPUT_ZERO_POINT, scale, outputs);
#endif
}

#endif

#if SP_MODEL_HEAD == SP_HEAD_SOFTMAX || SP_MODEL_HEAD == SP_HEAD_SIGMOID

/* A label that is no class leaves probabilities where errors would be. */
static void keep_results(sp_text_t *text, const uint8_t *sample)
{
    int16_t *const values = text->results.values;

    (void)sample;
    values[0] = 0; /* of two classes of a sigmoid */
    put_outputs(text->trainer->model, values + SP_TEXT_RESULTS - SP_MODEL_OUTPUTS);
    (void)sp_softmax_error(values, SP_TEXT_RESULTS, SP_MODEL_OUTPUT_FRAC, SP_TEXT_RESULTS, values);
}

#elif SP_MODEL_HEAD == SP_HEAD_RECONSTRUCTION

static void keep_results(sp_text_t *text, const uint8_t *sample)
{
    static const uint8_t itself[2] = {0, 0};
    sp_step_t step = {0, 0, 0};

    (void)sp_model_evaluate(text->trainer->model, sample, itself, &step);
    text->results.score = step.score;
}

#else

static void keep_results(sp_text_t *text, const uint8_t *sample)
{
    (void)sample;
    put_outputs(text->trainer->model, text->results.values);
}

#endif

static void put_result(sp_text_t *text, uint32_t k)
{
#if SP_MODEL_HEAD == SP_HEAD_RECONSTRUCTION
    (void)k;
    sp_text_put_score(text, text->results.score);
#elif SP_MODEL_HEAD == SP_HEAD_MSE
    const int32_t value = text->results.values[k];

    if (value < 0) {
        sp_text_put(text, "-");
    }
    sp_text_put_scaled(text, (uint32_t)(value < 0 ? -value : value),
                       (int)SP_MODEL_OUTPUT_FRAC);
#else
    sp_text_put_fixed(text, (uint32_t)text->results.values[k], 15);
#endif
}

void sp_text_results(sp_text_t *text, const sp_words_t *words)
{
    (void)words;
    if (!text->has_results) {
        sp_text_line(text, "e-[No results yet]");
        return;
    }
    sp_text_put(text, "m-results-[");
    for (uint32_t k = 0; k < SP_TEXT_RESULTS; ++k) {
        if (k != 0) {
            sp_text_put(text, ",");
        }
        put_result(text, k);
    }
    sp_text_line(text, SP_TEXT_FINAL_COMMA ? ",]" : "]");
}

static void warn_of_missing(sp_text_t *text)
{
    if (text->stored < SP_TEXT_SAMPLE_BYTES) {
        sp_text_put(text, "Input db has ");
        sp_text_put_number(text, text->stored);
        sp_text_numbered(text, " elements, expected ", SP_TEXT_SAMPLE_BYTES, "");
    }
}

void sp_text_infer(sp_text_t *text, const sp_words_t *words)
{
    const int32_t count = sp_text_count(words->word[1], 1);
    const int32_t warmup = sp_text_count(words->word[2], 10);
    const uint8_t *sample;

    if (count <= 0) {
        sp_text_line(text, "e-[Inference iterations must be >0]");
        return;
    }
    if (warmup < 0) {
        sp_text_line(text, "e-[Inference warmup must be >=0]");
        return;
    }
    warn_of_missing(text);
    sample = sp_text_sample(text);
    sp_text_numbered(text, "m-warmup-start-", (uint32_t)warmup, "");
    if (!run(text, sample, warmup)) {
        return;
    }
    sp_text_line(text, "m-warmup-done");
    sp_text_numbered(text, "m-infer-start-", (uint32_t)count, "");
    sp_text_lap(text);
    if (!run(text, sample, count)) {
        return;
    }
    sp_text_lap(text);
    sp_text_line(text, "m-infer-done");
    keep_results(text, sample);
    text->has_results = 1;
    sp_text_results(text, words);
}
