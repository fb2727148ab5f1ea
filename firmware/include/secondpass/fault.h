/* SPDX-License-Identifier: Apache-2.0
 *
 * Why a device restarted (docs/safety.md).
 */
#ifndef SECONDPASS_FAULT_H
#define SECONDPASS_FAULT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What noticed that the program could not go on; the values are part of the wire format. */
typedef enum {
    SP_RESET_OTHER = 0,    /* power, the reset button, a debugger: nothing was noticed */
    SP_RESET_FAULT = 1,    /* the processor took a fault */
    SP_RESET_STACK = 2,    /* the guard at the stack's end was found overwritten */
    SP_RESET_WATCHDOG = 3, /* the main loop did not feed the watchdog in time */
} sp_reset_cause_t;

#define SP_FAULT_STACK (1u << 0)     /* the stack ran over its end */
#define SP_FAULT_ADDRESS (1u << 1)   /* `address` is that of the access that was refused */
#define SP_FAULT_REGISTERS (1u << 2) /* the registers are those of the interrupted code */

/* What was recorded before the restart. Registers are 0 where the core could not save them. */
typedef struct {
    uint8_t cause;     /* sp_reset_cause_t */
    uint8_t flags;     /* SP_FAULT_... */
    uint8_t exception; /* number of the exception: 2 NMI, 3 hard fault, ...; 0: none was taken */
    uint8_t count;     /* restarts of these kinds since the report was cleared, at most 255 */
    uint32_t pc;       /* of the instruction that failed, or that was interrupted */
    uint32_t lr;       /* where the function it is in returns to, mostly */
    uint32_t xpsr;
    uint32_t sp;       /* at the exception, behind the registers that the core saved */
    uint32_t cfsr;     /* configurable fault status; 0 on Armv6-M */
    uint32_t hfsr;     /* hard fault status; 0 on Armv6-M */
    uint32_t address;
} sp_fault_t;

#ifdef __cplusplus
}
#endif

#endif
