/* SPDX-License-Identifier: Apache-2.0
 *
 * The verbs that the benchmark does not have.
 */
#include <stddef.h>

#include "text.h"

#if SP_MODEL_LEARNS && (SP_MODEL_HEAD == SP_HEAD_SOFTMAX || SP_MODEL_HEAD == SP_HEAD_SIGMOID)
#define LABELLED 1
#else
#define LABELLED 0
#endif

void sp_text_label(sp_text_t *text, const sp_words_t *words)
{
    int32_t label = -1;

    if (!LABELLED) {
        sp_text_line(text, "e-[This model takes no label]");
    } else if (!sp_text_number(words->word[1], &label) || label < 0 ||
               (uint32_t)label >= SP_MODEL_CLASSES) {
        sp_text_numbered(text, "e-[Label must be 0 to ", SP_MODEL_CLASSES - 1u, "]");
    } else {
        text->label = (uint16_t)label;
        text->has_label = 1;
        sp_text_numbered(text, "m-label-", text->label, "");
    }
}

#if SP_MODEL_LEARNS

/* Is there all that a step needs? */
static int can_train(sp_text_t *text)
{
    if (SP_MODEL_HEAD == SP_HEAD_MSE) {
        sp_text_line(text, "e-[This model learns over the binary link only]");
        return 0;
    }
    if (text->stored < SP_TEXT_SAMPLE_BYTES) {
        sp_text_put(text, "e-[Training needs a whole sample: ");
        sp_text_put_number(text, text->stored);
        sp_text_numbered(text, " of ", SP_TEXT_SAMPLE_BYTES, " bytes]");
        return 0;
    }
    if (LABELLED && !text->has_label) {
        sp_text_line(text, "e-[Training needs a label]");
        return 0;
    }
    return 1;
}

/* Label and probability of what was predicted before the last update, or the score. */
static void put_step(sp_text_t *text, const sp_step_t *step)
{
    sp_text_put(text, "m-trained-[");
    if (LABELLED) {
        sp_text_put_number(text, step->predicted);
        sp_text_put(text, ",");
        sp_text_put_fixed(text, step->label_probability, 15);
    } else {
        sp_text_put_score(text, step->score);
    }
    sp_text_numbered(text, ",", text->trainer->model->counters.step, "]");
}

void sp_text_train(sp_text_t *text, const sp_words_t *words)
{
    const int32_t count = sp_text_count(words->word[1], 1);
    uint8_t wanted[SP_MODEL_TARGET_BYTES] = {0};
    sp_step_t step = {0, 0, 0};
    const uint8_t *sample;

    if (count <= 0) {
        sp_text_line(text, "e-[Training steps must be >0]");
        return;
    }
    if (!can_train(text)) {
        return;
    }
    sp_put16(wanted, LABELLED ? text->label : 0u);
    sample = sp_text_sample(text);
    sp_text_numbered(text, "m-train-start-", (uint32_t)count, "");
    sp_text_lap(text);
    for (int32_t i = 0; i < count; ++i) {
        if (text->input.stop) {
            sp_text_line(text, "e-[Stopped]");
            return;
        }
        (void)sp_model_train(text->trainer->model, sample, wanted, &step);
        sp_trainer_after_step(text->trainer);
        sp_text_turn(text);
    }
    sp_text_lap(text);
    sp_text_line(text, "m-train-done");
    put_step(text, &step);
}

#else

void sp_text_train(sp_text_t *text, const sp_words_t *words)
{
    (void)words;
    sp_text_line(text, "e-[This model is frozen: it infers and does not learn]");
}

#endif

static void put_failure(sp_text_t *text, const char *verb, sp_status_t status)
{
    sp_text_put(text, "e-[Command '");
    sp_text_put(text, verb);
    sp_text_numbered(text, "' failed with status ", (uint32_t)status, "]");
}

void sp_text_save(sp_text_t *text, const sp_words_t *words)
{
    sp_save_report_t report = {0, 0, 0};
    const sp_status_t status = text->trainer->platform->save != NULL
                                   ? text->trainer->platform->save(text->trainer->model, &report)
                                   : SP_ERROR_STORE;

    (void)words;
    if (status == SP_OK) {
        sp_text_numbered(text, "m-saved-", report.bytes_written, "");
    } else {
        put_failure(text, "save", status);
    }
}

void sp_text_load(sp_text_t *text, const sp_words_t *words)
{
    const sp_status_t status =
        text->trainer->platform->load != NULL ? text->trainer->platform->load(text->trainer->model) : SP_ERROR_STORE;

    (void)words;
    if (status == SP_ERROR_FLASH) {
        sp_model_reset(text->trainer->model); /* half of it may be the checkpoint's */
    }
    if (status == SP_OK) {
        sp_text_numbered(text, "m-loaded-", text->trainer->model->counters.step, "");
    } else {
        put_failure(text, "load", status);
    }
}

void sp_text_reset(sp_text_t *text, const sp_words_t *words)
{
    (void)words;
    sp_model_reset(text->trainer->model);
    sp_text_line(text, "m-reset-done");
}

/* The anomaly threshold, and the samples that were above it. */
static void put_threshold(sp_text_t *text)
{
#if SP_MODEL_HAS_THRESHOLD
    const sp_counters_t *counters = &text->trainer->model->counters;
    const uint32_t score = sp_threshold_score(&text->trainer->model->threshold);

    if (score != SP_THRESHOLD_NONE) {
        sp_text_put(text, "m-stats-threshold-");
        sp_text_put_score(text, score);
        sp_text_end(text);
    }
    sp_text_numbered(text, "m-stats-alarms-",
                     counters->trained - counters->trained_correct + counters->evaluated -
                         counters->evaluated_correct,
                     "");
#else
    (void)text; /* the head has none */
#endif
}

void sp_text_stats(sp_text_t *text, const sp_words_t *words)
{
    const sp_platform_t *platform = text->trainer->platform;
    const sp_counters_t *counters = &text->trainer->model->counters;

    (void)words;
    sp_text_numbered(text, "m-stats-step-", counters->step, "");
    sp_text_numbered(text, "m-stats-trained-", counters->trained, "");
    sp_text_numbered(text, "m-stats-trained-correct-", counters->trained_correct, "");
    sp_text_numbered(text, "m-stats-skipped-", counters->skipped, "");
    sp_text_numbered(text, "m-stats-saturations-",
                     sp_trainer_saturations(text->trainer->model), "");
    put_threshold(text);
    sp_text_numbered(text, "m-stats-model-bytes-", sizeof(sp_model_t), "");
    if (platform->stack_size != 0) {
        sp_text_numbered(text, "m-stats-stack-bytes-", platform->stack_used(), "");
    }
}
