/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/threshold.h"

#include "secondpass/fixed.h"

#define OCTAVE 26u /* fractional bits of a level */
#define WIDTH_FRAC 20u
#define FIRST_SPREAD (1 << (OCTAVE - 2u))
#define FIRST_WIDTH (2u << WIDTH_FRAC)
#define SLOWEST 7u /* gains fall to 2^-7 */
#define STEP 4u    /* of the width, when gains have fallen, in units of 2^(15 - WIDTH_FRAC) */
#define FASTEST 3u /* steps begin with STEP * 2^3 */
#define ONE_Q15 32768u

/* The level of a score, 0 to INT32_MAX. */
static int32_t level_of(uint32_t score)
{
    uint32_t whole = 0;

    if (score == 0) {
        return 0;
    }
    while (score >> whole > 1u) {
        ++whole;
    }
    score -= (uint32_t)1 << whole;
    score = whole <= OCTAVE ? score << (OCTAVE - whole) : score >> (whole - OCTAVE);
    return (int32_t)(whole << OCTAVE | score);
}

/* The largest score whose level is not above the given one. */
static uint32_t score_of(uint32_t level)
{
    const uint32_t whole = level >> OCTAVE;
    const uint32_t one = (uint32_t)1 << OCTAVE;
    const uint32_t mantissa = one | (level & (one - 1u));

    return whole <= OCTAVE ? mantissa >> (OCTAVE - whole)
                           : ((mantissa + 1u) << (whole - OCTAVE)) - 1u;
}

/* The score above which a share of 1 - quantile lies, however few were seen. */
static uint32_t estimate(const sp_threshold_t *threshold)
{
    const uint64_t product = sp_wide_product(threshold->width, (uint32_t)threshold->spread);
    const uint64_t above = product >> WIDTH_FRAC;
    const uint32_t room = (uint32_t)(INT32_MAX - threshold->mean);

    return score_of((uint32_t)threshold->mean + (above < room ? (uint32_t)above : room));
}

/* Scores seen, of which more than this make no difference. */
static uint32_t seen(const sp_threshold_t *threshold)
{
    return threshold->count < ONE_Q15 ? threshold->count : ONE_Q15;
}

/* The whole part of log2(scores seen + 1), at most SLOWEST. */
static unsigned slowness(const sp_threshold_t *threshold)
{
    unsigned slow = SLOWEST;

    while ((seen(threshold) + 1u) >> slow == 0) {
        --slow;
    }
    return slow;
}

/* Move the width up or down, so that alarms come as often as the quantile says. */
static void move_width(sp_threshold_t *threshold, unsigned slow, int above)
{
    const uint32_t step = STEP << (SLOWEST - slow < FASTEST ? SLOWEST - slow : FASTEST);
    const uint32_t up = step * threshold->quantile;
    const uint32_t down = step * (ONE_Q15 - threshold->quantile);

    if (above) {
        threshold->width = threshold->width < UINT32_MAX - up ? threshold->width + up : UINT32_MAX;
    } else {
        threshold->width = threshold->width > down ? threshold->width - down : 0;
    }
}

/* Is at least one alarm expected among the scores seen? */
static int ready(const sp_threshold_t *threshold)
{
    return seen(threshold) * (ONE_Q15 - threshold->quantile) >= ONE_Q15;
}

static void follow(sp_threshold_t *threshold, int32_t level, int above)
{
    const unsigned slow = slowness(threshold);
    int32_t distance = level - threshold->mean;

    move_width(threshold, slow, above);
    threshold->mean += distance >> slow;
    distance = distance < 0 ? -distance : distance;
    threshold->spread += (distance - threshold->spread) >> slow;
    if (threshold->count < UINT32_MAX) {
        ++threshold->count;
    }
}

void sp_threshold_restart(sp_threshold_t *threshold)
{
    threshold->mean = 0;
    threshold->spread = FIRST_SPREAD;
    threshold->width = FIRST_WIDTH;
    threshold->count = 0;
}

uint32_t sp_threshold_score(const sp_threshold_t *threshold)
{
    return ready(threshold) ? estimate(threshold) : SP_THRESHOLD_NONE;
}

uint16_t sp_threshold_judge(sp_threshold_t *threshold, uint32_t score, int normal)
{
    const int32_t level = level_of(score);
    int above;
    int alarm;

    if (normal && threshold->count == 0) {
        threshold->mean = level;
    }
    above = score > estimate(threshold);
    alarm = above && ready(threshold);
    if (normal) {
        follow(threshold, level, above);
    }
    return (uint16_t)alarm;
}
