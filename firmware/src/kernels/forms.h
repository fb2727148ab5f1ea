/* SPDX-License-Identifier: Apache-2.0
 *
 * Which form of the kernels is compiled, and hints to the compiler. All forms give the same bits.
 *
 * SP_MVE: vectors of the M-profile extension (Cortex-M55).
 * SP_DSP: two or four values in a register (Cortex-M4, M7, M33).
 * neither: plain C, the definition; SP_PLAIN_C asks for it on any core.
 */
#ifndef SECONDPASS_KERNELS_FORMS_H
#define SECONDPASS_KERNELS_FORMS_H

#include <stdint.h>

#if defined(SP_PLAIN_C)
#define SP_MVE 0
#define SP_DSP 0
#elif defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define SP_MVE 1
#define SP_DSP 0
#elif defined(__ARM_FEATURE_DSP) || defined(SP_EMULATE_DSP)
#define SP_MVE 0
#define SP_DSP 1
#else
#define SP_MVE 0
#define SP_DSP 0
#endif

/* Loops get registers of their own when the frame around them is another function. */
#ifdef __GNUC__
#define SP_NOINLINE __attribute__((noinline))
#else
#define SP_NOINLINE
#endif

/* A constant that the compiler must keep in a register, where it would rather fold it away. */
static inline int32_t sp_hidden(int32_t value)
{
#ifdef __GNUC__
    __asm__("" : "+r"(value));
#endif
    return value;
}

#endif
