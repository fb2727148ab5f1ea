/* SPDX-License-Identifier: Apache-2.0 */
#include "secondpass/link.h"

uint32_t sp_link_encode(uint8_t *frame, uint32_t length, uint8_t *encoded)
{
    uint32_t code_at = 0;
    uint32_t written = 1;
    uint8_t code = 1;

    sp_put32(frame + length, sp_link_crc32(frame, length));
    length += SP_LINK_CHECKSUM;
    for (uint32_t i = 0; i < length; ++i) {
        if (frame[i] != 0) {
            encoded[written++] = frame[i];
            ++code;
        }
        if (frame[i] == 0 || (code == 0xFF && i + 1 < length)) {
            encoded[code_at] = code;
            code_at = written++;
            code = 1;
        }
    }
    encoded[code_at] = code;
    encoded[written++] = 0;
    return written;
}
