/* SPDX-License-Identifier: Apache-2.0
 *
 * Thumb instructions by class, and what a class costs on cores with a simple pipeline.
 */
#ifndef SECONDPASS_CYCLES_CLASSIFY_H
#define SECONDPASS_CYCLES_CLASSIFY_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    CLASS_LOAD, CLASS_STORE, CLASS_LOAD_MANY, CLASS_STORE_MANY,
    CLASS_MULTIPLY, CLASS_MULTIPLY_ADD, CLASS_LONG_MULTIPLY, CLASS_DIVIDE, CLASS_DSP, CLASS_ALU,
    CLASS_BRANCH_IF, CLASS_BRANCH, CLASS_CALL,
    CLASS_FLOAT, CLASS_FLOAT_MULTIPLY_ADD, CLASS_FLOAT_DIVIDE, CLASS_FLOAT_LOAD,
    CLASS_FLOAT_STORE, CLASS_VECTOR, CLASS_LOOP, CLASS_OTHER, CLASSES
} class_t;

typedef enum { CORE_M0PLUS, CORE_M3, CORE_M4, CORES } core_t;

extern const char *const class_names[CLASSES];
extern const char *const core_names[CORES];

typedef struct {
    class_t kind;
    unsigned registers; /* how many a multiple load or store moves */
    bool to_pc;         /* a load that jumps */
} instruction_t;

/* Is the first halfword that of a 32-bit instruction? */
bool is_wide(uint16_t first);

/* second: 0 for 16-bit instructions. text: the disassembly, or NULL; tells float operations apart. */
instruction_t classify(uint16_t first, uint16_t second, const char *text);

/* Cycles without wait states, for a branch that is not taken; previous: what ran before. */
unsigned cycles(core_t core, const instruction_t *instruction, class_t previous);

/* What a taken branch costs more. */
unsigned taken_cycles(core_t core, class_t branch);

#endif
