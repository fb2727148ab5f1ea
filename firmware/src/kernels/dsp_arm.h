/* SPDX-License-Identifier: Apache-2.0
 *
 * The instructions of the DSP extension, and blocks of them. Included by dsp.h only; pointers are
 * 4-byte aligned, as LDRD wants them.
 */
#ifndef SECONDPASS_KERNELS_DSP_ARM_H
#define SECONDPASS_KERNELS_DSP_ARM_H

#include <arm_acle.h>

static inline int64_t sp_smlald(uint32_t a, uint32_t b, int64_t sum)
{
    return __smlald((int16x2_t)a, (int16x2_t)b, sum);
}

static inline int32_t sp_smlad(uint32_t a, uint32_t b, int32_t sum)
{
    return __smlad((int16x2_t)a, (int16x2_t)b, sum);
}

static inline int32_t sp_smlabb(int32_t a, uint32_t b, int32_t sum)
{
    return __smlabb(a, (int32_t)b, sum);
}

static inline int32_t sp_smlabt(int32_t a, uint32_t b, int32_t sum)
{
    return __smlabt(a, (int32_t)b, sum);
}

static inline uint32_t sp_ssub16(uint32_t a, uint32_t b)
{
    return (uint32_t)__ssub16((int16x2_t)a, (int16x2_t)b);
}

static inline uint32_t sp_qsub8(uint32_t a, uint32_t b)
{
    return (uint32_t)__qsub8((int8x4_t)a, (int8x4_t)b);
}

static inline uint32_t sp_ssub8(uint32_t a, uint32_t b)
{
    return (uint32_t)__ssub8((int8x4_t)a, (int8x4_t)b);
}

/* Bytes 0 and 2, sign extended; _odd: bytes 1 and 3. */
static inline uint32_t sp_sxtb16(uint32_t word)
{
    return (uint32_t)__sxtb16((int8x4_t)word);
}

static inline uint32_t sp_sxtb16_odd(uint32_t word)
{
    uint32_t result;

    __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(word));
    return result;
}

/* The same, zero extended; clang's intrinsic has a signed operand. */
static inline uint32_t sp_uxtb16(uint32_t word)
{
#ifdef __clang__
    return (uint32_t)__uxtb16((int8x4_t)word);
#else
    return (uint32_t)__uxtb16((uint8x4_t)word);
#endif
}

static inline uint32_t sp_uxtb16_odd(uint32_t word)
{
    uint32_t result;

    __asm__("uxtb16 %0, %1, ror #8" : "=r"(result) : "r"(word));
    return result;
}

/* The upper halves of two registers, `upper`'s on top; gcc knows no intrinsic. */
static inline uint32_t sp_pkhtb(int32_t upper, int32_t lower)
{
    uint32_t result;

    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(result) : "r"(upper), "r"(lower));
    return result;
}

/* The lower halves. */
static inline uint32_t sp_pkhbt(uint32_t lower, uint32_t upper)
{
    uint32_t result;

    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(result) : "r"(lower), "r"(upper));
    return result;
}

/* Eight columns of two rows: 14 instructions for 16 products. */
static inline void sp_block_a16w16(const int16_t **x, const int16_t **upper,
                                   const int16_t **lower, int64_t *first, int64_t *second)
{
    uint32_t x0, x1, u0, u1, l0, l1;

    __asm__ volatile("ldrd %5, %6, [%2], #8\n\t"
                     "ldrd %7, %8, [%3], #8\n\t"
                     "ldrd %9, %10, [%4], #8\n\t"
                     "smlald %Q0, %R0, %7, %5\n\t"
                     "smlald %Q0, %R0, %8, %6\n\t"
                     "smlald %Q1, %R1, %9, %5\n\t"
                     "smlald %Q1, %R1, %10, %6\n\t"
                     "ldrd %5, %6, [%2], #8\n\t"
                     "ldrd %7, %8, [%3], #8\n\t"
                     "ldrd %9, %10, [%4], #8\n\t"
                     "smlald %Q0, %R0, %7, %5\n\t"
                     "smlald %Q0, %R0, %8, %6\n\t"
                     "smlald %Q1, %R1, %9, %5\n\t"
                     "smlald %Q1, %R1, %10, %6"
                     : "+r"(*first), "+r"(*second), "+r"(*x), "+r"(*upper), "+r"(*lower),
                       "=&r"(x0), "=&r"(x1), "=&r"(u0), "=&r"(u1), "=&r"(l0), "=&r"(l1)
                     :
                     : "memory");
}

