# SPDX-License-Identifier: Apache-2.0
"""The trainer of the firmware as the host twin's binding declares it."""

DECLARATIONS = """
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
