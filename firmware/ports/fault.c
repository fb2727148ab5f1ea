/* SPDX-License-Identifier: Apache-2.0
 *
 * The way from an exception that cannot be returned from to sp_on_fault.
 */
#include "cortex_m.h"

#define EXCEPTION_FRAME 32u /* bytes: r0 to r3, r12, lr, pc, xpsr */
#define GUARD_BYTES 32u     /* of startup.c */
#define FRAME_LR 5
#define FRAME_PC 6
#define FRAME_XPSR 7

/* Symbols of the linker script; only their addresses mean something. */
extern uint32_t sp_link_data_start[], sp_link_stack_limit[], sp_link_stack_top[];

void sp_fault_entry(void);
void sp_fault_taken(const uint32_t *frame);

/* Hands over the stack pointer as the exception found it. A stack that has run over its end must
 * not be used any further: then the handler starts at the top, far from the frame. */
__attribute__((naked)) void sp_fault_entry(void)
{
    __asm__ volatile(".syntax unified\n"
#if __ARM_ARCH >= 8
                     " movs r2, #0\n"
                     " msr msplim, r2\n"
#endif
                     " mov r0, sp\n"
                     " ldr r2, =sp_link_stack_limit + 256\n"
                     " cmp r0, r2\n"
                     " bhs 1f\n"
                     " ldr r2, =sp_link_stack_top\n"
                     " mov sp, r2\n"
                     "1: bl sp_fault_taken\n"
                     " .ltorg\n");
}

/* Did the core save the registers? The check also keeps the handler from reading outside the RAM.
 * On Armv8-M a frame that would cross the limit is not written, and the pointer is the limit. */
static int has_registers(uintptr_t frame)
{
    const uintptr_t lowest = (uintptr_t)sp_link_data_start;

#if __ARM_ARCH >= 8
    if ((SP_CFSR & SP_CFSR_STACK_OVERFLOW) != 0 &&
        frame <= (uintptr_t)sp_link_stack_limit + GUARD_BYTES) {
        return 0;
    }
#endif
    return frame % 4u == 0 && frame >= lowest &&
           frame <= (uintptr_t)sp_link_stack_top - EXCEPTION_FRAME;
}

static uint8_t exception_number(void)
{
    uint32_t number;

    __asm__ volatile("mrs %0, ipsr" : "=r"(number));
    return (uint8_t)(number & 0xFFu);
}

static int stack_overflowed(uintptr_t frame)
{
    return !sp_stack_whole() || frame < (uintptr_t)sp_link_stack_limit ||
           (SP_CFSR & SP_CFSR_STACK_OVERFLOW) != 0;
}

static void read_address(sp_fault_t *fault)
{
    if ((fault->cfsr & SP_CFSR_BFAR_VALID) != 0) {
        fault->address = SP_BFAR;
        fault->flags |= SP_FAULT_ADDRESS;
    } else if ((fault->cfsr & SP_CFSR_MMFAR_VALID) != 0) {
        fault->address = SP_MMFAR;
        fault->flags |= SP_FAULT_ADDRESS;
    }
}

void sp_fault_taken(const uint32_t *frame)
{
    sp_fault_t fault = {.cause = SP_RESET_FAULT,
                        .exception = exception_number(),
                        .sp = (uint32_t)(uintptr_t)frame,
                        .cfsr = SP_CFSR,
                        .hfsr = SP_HFSR};

    read_address(&fault);
    if (stack_overflowed((uintptr_t)frame)) {
        fault.flags |= SP_FAULT_STACK;
    }
    if (has_registers((uintptr_t)frame)) {
        fault.lr = frame[FRAME_LR];
        fault.pc = frame[FRAME_PC];
        fault.xpsr = frame[FRAME_XPSR];
        fault.flags |= SP_FAULT_REGISTERS;
    }
    sp_on_fault(&fault);
    for (;;) {
    }
}
