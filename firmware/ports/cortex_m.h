/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SECONDPASS_PORTS_CORTEX_M_H
#define SECONDPASS_PORTS_CORTEX_M_H

#include <stdint.h>

/* A 32-bit register at an address. */
#define SP_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* Configurable fault status; reads as zero on Armv6-M. */
#define SP_CFSR SP_REGISTER(0xE000ED28u)

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

/* Called from the fault handler with the fault status; does not return to the fault. */
void sp_on_fault(uint32_t fault_status);

#endif
