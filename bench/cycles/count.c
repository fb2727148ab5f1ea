/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin of QEMU (-plugin count.so,out=FILE,skip=N): executed instructions by function and class
 * and estimated cycles, between the no-ops `mov r10, r10` and `mov r11, r11` of the bench. The
 * first N regions are left out.
 *
 * FILE, tab-separated: "regions" N; "taken" N; for every function "function" name, then its counts
 * in the order of the lines "classes" and "cores".
 */
#include "qemu_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classify.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = 1;

#define MARK_START 0x46D2u
#define MARK_STOP 0x46DBu
#define MOST_FUNCTIONS 2048

typedef struct {
    uint64_t classes[CLASSES];
    uint64_t cycles[CORES];
    uint64_t taken;
} counters_t;

typedef struct {
    char *name;
    counters_t running, at_start, regions;
} function_t;

/* A translated block: what follows it, and the branch at its end. */
typedef struct {
    uint64_t start, behind;
    class_t last;
    function_t *function;
} block_t;

static function_t *functions[MOST_FUNCTIONS];
static int function_count;
static const block_t *previous_block;
static uint64_t regions, to_skip;
static FILE *out;

static function_t *function_named(const char *name)
{
    function_t *function;

    name = name != NULL ? name : "?";
    for (int i = 0; i < function_count; ++i) {
        if (strcmp(functions[i]->name, name) == 0) {
            return functions[i];
        }
    }
    if (function_count == MOST_FUNCTIONS) {
        return functions[MOST_FUNCTIONS - 1];
    }
    function = calloc(1, sizeof *function);
    function->name = strdup(name);
    functions[function_count++] = function;
    return function;
}

static void region_starts(unsigned cpu, void *data)
{
    (void)cpu, (void)data;
    for (int i = 0; i < function_count; ++i) {
        functions[i]->at_start = functions[i]->running;
    }
}

static void region_stops(unsigned cpu, void *data)
{
    (void)cpu, (void)data;
    if (to_skip != 0) {
        --to_skip;
        return;
    }
    ++regions;
    for (int i = 0; i < function_count; ++i) {
        uint64_t *sum = (uint64_t *)&functions[i]->regions;
        const uint64_t *now = (const uint64_t *)&functions[i]->running;
        const uint64_t *then = (const uint64_t *)&functions[i]->at_start;

        for (size_t k = 0; k < sizeof(counters_t) / sizeof *sum; ++k) {
            sum[k] += now[k] - then[k];
        }
    }
}

static bool is_branch(class_t kind)
{
    return kind == CLASS_BRANCH_IF || kind == CLASS_BRANCH || kind == CLASS_CALL ||
           kind == CLASS_LOOP;
}

/* A block that does not begin where the last one ended was jumped to. */
static void block_runs(unsigned cpu, void *data)
{
    const block_t *block = data;

    (void)cpu;
    if (previous_block != NULL && is_branch(previous_block->last) &&
        block->start != previous_block->behind) {
        counters_t *counters = &previous_block->function->running;

        ++counters->taken;
        for (int core = 0; core < CORES; ++core) {
            counters->cycles[core] += taken_cycles((core_t)core, previous_block->last);
        }
    }
    previous_block = block;
}

static void add_when_run(struct qemu_plugin_insn *instruction, uint64_t *counter, uint64_t amount)
{
    qemu_plugin_register_vcpu_insn_exec_inline(instruction, QEMU_PLUGIN_INLINE_ADD_U64, counter,
                                               amount);
}

/* Count an instruction wherever it runs; the marks themselves are not counted. */
static void translated_instruction(struct qemu_plugin_insn *instruction, block_t *block)
{
    const uint16_t *code = qemu_plugin_insn_data(instruction);
    /* QEMU 7.2 tells a wrong size at the end of a page: the first halfword tells the right one. */
    const bool wide = is_wide(code[0]);
    char *text = qemu_plugin_insn_disas(instruction);
    const instruction_t found = classify(code[0], wide ? code[1] : 0, text);
    function_t *function = function_named(qemu_plugin_insn_symbol(instruction));

    free(text);
    if (code[0] == MARK_START || code[0] == MARK_STOP) {
        qemu_plugin_register_vcpu_insn_exec_cb(
            instruction, code[0] == MARK_START ? region_starts : region_stops,
            QEMU_PLUGIN_CB_NO_REGS, NULL);
    } else {
        add_when_run(instruction, &function->running.classes[found.kind], 1);
        for (int core = 0; core < CORES; ++core) {
            add_when_run(instruction, &function->running.cycles[core],
                         cycles((core_t)core, &found, block->last));
        }
    }
    block->last = found.kind;
    block->function = function;
    block->behind = qemu_plugin_insn_vaddr(instruction) + (wide ? 4 : 2);
}

static void block_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *translated)
{
    const size_t count = qemu_plugin_tb_n_insns(translated);
    block_t *block = calloc(1, sizeof *block);

    (void)id;
    block->start = qemu_plugin_tb_vaddr(translated);
    block->last = CLASS_OTHER;
    qemu_plugin_register_vcpu_tb_exec_cb(translated, block_runs, QEMU_PLUGIN_CB_NO_REGS, block);
    for (size_t i = 0; i < count; ++i) {
        translated_instruction(qemu_plugin_tb_get_insn(translated, i), block);
    }
}

static void print_names(const char *title, const char *const *names, int count)
{
    fprintf(out, "%s", title);
    for (int i = 0; i < count; ++i) {
        fprintf(out, "\t%s", names[i]);
    }
    fprintf(out, "\n");
}

static void print_function(const function_t *function)
{
    fprintf(out, "function\t%s", function->name);
    for (int i = 0; i < CLASSES; ++i) {
        fprintf(out, "\t%llu", (unsigned long long)function->regions.classes[i]);
    }
    for (int i = 0; i < CORES; ++i) {
        fprintf(out, "\t%llu", (unsigned long long)function->regions.cycles[i]);
    }
    fprintf(out, "\n");
}

static void finish(qemu_plugin_id_t id, void *data)
{
    uint64_t taken = 0;

    (void)id, (void)data;
    for (int i = 0; i < function_count; ++i) {
        taken += functions[i]->regions.taken;
    }
    print_names("classes", class_names, CLASSES);
    print_names("cores", core_names, CORES);
    fprintf(out, "regions\t%llu\ntaken\t%llu\n", (unsigned long long)regions,
            (unsigned long long)taken);
    for (int i = 0; i < function_count; ++i) {
        print_function(functions[i]);
    }
    fclose(out);
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int count,
                                           char **options)
{
    (void)info;
    for (int i = 0; i < count; ++i) {
        if (strncmp(options[i], "out=", 4) == 0) {
            out = fopen(options[i] + 4, "w");
        } else if (strncmp(options[i], "skip=", 5) == 0) {
            to_skip = strtoull(options[i] + 5, NULL, 10);
        }
    }
    if (out == NULL) {
        fprintf(stderr, "count plugin: out=FILE is missing or cannot be written\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
    qemu_plugin_register_atexit_cb(id, finish, NULL);
    return 0;
}
