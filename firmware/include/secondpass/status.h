/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SECONDPASS_STATUS_H
#define SECONDPASS_STATUS_H

/* Outcome of a call or a request; the values are part of the wire format (docs/protocol.md). */
typedef enum {
    SP_OK = 0,
    SP_ERROR_CRC = 1,      /* the checksum of a frame is wrong */
    SP_ERROR_FRAME = 2,    /* a frame is not valid COBS, or shorter than a header */
    SP_ERROR_VERSION = 3,  /* the frame speaks another protocol version */
    SP_ERROR_VERB = 4,     /* no such verb */
    SP_ERROR_LENGTH = 5,   /* the body is too long, or not as long as the verb needs */
    SP_ERROR_SAMPLE = 6,   /* the sample is not as long as the network's input */
    SP_ERROR_LABEL = 7,    /* the label is not a class of the network */
    SP_ERROR_SEQUENCE = 8, /* the request is not the next one in the session */
    SP_ERROR_TENSOR = 9,   /* no such tensor, or a range outside it */
    SP_ERROR_VALUE = 10,   /* a setting is out of range */
    SP_ERROR_OVERRUN = 11, /* a frame was lost because two others were waiting */
    SP_ERROR_FAULT = 12,   /* the processor took a fault; only a restart helps */
    SP_ERROR_STORE = 13,   /* this board has no checkpoint store */
    SP_ERROR_EMPTY = 14,   /* nothing was saved yet */
    SP_ERROR_MODEL = 15,   /* what was saved is of another model, or in another layout */
    SP_ERROR_DAMAGED = 16, /* what was saved is damaged */
    SP_ERROR_FLASH = 17,   /* the flash refused, or did not keep what was written */
    SP_ERROR_SPACE = 18,   /* a checkpoint does not fit a slot of the flash */
    SP_ERROR_FROZEN = 19,  /* the tensor is in flash, because the rule never changes it */
    SP_ERROR_INFERS = 20   /* the model infers and does not learn */
} sp_status_t;

#endif
