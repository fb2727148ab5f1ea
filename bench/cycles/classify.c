/* SPDX-License-Identifier: Apache-2.0
 *
 * Encodings: Armv7-M and Armv8-M architecture reference manuals. Timings: the technical reference
 * manuals of Cortex-M0+, M3 and M4. Flash wait states, the bus, alignment and interlocks of
 * operands are not modelled, and nothing was compared with silicon: estimates.
 */
#include "classify.h"

#include <string.h>

const char *const class_names[CLASSES] = {
    "load", "store", "load many", "store many",
    "multiply", "multiply-add", "long multiply", "divide", "dsp", "alu",
    "branch if", "branch", "call",
    "float", "float multiply-add", "float divide", "float load",
    "float store", "vector", "loop", "other",
};

const char *const core_names[CORES] = {"M0+", "M3", "M4"};

#define REFILL 2u       /* of the pipeline on M3 and M4: 1 to 3, 2 is typical */
#define LONG_ON_M3 4u   /* SMULL and SMLAL take 3 to 7 */
#define DIVISION 7u     /* 2 to 12 */
#define FLOAT_DIVISION 14u

bool is_wide(uint16_t first)
{
    return first >> 11 >= 0x1D;
}

static unsigned ones(unsigned value)
{
    return (unsigned)__builtin_popcount(value);
}

static instruction_t of_class(class_t kind)
{
    return (instruction_t){.kind = kind};
}

static instruction_t many(class_t kind, unsigned registers, bool to_pc)
{
    return (instruction_t){.kind = kind, .registers = registers, .to_pc = to_pc};
}

static instruction_t narrow_memory(uint16_t code)
{
    if (code >> 12 == 5) {
        return of_class(((code >> 9) & 7) < 3 ? CLASS_STORE : CLASS_LOAD);
    }
    return of_class((code & 0x0800) != 0 ? CLASS_LOAD : CLASS_STORE);
}

static instruction_t narrow(uint16_t code)
{
    if ((code & 0xF800) == 0x4800) {
        return of_class(CLASS_LOAD); /* of a literal */
    }
    if (code >> 12 >= 5 && code >> 12 <= 9) {
        return narrow_memory(code);
    }
    if ((code & 0xFE00) == 0xB400) {
        return many(CLASS_STORE_MANY, ones(code & 0x1FF), false);
    }
    if ((code & 0xFE00) == 0xBC00) {
        return many(CLASS_LOAD_MANY, ones(code & 0x1FF), (code & 0x100) != 0);
    }
    if ((code & 0xF000) == 0xC000) {
        return many((code & 0x0800) != 0 ? CLASS_LOAD_MANY : CLASS_STORE_MANY, ones(code & 0xFF),
                    false);
    }
    if ((code & 0xFFC0) == 0x4340) {
        return of_class(CLASS_MULTIPLY);
    }
    if (((code & 0xF000) == 0xD000 && ((code >> 8) & 15) < 14) || (code & 0xF500) == 0xB100) {
        return of_class(CLASS_BRANCH_IF); /* B<c>, CBZ, CBNZ */
    }
    if ((code & 0xFF80) == 0x4780) {
        return of_class(CLASS_CALL);
    }
    if ((code & 0xF800) == 0xE000 || (code & 0xFF80) == 0x4700 || (code & 0xFF87) == 0x4687) {
        return of_class(CLASS_BRANCH); /* B, BX, MOV PC */
    }
    return of_class(CLASS_ALU);
}

static instruction_t wide_branch(uint16_t first, uint16_t second)
{
    if ((first & 0xFF80) == 0xF000 && (second & 0xF001) == 0xC001) {
        return of_class(CLASS_LOOP); /* DLS, WLS, LE */
    }
    switch (second & 0xD000) {
    case 0xD000:
        return of_class(CLASS_CALL);
    case 0x9000:
        return of_class(CLASS_BRANCH);
    case 0x8000:
        return of_class(((first >> 6) & 15) < 14 ? CLASS_BRANCH_IF : CLASS_OTHER);
    default:
        return of_class((first & 0xFF00) == 0xF000 && (second & 0xF000) == 0xC000 ? CLASS_LOOP
                                                                                   : CLASS_OTHER);
    }
}

static bool starts_with_one_of(const char *text, const char *const *names)
{
    for (; *names != NULL; ++names) {
        if (strncmp(text, *names, strlen(*names)) == 0) {
            return true;
        }
    }
    return false;
}

static class_t float_operation(const char *text)
{
    static const char *const with_sum[] = {"vmla", "vmls", "vfma", "vfms", "vnml", "vfnm", NULL};
    static const char *const divisions[] = {"vdiv", "vsqrt", NULL};

    if (text == NULL || text[0] != 'v') {
        return CLASS_VECTOR;
    }
    if (starts_with_one_of(text, with_sum)) {
        return CLASS_FLOAT_MULTIPLY_ADD;
    }
    return starts_with_one_of(text, divisions) ? CLASS_FLOAT_DIVIDE : CLASS_FLOAT;
}

