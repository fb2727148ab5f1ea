/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SECONDPASS_PORTS_CORTEX_M_H
#define SECONDPASS_PORTS_CORTEX_M_H

#include <stdint.h>

#include "secondpass/fault.h"

/* A 32-bit register at an address. */
#define SP_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* Application interrupt and reset control. */
#define SP_AIRCR SP_REGISTER(0xE000ED0Cu)

/* Fault status and addresses; they read as zero on Armv6-M. */
#define SP_CFSR SP_REGISTER(0xE000ED28u)
#define SP_HFSR SP_REGISTER(0xE000ED2Cu)
#define SP_MMFAR SP_REGISTER(0xE000ED34u)
#define SP_BFAR SP_REGISTER(0xE000ED38u)
#define SP_CFSR_MMFAR_VALID (1u << 7)
#define SP_CFSR_BFAR_VALID (1u << 15)
#define SP_CFSR_STACK_OVERFLOW (1u << 20) /* Armv8-M: the stack's limit was passed */

/* Coprocessor access: full access to the floating-point and vector unit. */
#define SP_CPACR SP_REGISTER(0xE000ED88u)
#define SP_CPACR_CP10_CP11 (0xFu << 20)

/* Configuration and control; these two bits exist from Armv8.1-M on. */
#define SP_CCR SP_REGISTER(0xE000ED14u)
#define SP_CCR_BRANCH_PREDICTION (1u << 18)
#define SP_CCR_LOOPS (1u << 19) /* low-overhead loops end without a branch */

static inline void sp_enable_irq(unsigned irq)
{
    SP_REGISTER(0xE000E100u + 4u * (irq / 32u)) = 1u << (irq % 32u);
}

static inline void sp_disable_interrupts(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
}

static inline void sp_enable_interrupts(void)
{
    __asm__ volatile("cpsie i" ::: "memory");
}

/* Sleep until an interrupt is pending; also returns when interrupts are disabled. */
static inline void sp_wait_for_interrupt(void)
{
    __asm__ volatile("dsb\n wfi" ::: "memory");
}

/* High-water mark of the stack in bytes: what no longer holds the start-up pattern. */
uint32_t sp_stack_used(void);

/* Bytes reserved for the stack by the linker script. */
uint32_t sp_stack_size(void);

/* 1: the words at the stack's end still hold the start-up pattern; 0: the stack ran over them. */
int sp_stack_whole(void);

/* Called for a fault, an exception that nobody expects and the watchdog's interrupt (NMI), on a
 * stack that has room; must not return. */
void sp_on_fault(const sp_fault_t *fault);

#endif
