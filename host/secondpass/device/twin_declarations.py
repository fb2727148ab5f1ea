# SPDX-License-Identifier: Apache-2.0
"""What twins declare, as cffi reads it."""

COUNTERS = """
typedef struct {
    uint32_t step, trained, trained_correct, evaluated, evaluated_correct, input_saturations;
    uint32_t skipped;
    ...;
} sp_counters_t;
typedef struct {
    uint32_t activation_saturations, error_saturations, weight_saturations, active_rows;
    ...;
} sp_layer_counters_t;
"""
"""What a network counts."""

SETTINGS = """
typedef struct { int16_t multiplier; uint8_t shift; ...; } sp_scale_t;
typedef struct {
    uint32_t projection_seed, dither_seed, decay_steps; uint16_t decay_factor, gate; ...;
} sp_settings_t;
typedef struct { sp_scale_t scale; int16_t clip; uint16_t row_gate; ...; } sp_rate_t;
"""
"""What a step is set by."""

_SAMPLES = """
typedef enum { SP_OK, ... } sp_status_t;
typedef struct { uint16_t predicted, label_probability; uint32_t score; ...; } sp_step_t;
typedef struct {
    const void *data; void *writable; uint32_t rows, columns, stride, element_size; ...;
} sp_tensor_t;
"""

_INFERENCE = """
void sp_model_reset(sp_model_t *m);
void sp_model_infer(sp_model_t *m, const uint8_t *sample);
uint16_t sp_model_predicted(const sp_model_t *m);
sp_status_t sp_model_evaluate(
    sp_model_t *m, const uint8_t *sample, const uint8_t *wanted, sp_step_t *step);
sp_status_t sp_model_tensor(sp_model_t *m, uint8_t layer, uint8_t kind, sp_tensor_t *tensor);
void evaluate_all(sp_model_t *m, const uint8_t *samples, const uint8_t *targets, uint32_t count,
                  uint16_t *predicted, uint32_t *scores);
"""

_LEARNER = """
typedef struct {
    sp_counters_t counters;
    sp_layer_counters_t layer_counters[...];
    sp_settings_t settings;
    sp_rate_t rates[...];
    int16_t logits[...];
    ...;
} sp_model_t;
void sp_model_changed(sp_model_t *m, uint32_t layer, uint32_t row, uint32_t rows);
sp_status_t sp_model_train(
    sp_model_t *m, const uint8_t *sample, const uint8_t *wanted, sp_step_t *step);
void set_projection(sp_model_t *m, uint32_t index, int16_t multiplier, uint8_t shift);
void train_all(sp_model_t *m, const uint8_t *samples, const uint8_t *targets, uint32_t count,
               uint16_t *predicted);
typedef struct { uint32_t count; uint16_t quantile, calibrating; ...; } sp_threshold_t;
void sp_threshold_restart(sp_threshold_t *threshold);
uint32_t sp_threshold_score(const sp_threshold_t *threshold);
sp_threshold_t *threshold_of(sp_model_t *m);
"""

_INFERENCE_ONLY = """
typedef struct {
    sp_counters_t counters;
    sp_layer_counters_t layer_counters[...];
    int16_t logits[...];
    ...;
} sp_model_t;
typedef struct { uint32_t bytes_written, pages_erased; uint8_t skipped; ...; } sp_save_report_t;
"""

LEARNING = COUNTERS + SETTINGS + _SAMPLES + _LEARNER + _INFERENCE
"""The model of a network that learns."""

FROZEN = COUNTERS + _SAMPLES + _INFERENCE_ONLY + _INFERENCE
"""The model of a network that only infers: that of a learning one, less what learns."""

TRAINER = """
typedef struct {
    uint8_t cause, flags, exception, count;
    uint32_t pc, lr, xpsr, sp, cfsr, hfsr, address;
    ...;
} sp_fault_t;
typedef struct {
    uint32_t (*ticks)(void);
    uint32_t ticks_hz;
    uint8_t counts_cycles;
    uint32_t (*stack_used)(void);
    uint32_t stack_size;
    const char *board;
    const char *core;
    sp_status_t (*save)(sp_model_t *model, sp_save_report_t *report);
    sp_status_t (*load)(sp_model_t *model);
    int (*stack_whole)(void);
    const sp_fault_t *(*fault)(void);
    void (*clear_fault)(void);
    uint8_t reset_cause;
    ...;
} sp_platform_t;
typedef struct { ...; } sp_trainer_t;
typedef struct { const uint8_t *data; uint32_t length; ...; } sp_answer_t;
void sp_trainer_init(sp_trainer_t *trainer, sp_model_t *model, const sp_platform_t *platform);
void sp_trainer_receive(sp_trainer_t *trainer, uint8_t byte);
int sp_trainer_pending(sp_trainer_t *trainer);
sp_answer_t sp_trainer_answer(sp_trainer_t *trainer);
sp_answer_t sp_trainer_crashed(sp_trainer_t *trainer, const sp_fault_t *fault);
"""
"""The trainer."""
