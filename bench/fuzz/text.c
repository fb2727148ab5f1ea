/* SPDX-License-Identifier: Apache-2.0
 *
 * The trainer's two protocols on this computer, for fuzzing. Every input is fed byte by byte to
 * link and text as the firmware does, with what must hold however they are fed:
 *   - every '%' that ended a command is answered by exactly one line "m-ready", and nothing else is
 *   - no other line holds "m-ready", every byte is ASCII, every line ends with CR LF
 *   - what was stored never exceeds what was announced, nor that the buffer
 *
 * The first byte of an input says when the device answers: behind every byte, every command, or
 * only at the end. With SP_FUZZ_MAIN it is a program: files in, or with "-" what stdin asks is
 * answered on stdout.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "secondpass/ascii.h"

#define REQUIRE(condition)                                                              \
    do {                                                                                \
        if (!(condition)) {                                                             \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);             \
            abort();                                                                    \
        }                                                                               \
    } while (0)

enum { EACH_BYTE = 0, EACH_STRETCH = 1, AT_END = 2 };

#define MOST_TICKS 16u /* readings of the clock in one command before a zero byte stops it */

static sp_model_t model;
static sp_trainer_t trainer;
static sp_text_t text;
static uint32_t readings;  /* of the clock in the command that runs */
static uint32_t ended;     /* commands that sp_text_receive said had ended */
static uint32_t ready;     /* lines "m-ready" */
static char line[256];
static uint32_t line_length;
static FILE *echo;

static uint32_t stack_used(void)
{
    return 123;
}

static void receive(uint8_t byte)
{
    int commands;

    sp_trainer_receive(&trainer, byte);
    commands = sp_text_receive(&text, byte);
    if (commands != 0) {
        sp_link_cancel(&trainer.receiver);
        ended += (uint32_t)commands;
    }
}

static uint32_t ticks(void)
{
    static uint32_t now;

    if (++readings == MOST_TICKS && echo == NULL) {
        receive(0); /* as a host does that has waited long enough */
    }
    return now += 0x01234567u; /* wraps soon */
}

static void end_line(void)
{
    line[line_length] = '\0';
    if (strstr(line, "m-ready") != NULL) {
        REQUIRE(strcmp(line, "m-ready\r\n") == 0);
        ++ready;
    }
    REQUIRE(line_length >= 2 && line[line_length - 2] == '\r');
    line_length = 0;
}

static void write_text(const uint8_t *data, uint32_t length)
{
    REQUIRE(length != 0);
    if (echo != NULL) {
        fwrite(data, 1, length, echo);
    }
    for (uint32_t i = 0; i < length; ++i) {
        REQUIRE((data[i] >= 0x20 && data[i] < 0x7F) || data[i] == '\r' || data[i] == '\n');
        if (line_length < sizeof line - 1u) {
            line[line_length++] = (char)data[i];
        }
        if (data[i] == '\n') {
            end_line();
        }
    }
}

static sp_status_t save(sp_model_t *saved, sp_save_report_t *report)
{
    (void)saved;
    report->bytes_written = 42;
    return SP_OK;
}

static sp_status_t load(sp_model_t *loaded)
{
    return loaded->counters.step % 2u != 0 ? SP_ERROR_FLASH : SP_OK;
}

static void answer_frames(void)
{
    while (sp_trainer_pending(&trainer)) {
        const sp_answer_t answer = sp_trainer_answer(&trainer);

        REQUIRE(answer.length == 0 || answer.data[answer.length - 1u] == 0);
        if (echo != NULL && answer.length != 0) {
            fwrite(answer.data, 1, answer.length, echo);
        }
    }
}

static void answer_commands(void)
{
    while (sp_text_pending(&text)) {
        const uint32_t before = ready;

        readings = 0;
        sp_text_answer(&text);
        REQUIRE(ready == before + 1u && line_length == 0);
    }
}

static void start(void)
{
    static const sp_platform_t platform = {.ticks = ticks, .ticks_hz = 25000000, .stack_used = stack_used,
                                           .stack_size = 1024, .board = "host", .core = "host",
                                           .save = save, .load = load};

    sp_trainer_init(&trainer, &model, &platform);
    sp_text_init(&text, &trainer, write_text, NULL);
    ended = 0;
    ready = 0;
    line_length = 0;
    readings = 0;
    sp_text_start(&text);
    REQUIRE(ready == 1);
    ready = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int when = size != 0 ? data[0] % 3 : AT_END;

    start();
    for (size_t i = 1; i < size; ++i) {
        receive(data[i]);
        if (when == EACH_BYTE || (when == EACH_STRETCH && (data[i] == 0 || data[i] == '%'))) {
            answer_frames();
            answer_commands();
        }
    }
    answer_frames();
    answer_commands();
    REQUIRE(ready == ended);
    REQUIRE(text.stored <= text.expected && text.expected <= SP_TEXT_SAMPLE_BYTES);
    return 0;
}

#ifdef SP_FUZZ_MAIN

static int converse(void)
{
    int byte;

    echo = stdout;
    start();
    while ((byte = getchar()) != EOF) {
        receive((uint8_t)byte);
        answer_frames();
        answer_commands();
    }
    return 0;
}

static void replay(const char *path)
{
    static uint8_t data[1u << 16];
    FILE *file = fopen(path, "rb");
    uint8_t *exact;
    size_t size;

    REQUIRE(file != NULL);
    size = fread(data, 1, sizeof data, file);
    fclose(file);
    exact = malloc(size + 1u); /* a block of its own: the sanitizer sees a read behind it */
    REQUIRE(exact != NULL);
    memcpy(exact, data, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], "-") == 0) {
        return converse();
    }
    for (int i = 1; i < count; ++i) {
        replay(arguments[i]);
    }
    printf("%d inputs\n", count - 1);
    return 0;
}

#endif
