/* SPDX-License-Identifier: Apache-2.0
 *
 * The anomaly threshold: a running quantile of the scores of normal samples, in five words.
 * docs/anomaly.md. A level is the logarithm of a score to the base 2, piecewise linear, Q26.
 */
#ifndef SECONDPASS_THRESHOLD_H
#define SECONDPASS_THRESHOLD_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SP_QUANTILE_MIN 16384u   /* Q15: every second normal sample is an alarm */
#define SP_QUANTILE_MAX 32767u
#define SP_QUANTILE_FIRST 32440u /* 0.99: one in a hundred */

/* The threshold while too few scores were seen: no score is above it. */
#define SP_THRESHOLD_NONE UINT32_MAX

typedef struct {
    int32_t mean;         /* running mean of levels, 0 to 2^31 - 1 */
    int32_t spread;       /* running mean of their distance from it, a level */
    uint32_t width;       /* how many spreads the estimate is above the mean, Q20 */
    uint32_t count;       /* scores seen, at most UINT32_MAX */
    uint16_t quantile;    /* share of scores not above the estimate, Q15 */
    uint16_t calibrating; /* 1: evaluated samples count as learned ones do; 0: they do not */
} sp_threshold_t;

/* Forget all scores. Quantile and calibrating stay. */
void sp_threshold_restart(sp_threshold_t *threshold);

/* The score above which a sample is an alarm, or SP_THRESHOLD_NONE. */
uint32_t sp_threshold_score(const sp_threshold_t *threshold);

/* Returns 1 if the score is above the threshold, else 0. Then lets the estimate follow it if the
 * sample is `normal`. Any score is allowed. */
uint16_t sp_threshold_judge(sp_threshold_t *threshold, uint32_t score, int normal);

#ifdef __cplusplus
}
#endif

#endif
