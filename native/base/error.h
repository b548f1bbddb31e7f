/*
 * Errors: a status to branch on, a stable id to search for, and texts for people.
 *
 * Functions return 0 or a negative enum umx_status. What went wrong in detail is kept in a struct umx_error that the
 * caller owns; foreign codes (LDAP, GSSAPI, gRPC, errno, SQLite, OpenSSL) stay inside it. errors.def is the one table
 * from id to status, reason and remedy.
 */
#ifndef UMX_BASE_ERROR_H
#define UMX_BASE_ERROR_H

#include <stddef.h>

enum umx_status {
    UMX_OK = 0,
    UMX_E_ARGUMENT = -1,        /* the caller's input is wrong */
    UMX_E_MEMORY = -2,
    UMX_E_LIMIT = -3,           /* a named maximum was exceeded */
    UMX_E_FORMAT = -4,          /* bytes from outside are not what they should be */
    UMX_E_NOT_FOUND = -5,
    UMX_E_EXISTS = -6,
    UMX_E_DENIED = -7,          /* known, and not allowed */
    UMX_E_UNAUTHENTICATED = -8, /* not known */
    UMX_E_UNREACHABLE = -9,
    UMX_E_TIMEOUT = -10,
    UMX_E_CANCELLED = -11,
    UMX_E_CONFLICT = -12,       /* somebody else changed it, or it is in use */
    UMX_E_STALE = -13,          /* the world moved since the plan was made */
    UMX_E_UNCERTAIN = -14,      /* it may or may not have happened */
    UMX_E_UNSUPPORTED = -15,
    UMX_E_IO = -16,
    UMX_E_INTERNAL = -17,
    UMX_E_PARTIAL = -18,        /* some answered, some did not */
};

/* Ids by name; the numbers are in errors.def and never change their meaning. */
enum umx_error_id {
    UMX_ERR_NONE = 0,
#define UMX_ERROR(number, name, status, reason, remedy) UMX_ERR_##name = number,
#include "base/errors.def"
#undef UMX_ERROR
};

enum {
    UMX_ERROR_WHAT_MAX = 320,
    UMX_ERROR_WHY_MAX = 1024,
    UMX_ERROR_LINES_MAX = UMX_ERROR_WHY_MAX - 64, /* for umx_text_join: room is left for how many more there are */
};

struct umx_error {
    int status;                   /* enum umx_status, 0 while nothing failed */
    int id;                       /* enum umx_error_id */
    long foreign;                 /* LDAP, errno, gRPC... code, 0 when none */
    char what[UMX_ERROR_WHAT_MAX]; /* what it is about: a forest, a file, a plan */
    char why[UMX_ERROR_WHY_MAX];   /* the reason in this case; empty means the table's */
};

/* One row of errors.def. */
struct umx_error_text {
    int id;
    const char *name;
    int status;
    const char *reason;
    const char *remedy;
};

/* Fills err (NULL is allowed) and returns the id's status, so that `return umx_fail(...)` reads well. Texts too long for
 * their field are cut at a UTF-8 boundary. why may be NULL: the table's reason then stands. */
int umx_fail(struct umx_error *err, enum umx_error_id id, const char *what, const char *why, ...)
    __attribute__((format(printf, 4, 5)));

/* As umx_fail, with a foreign code kept beside the id. */
int umx_fail_code(struct umx_error *err, enum umx_error_id id, long foreign, const char *what, const char *why, ...)
    __attribute__((format(printf, 5, 6)));

/* Never NULL: an unknown id gives the row of INTERNAL. */
const struct umx_error_text *umx_error_text(int id);

/* All rows, for docs/errors.md and tests. */
const struct umx_error_text *umx_error_table(size_t *count);

/* The reason in this case, or the table's. */
const char *umx_error_why(const struct umx_error *err);

/* "UMX-1042: <what>: <why>; <what to do>" into buf; returns buf. */
char *umx_error_format(const struct umx_error *err, char *buf, size_t size);

/* Static lower-case word for a status, for example "not_found". libumx exports it. */
#if defined(__GNUC__) && !defined(_WIN32)
__attribute__((visibility("default")))
#endif
const char *umx_status_name(int status);

/* Exit code of the command line for a status (design 8): 0, 1, 2, 3 or 4. */
int umx_status_exit(int status);

#endif
