/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SECONDPASS_VERSION_H
#define SECONDPASS_VERSION_H

/* Version of the library. Generated code refuses to compile with another one. */
#define SP_VERSION_MAJOR 0
#define SP_VERSION_MINOR 1
#define SP_VERSION_PATCH 0
#define SP_VERSION (SP_VERSION_MAJOR * 10000 + SP_VERSION_MINOR * 100 + SP_VERSION_PATCH)

#endif
