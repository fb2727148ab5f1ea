/* SPDX-License-Identifier: Apache-2.0
 *
 * Vector table and start-up for every bare-metal Cortex-M build.
 */
#include "cortex_m.h"
#include "secondpass/port.h"

#define STACK_PATTERN 0x5AFEC0DEu
#define GUARD_WORDS 8 /* at the stack's end; they stay as they are */
#define EXTERNAL_INTERRUPTS 96

typedef void (*sp_vector_t)(void);

/* Symbols of the linker script; only their addresses mean something. */
extern uint32_t sp_link_data_load[], sp_link_data_start[], sp_link_data_end[];
extern uint32_t sp_link_bss_start[], sp_link_bss_end[];
extern uint32_t sp_link_stack_limit[], sp_link_stack_top[];

int main(void);
void Reset_Handler(void);
void sp_fault_entry(void);

__attribute__((section(".vectors"), used)) static const sp_vector_t vectors[] = {
    (sp_vector_t)(uintptr_t)sp_link_stack_top,
    Reset_Handler,
    [2 ... 14] = sp_fault_entry,
#ifdef SP_WATCHDOG_MS
    [15] = sp_port_wake,
#else
    [15] = sp_fault_entry,
#endif
    [16 ... 15 + EXTERNAL_INTERRUPTS] = sp_port_interrupt,
};

/* Let the core use the vector unit that the code is compiled for. */
static void enable_vectors(void)
{
#ifdef __ARM_FEATURE_MVE
    SP_CPACR |= SP_CPACR_CP10_CP11;
    SP_CCR |= SP_CCR_LOOPS | SP_CCR_BRANCH_PREDICTION;
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
}

/* Armv8-M: the core refuses to let the stack grow into its guard. */
static void limit_stack(void)
{
#if __ARM_ARCH >= 8
    __asm__ volatile("msr msplim, %0" ::"r"(sp_link_stack_limit + GUARD_WORDS));
#endif
}

/* Never inlined: a compiler may use the vector unit for these loops. */
__attribute__((noinline, noreturn)) static void start(void)
{
    const uint32_t *from = sp_link_data_load;
    uint32_t *const here = (uint32_t *)__builtin_frame_address(0) - 32;

    for (uint32_t *at = sp_link_stack_limit; at < here; ++at) {
        *at = STACK_PATTERN;
    }
    for (uint32_t *at = sp_link_data_start; at < sp_link_data_end; ++at) {
        *at = *from++;
    }
    for (uint32_t *at = sp_link_bss_start; at < sp_link_bss_end; ++at) {
        *at = 0;
    }
    limit_stack();
    (void)main();
    for (;;) {
        sp_wait_for_interrupt();
    }
}

void Reset_Handler(void)
{
    enable_vectors();
    start();
}

uint32_t sp_stack_size(void)
{
    return (uint32_t)((uintptr_t)sp_link_stack_top - (uintptr_t)sp_link_stack_limit);
}

uint32_t sp_stack_used(void)
{
    const uint32_t *at = sp_link_stack_limit;

    while (at < sp_link_stack_top && *at == STACK_PATTERN) {
        ++at;
    }
    return (uint32_t)((uintptr_t)sp_link_stack_top - (uintptr_t)at);
}

int sp_stack_whole(void)
{
    for (int i = 0; i < GUARD_WORDS; ++i) {
        if (sp_link_stack_limit[i] != STACK_PATTERN) {
            return 0;
        }
    }
    return 1;
}
