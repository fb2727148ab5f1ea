/* SPDX-License-Identifier: Apache-2.0
 *
 * The instructions and blocks of dsp_arm.h in plain C, for tests on a host. Included by dsp.h only.
 */
#ifndef SECONDPASS_KERNELS_DSP_EMULATED_H
#define SECONDPASS_KERNELS_DSP_EMULATED_H

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

static inline int32_t sp_byte(uint32_t word, unsigned index)
{
    const int32_t value = (int32_t)((word >> (8u * index)) & 0xFFu);

    return value >= 0x80 ? value - 0x100 : value;
}

static inline int64_t sp_smlald(uint32_t a, uint32_t b, int64_t sum)
{
    return sum + (int64_t)sp_low(a) * sp_low(b) + (int64_t)sp_high(a) * sp_high(b);
}

static inline int32_t sp_smlad(uint32_t a, uint32_t b, int32_t sum)
{
    return sum + sp_low(a) * sp_low(b) + sp_high(a) * sp_high(b);
}

static inline int32_t sp_smlabb(int32_t a, uint32_t b, int32_t sum)
{
    return a * sp_low(b) + sum;
}

static inline int32_t sp_smlabt(int32_t a, uint32_t b, int32_t sum)
{
    return a * sp_high(b) + sum;
}

static inline uint32_t sp_ssub16(uint32_t a, uint32_t b)
{
    return sp_pair(sp_low(a) - sp_low(b), sp_high(a) - sp_high(b));
}

static inline uint32_t sp_qsub8(uint32_t a, uint32_t b)
{
    uint32_t difference = 0;

    for (unsigned i = 0; i < 4; ++i) {
        const int32_t exact = sp_byte(a, i) - sp_byte(b, i);
        const int32_t clamped = exact > 127 ? 127 : exact < -128 ? -128 : exact;

        difference |= ((uint32_t)clamped & 0xFFu) << (8u * i);
    }
    return difference;
}

static inline uint32_t sp_ssub8(uint32_t a, uint32_t b)
{
    uint32_t difference = 0;

    for (unsigned i = 0; i < 32; i += 8) {
        difference |= (((a >> i) - (b >> i)) & 0xFFu) << i;
    }
    return difference;
}

static inline uint32_t sp_sxtb16(uint32_t word)
{
    return sp_pair(sp_byte(word, 0), sp_byte(word, 2));
}

static inline uint32_t sp_sxtb16_odd(uint32_t word)
{
    return sp_pair(sp_byte(word, 1), sp_byte(word, 3));
}

static inline uint32_t sp_uxtb16(uint32_t word)
{
    return word & 0x00FF00FFu;
}

static inline uint32_t sp_uxtb16_odd(uint32_t word)
{
    return (word >> 8) & 0x00FF00FFu;
}

static inline uint32_t sp_pkhtb(int32_t upper, int32_t lower)
{
    return ((uint32_t)upper & 0xFFFF0000u) | ((uint32_t)lower >> 16);
}

static inline uint32_t sp_pkhbt(uint32_t lower, uint32_t upper)
{
    return (lower & 0xFFFFu) | (upper << 16);
}

static inline void sp_block_a16w16(const int16_t **x, const int16_t **upper,
                                   const int16_t **lower, int64_t *first, int64_t *second)
{
    for (unsigned j = 0; j < 8; j += 2, *x += 2, *upper += 2, *lower += 2) {
        *first = sp_smlald(sp_load_word(*upper), sp_load_word(*x), *first);
        *second = sp_smlald(sp_load_word(*lower), sp_load_word(*x), *second);
    }
}

static inline void sp_next_a16(const int16_t **x, uint32_t *even, uint32_t *odd)
{
    const uint32_t first = sp_load_word(*x);
    const uint32_t second = sp_load_word(*x + 2);

    *even = sp_pkhbt(first, second);
    *odd = sp_pkhtb((int32_t)second, (int32_t)first);
    *x += 4;
}

static inline void sp_next_packed(const uint32_t **packed, uint32_t *even, uint32_t *odd)
{
    *even = (*packed)[0];
    *odd = (*packed)[1];
    *packed += 2;
}

static inline void sp_next_a8(const int8_t **x, uint32_t *even, uint32_t *odd)
{
    const uint32_t word = sp_load_word(*x);

    *even = sp_sxtb16(word);
    *odd = sp_sxtb16_odd(word);
    *x += 4;
}

static inline void sp_four_rows(uint32_t even, uint32_t odd, const int8_t **row, uint32_t stride,
                                uint32_t stride3, int32_t sums[4])
{
    const uint32_t offsets[4] = {0, stride, 2 * stride, stride3};

    for (unsigned i = 0; i < 4; ++i) {
        const uint32_t weights = sp_load_word(*row + offsets[i]);

        sums[i] = sp_smlad(sp_sxtb16(weights), even, sums[i]);
        sums[i] = sp_smlad(sp_sxtb16_odd(weights), odd, sums[i]);
    }
    *row += 4;
}

static inline void sp_move_block(int16_t **weights, const int16_t **values, int32_t error,
                                 uint32_t *dither)
{
    for (unsigned j = 0; j < 4; j += 2, *weights += 2, *values += 2, *dither += 0x9E3779B9u) {
        const int32_t offset = (int32_t)(*dither >> 16);
        const uint32_t pair = sp_load_word(*values);
        const uint32_t steps =
            sp_pkhtb(sp_smlabt(error, pair, offset), sp_smlabb(error, pair, offset));

        sp_store_word(*weights, sp_ssub16(sp_load_word(*weights), steps));
    }
}

#endif
