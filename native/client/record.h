/*
 * An event of the controller as a record for the caller. What comes is checked before it goes on into somebody's
 * process: kinds and types are known words, the body is JSON.
 */
#ifndef UMX_CLIENT_RECORD_H
#define UMX_CLIENT_RECORD_H

#include "client/session.h"

enum { UMX_CLIENT_TYPE_MAX = 64 };

/* The kind of the record (UMX_REC_ITEM to UMX_REC_END), which the caller frees; 0 when the event was for this library
 * and not for its caller; or a negative status without a record, UMX_ERR_ANSWER_INVALID. */
int umx_client_record_read(struct umx_client_session *session, const uint8_t *bytes, size_t length, umx_buf *record,
                           struct umx_error *err);

#endif
