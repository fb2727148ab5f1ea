/* SPDX-License-Identifier: Apache-2.0
 *
 * What the library takes from <string.h>, for a compiler without a C library. Bodies come from the
 * compiler's run-time library. Sizes in bytes; each means what ISO C says.
 */
#ifndef SECONDPASS_FREESTANDING_STRING_H
#define SECONDPASS_FREESTANDING_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *one, const void *other, size_t size);
size_t strlen(const char *text);

#endif