/* Coprocessor space: float and vector instructions. */
static instruction_t coprocessor(uint16_t first, uint16_t second, const char *text)
{
    const unsigned unit = (second >> 8) & 15;

    if ((first & 0xFE00) == 0xEC00 && (unit == 10 || unit == 11)) {
        const bool one = (first & 0x100) != 0 && (first & 0x20) == 0;
        const unsigned words = one ? unit - 9 : (unsigned)(second & 0xFF);

        if ((first & 0xFFE0) == 0xEC40) {
            return of_class(CLASS_FLOAT); /* moves of two registers */
        }
        return many((first & 0x10) != 0 ? CLASS_FLOAT_LOAD : CLASS_FLOAT_STORE, words, false);
    }
    if ((first & 0xFF00) == 0xEE00 && unit >= 9 && unit <= 11) {
        return of_class((second & 0x10) != 0 ? CLASS_FLOAT : float_operation(text));
    }
    if ((first & 0xFE00) == 0xFE00 && (unit == 10 || unit == 11)) {
        return of_class(CLASS_FLOAT);
    }
    return of_class(CLASS_VECTOR);
}

static instruction_t wide_memory(uint16_t first, uint16_t second)
{
    const bool is_load = (first & 0x10) != 0;

    if ((first & 0xFE40) == 0xE800) {
        return many(is_load ? CLASS_LOAD_MANY : CLASS_STORE_MANY, ones(second),
                    is_load && (second & 0x8000) != 0);
    }
    if ((first & 0xFE40) == 0xE840) {
        if ((first & 0xFFF0) == 0xE8D0 && (second & 0xFFE0) == 0xF000) {
            return of_class(CLASS_BRANCH); /* TBB, TBH */
        }
        if ((first & 0x0120) == 0) {
            return of_class(is_load ? CLASS_LOAD : CLASS_STORE); /* exclusive */
        }
        return many(is_load ? CLASS_LOAD_MANY : CLASS_STORE_MANY, 2, false); /* LDRD, STRD */
    }
    if (is_load && second >> 12 == 15 && (first & 0xFF70) == 0xF850) {
        return of_class(CLASS_BRANCH); /* LDR PC */
    }
    return of_class(is_load ? CLASS_LOAD : CLASS_STORE);
}

static class_t multiplication(uint16_t first, uint16_t second)
{
    const unsigned operation = (first >> 4) & 7;

    if ((first & 0xFF80) == 0xFB80) {
        return operation == 1 || operation == 3 ? CLASS_DIVIDE : CLASS_LONG_MULTIPLY;
    }
    if (operation != 0) {
        return CLASS_DSP;
    }
    return second >> 12 == 15 ? CLASS_MULTIPLY : CLASS_MULTIPLY_ADD;
}

static instruction_t wide(uint16_t first, uint16_t second, const char *text)
{
    if ((first & 0xF800) == 0xF000 && (second & 0x8000) != 0) {
        return wide_branch(first, second);
    }
    if ((first & 0xEC00) == 0xEC00) {
        return coprocessor(first, second, text);
    }
    if ((first & 0xFE00) == 0xE800 || (first & 0xFE00) == 0xF800) {
        return wide_memory(first, second);
    }
    if ((first & 0xFF00) == 0xFB00) {
        return of_class(multiplication(first, second));
    }
    if ((first & 0xFF80) == 0xFA80 && (second & 0xF0C0) == 0xF000) {
        return of_class(CLASS_DSP); /* parallel additions and subtractions */
    }
    return of_class(CLASS_ALU);
}

instruction_t classify(uint16_t first, uint16_t second, const char *text)
{
    return is_wide(first) ? wide(first, second, text) : narrow(first);
}

static unsigned cycles_m0plus(const instruction_t *instruction)
{
    switch (instruction->kind) {
    case CLASS_LOAD:
    case CLASS_STORE:
    case CLASS_BRANCH:
        return 2;
    case CLASS_LOAD_MANY:
        return (instruction->to_pc ? 3 : 1) + instruction->registers;
    case CLASS_STORE_MANY:
        return 1 + instruction->registers;
    case CLASS_CALL:
        return 3;
    default:
        return 1;
    }
}

unsigned cycles(core_t core, const instruction_t *instruction, class_t previous)
{
    if (core == CORE_M0PLUS) {
        return cycles_m0plus(instruction);
    }
    switch (instruction->kind) {
    case CLASS_LOAD: /* loads and stores one behind the other overlap */
        return previous == CLASS_LOAD || previous == CLASS_STORE ? 1 : 2;
    case CLASS_LOAD_MANY:
        return (instruction->to_pc ? 4 : 1) + instruction->registers;
    case CLASS_STORE_MANY:
    case CLASS_FLOAT_LOAD:
    case CLASS_FLOAT_STORE:
        return 1 + instruction->registers;
    case CLASS_MULTIPLY_ADD:
        return core == CORE_M3 ? 2 : 1;
    case CLASS_LONG_MULTIPLY:
        return core == CORE_M3 ? LONG_ON_M3 : 1;
    case CLASS_DIVIDE:
        return DIVISION;
    case CLASS_FLOAT_MULTIPLY_ADD:
        return 3;
    case CLASS_FLOAT_DIVIDE:
        return FLOAT_DIVISION;
    default:
        return 1;
    }
}

unsigned taken_cycles(core_t core, class_t branch)
{
    if (core == CORE_M0PLUS) {
        return branch == CLASS_BRANCH_IF ? 1 : 0; /* the others are always taken */
    }
    return branch == CLASS_LOOP ? 0 : REFILL;
}
