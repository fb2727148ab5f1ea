/* SPDX-License-Identifier: Apache-2.0
 *
 * Which form of the kernels is compiled. All give the same bits.
 *
 * SP_MVE: vectors of the M-profile extension (Cortex-M55).
 * SP_DSP: two or four values in a register (Cortex-M4, M7, M33).
 * neither: plain C, the definition; SP_PLAIN_C asks for it on any core.
 */
#ifndef SECONDPASS_KERNELS_FORMS_H
#define SECONDPASS_KERNELS_FORMS_H

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

#endif
