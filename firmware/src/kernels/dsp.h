/* SPDX-License-Identifier: Apache-2.0
 *
 * The instructions of the Arm DSP extension that the kernels use, each as one inline function.
 * With SP_EMULATE_DSP they are plain C, so that a host can test the DSP form of a kernel.
 */
#ifndef SECONDPASS_KERNELS_DSP_H
#define SECONDPASS_KERNELS_DSP_H

#include <stdint.h>
#include <string.h>

#if defined(__ARM_FEATURE_DSP) && !defined(SP_PLAIN_C)
#include <arm_acle.h>
#define SP_DSP 1
#elif defined(SP_EMULATE_DSP)
#define SP_DSP 1
#else
#define SP_DSP 0
#endif

#if SP_DSP

/* Two int16 in one register, the first in the low half. */
static inline uint32_t sp_load2(const int16_t *pair)
{
    uint32_t word;

    memcpy(&word, pair, sizeof word);
    return word;
}

static inline void sp_store2(int16_t *pair, uint32_t word)
{
    memcpy(pair, &word, sizeof word);
}

/* PKHTB: the upper halves of two registers, `upper`'s on top. */
static inline uint32_t sp_pack_upper(int32_t upper, int32_t lower)
{
    return ((uint32_t)upper & 0xFFFF0000u) | ((uint32_t)lower >> 16);
}

#if defined(SP_EMULATE_DSP)

static inline int32_t sp_low(uint32_t word)
{
    const int32_t value = (int32_t)(word & 0xFFFFu);

    return value >= 0x8000 ? value - 0x10000 : value;
}

static inline int32_t sp_high(uint32_t word)
{
    return sp_low(word >> 16);
}

static inline uint32_t sp_pair(int32_t low, int32_t high)
{
    return ((uint32_t)low & 0xFFFFu) | ((uint32_t)high << 16);
}

static inline int32_t sp_clamp16(int32_t value)
{
    return value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value;
}

static inline int64_t sp_smlald(uint32_t a, uint32_t b, int64_t sum)
{
    return sum + (int64_t)sp_low(a) * sp_low(b) + (int64_t)sp_high(a) * sp_high(b);
}

static inline int32_t sp_smlabb(int32_t a, uint32_t b, int32_t sum)
{
    return a * sp_low(b) + sum;
}

static inline int32_t sp_smlabt(int32_t a, uint32_t b, int32_t sum)
{
    return a * sp_high(b) + sum;
}

static inline uint32_t sp_qsub16(uint32_t a, uint32_t b)
{
    return sp_pair(sp_clamp16(sp_low(a) - sp_low(b)), sp_clamp16(sp_high(a) - sp_high(b)));
}

static inline uint32_t sp_ssub16(uint32_t a, uint32_t b)
{
    return sp_pair(sp_low(a) - sp_low(b), sp_high(a) - sp_high(b));
}

#else

static inline int64_t sp_smlald(uint32_t a, uint32_t b, int64_t sum)
{
    return __smlald((int16x2_t)a, (int16x2_t)b, sum);
}

static inline int32_t sp_smlabb(int32_t a, uint32_t b, int32_t sum)
{
    return __smlabb(a, (int32_t)b, sum);
}

static inline int32_t sp_smlabt(int32_t a, uint32_t b, int32_t sum)
{
    return __smlabt(a, (int32_t)b, sum);
}

static inline uint32_t sp_qsub16(uint32_t a, uint32_t b)
{
    return (uint32_t)__qsub16((int16x2_t)a, (int16x2_t)b);
}

static inline uint32_t sp_ssub16(uint32_t a, uint32_t b)
{
    return (uint32_t)__ssub16((int16x2_t)a, (int16x2_t)b);
}

#endif
#endif

#endif