/* The next four inputs: elements 0 and 2, and 1 and 3. */
static inline void sp_next_a16(const int16_t **x, uint32_t *even, uint32_t *odd)
{
    uint32_t second;

    __asm__ volatile("ldrd %1, %3, [%0], #8\n\t"
                     "pkhtb %2, %3, %1, asr #16\n\t"
                     "pkhbt %1, %1, %3, lsl #16"
                     : "+r"(*x), "=&r"(*even), "=&r"(*odd), "=&r"(second)
                     :
                     : "memory");
}

/* Those of the functions around this one, stored one after the other. */
static inline void sp_next_packed(const uint32_t **packed, uint32_t *even, uint32_t *odd)
{
    __asm__ volatile("ldrd %1, %2, [%0], #8"
                     : "+r"(*packed), "=&r"(*even), "=&r"(*odd)
                     :
                     : "memory");
}

static inline void sp_next_a8(const int8_t **x, uint32_t *even, uint32_t *odd)
{
    __asm__ volatile("ldr %2, [%0], #4\n\t"
                     "sxtb16 %1, %2\n\t"
                     "sxtb16 %2, %2, ror #8"
                     : "+r"(*x), "=&r"(*even), "=&r"(*odd)
                     :
                     : "memory");
}

/* Four columns of four rows of int8, 20 instructions for 16 products; the row pointer moves with
 * the last load. */
#define SP_ONE_ROW(SUM, LOAD)                                                                      \
    LOAD "\n\t"                                                                                    \
         "sxtb16 %6, %5\n\t"                                                                       \
         "sxtb16 %5, %5, ror #8\n\t"                                                               \
         "smlad " SUM ", %6, %7, " SUM "\n\t"                                                      \
         "smlad " SUM ", %5, %8, " SUM "\n\t"
static inline void sp_four_rows(uint32_t even, uint32_t odd, const int8_t **row, uint32_t stride,
                                uint32_t stride3, int32_t sums[4])
{
    uint32_t odd_weights, even_weights;

    __asm__ volatile(SP_ONE_ROW("%1", "ldr %5, [%4, %9]")
                     SP_ONE_ROW("%2", "ldr %5, [%4, %9, lsl #1]")
                     SP_ONE_ROW("%3", "ldr %5, [%4, %10]")
                     SP_ONE_ROW("%0", "ldr %5, [%4], #4")
                     : "+r"(sums[0]), "+r"(sums[1]), "+r"(sums[2]), "+r"(sums[3]), "+r"(*row),
                       "=&r"(odd_weights), "=&r"(even_weights)
                     : "r"(even), "r"(odd), "r"(stride), "r"(stride3)
                     : "memory");
}

/* Four weights of an update that cannot saturate: 15 instructions. */
static inline void sp_move_block(int16_t **weights, const int16_t **values, int32_t error,
                                 uint32_t *dither)
{
    uint32_t x0, x1, w0, w1, offset, step;
    const uint32_t golden = 0x9E3779B9u;

    __asm__ volatile("ldrd %3, %4, [%1], #8\n\t"
                     "ldrd %5, %6, [%0]\n\t"
                     "lsr %7, %2, #16\n\t"
                     "smlabb %8, %3, %9, %7\n\t"
                     "smlatb %3, %3, %9, %7\n\t"
                     "pkhtb %3, %3, %8, asr #16\n\t"
                     "ssub16 %5, %5, %3\n\t"
                     "add %2, %2, %10\n\t"
                     "lsr %7, %2, #16\n\t"
                     "smlabb %8, %4, %9, %7\n\t"
                     "smlatb %4, %4, %9, %7\n\t"
                     "pkhtb %4, %4, %8, asr #16\n\t"
                     "ssub16 %6, %6, %4\n\t"
                     "add %2, %2, %10\n\t"
                     "strd %5, %6, [%0], #8"
                     : "+r"(*weights), "+r"(*values), "+r"(*dither), "=&r"(x0), "=&r"(x1),
                       "=&r"(w0), "=&r"(w1), "=&r"(offset), "=&r"(step)
                     : "r"(error), "r"(golden)
                     : "memory");
}

#endif
