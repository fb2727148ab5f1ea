/* SPDX-License-Identifier: Apache-2.0
 *
 * What the float baseline of the bench takes from <math.h>, for a compiler without a C library.
 * The trainer computes in integers and needs none of it.
 */
#ifndef SECONDPASS_FREESTANDING_MATH_H
#define SECONDPASS_FREESTANDING_MATH_H

float expf(float x);

#endif
