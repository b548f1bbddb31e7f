/*
 * libumx: operations of the umx controller for other programs. A C ABI that stays: opaque handles, UTF-8 JSON as bytes,
 * pulled by the caller; nothing calls back. It prints nothing, handles no signal, and never ends the process.
 *
 * Functions return 0 or a negative status (umx_status_name gives its word, enum umx_status of the project its number).
 * Where they take `err`, they fill it with the JSON of the error, which the caller frees with umx_buf_free:
 *   {"id":"UMX-1102","what":"...","why":"...","remedy":"...","status":-9}
 * err may be NULL. Keys that are not listed here are errors.
 *
 * Threads. A session may be used from any thread. An operation belongs to one thread at a time; umx_op_cancel and
 * umx_op_close alone may be called from another one meanwhile, and end a umx_op_next there.
 *
 * Handles are looked up, never followed: one that was closed, is of the other kind or never was one is an error
 * (UMX-1607), as is NULL for a pointer that is needed (UMX-1608) and a second thread in umx_op_next (UMX-1609). They
 * may be closed in any order; an operation outlives its session's handle. Closing twice, or NULL, does nothing.
 */
#ifndef UMX_H
#define UMX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Everything else in the library is hidden. */
#if defined(_WIN32) && defined(UMX_EXPORTS)
#define UMX_API __declspec(dllexport)
#elif defined(__GNUC__) && !defined(_WIN32)
#define UMX_API __attribute__((visibility("default")))
#else
#define UMX_API
#endif

enum { UMX_ABI = 1 };

typedef struct umx_session umx_session;
typedef struct umx_op umx_op;

/* Memory of the library: {NULL, 0} when empty. */
typedef struct umx_buf {
    uint8_t *data;
    size_t length;
} umx_buf;

typedef struct umx_info {
    uint32_t size;    /* set by the caller: sizeof(umx_info) */
    uint32_t abi;     /* UMX_ABI of the library */
    char version[32]; /* of the library, as text */
} umx_info;

/* Fills as much of *io as io->size holds. The caller compares abi with UMX_ABI. */
UMX_API int32_t umx_abi_version(umx_info *io);

/* {"controller":"HOST:PORT", "identity":"FILE", "ca":"FILE", "server_name":"HOST"}
 * identity: private key, certificate, intermediate and root in PEM. ca: the deployment's root, instead of the
 * identity's; needed without identity, which only lets in where no certificate is asked for. server_name: the name in
 * the controller's certificate, when it is reached by another one. No connection is made yet. */
UMX_API int32_t umx_session_open(const uint8_t *json, size_t length, umx_session **out, umx_buf *err);
UMX_API void umx_session_close(umx_session *session);

/* Who the session is, for example {"identity":"umx://D/operator/SID","role":"operator","name":"SID",
 * "forest":"exchange.test","deployment":"D","expires_at":"..."}; identity is null without one. */
UMX_API int32_t umx_session_identity(umx_session *session, umx_buf *json, umx_buf *err);

/* Signs the bytes with the identity's key (SHA-256; ECDSA in DER, or RSA PKCS#1). */
UMX_API int32_t umx_session_sign(umx_session *session, const uint8_t *bytes, size_t length, umx_buf *signature,
                                 umx_buf *err);

/* What umx_op_next returns besides a negative status. */
enum {
    UMX_REC_TIMEOUT = 0, /* nothing yet */
    UMX_REC_ITEM = 1,
    UMX_REC_PROGRESS = 2,
    UMX_REC_VERBOSE = 3,
    UMX_REC_WARNING = 4,
    UMX_REC_ERROR = 5, /* about one target; the operation goes on */
    UMX_REC_END = 6,
};

/* Starts an operation: {"operation":"check", "arguments":{...}, "deadline_ms":60000}. arguments may be missing; without
 * deadline_ms the controller alone decides how long it takes. */
UMX_API int32_t umx_op_start(umx_session *session, const uint8_t *json, size_t length, umx_op **out, umx_buf *err);

/* Waits at most timeout_ms for the next record:
 *   {"kind":"item","type":"findings","json":{...}}
 * kind is item, progress, verbose, warning, error or end. A negative status means that the operation failed: the record
 * is then {"kind":"failed","type":"error","json":{the error as above}}. After end or failure the same value is returned
 * again, with an empty record. */
UMX_API int32_t umx_op_next(umx_op *op, uint32_t timeout_ms, umx_buf *record);
UMX_API int32_t umx_op_cancel(umx_op *op);
UMX_API void umx_op_close(umx_op *op);

/* Gets an identity for a proof, and writes its file (mode 0600):
 * {"controller":"HOST:PORT", "forest":"exchange.test", "certificate":"FILE", "key":"FILE", "out":"FILE",
 *  "ca":"FILE" or "fingerprint":"SHA-256 of the root certificate in hex", "server_name":"HOST", "service":"umx/HOST"}
 * certificate and key are of the forest's operator CA, PEM; further certificates of its chain may follow in the file.
 * Without both the proof is the Kerberos ticket of whoever is logged on: forest is then that of the ticket when
 * missing, service the controller's host as it is named. Without ca and fingerprint the root of the identity that is in
 * out. result: {"identity":"umx://...","forest":"...","expires_at":"...","file":"FILE"}. At most 60 seconds. */
UMX_API int32_t umx_login(const uint8_t *json, size_t length, umx_buf *result, umx_buf *err);

UMX_API void umx_buf_free(umx_buf *buf);

/* Static lower-case word, for example "not_found". */
UMX_API const char *umx_status_name(int32_t status);

#ifdef __cplusplus
}
#endif

#endif
