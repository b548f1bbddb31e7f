#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const struct umx_error_text rows[] = {
#define UMX_ERROR(number, name, status, reason, remedy) {number, #name, status, reason, remedy},
#include "base/errors.def"
#undef UMX_ERROR
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

/* Status, its word, and the exit code of the command line. */
static const struct {
    int status;
    const char *name;
    int exit;
} statuses[] = {
    {UMX_OK, "ok", 0},
    {UMX_E_ARGUMENT, "argument", 2},
    {UMX_E_MEMORY, "memory", 1},
    {UMX_E_LIMIT, "limit", 1},
    {UMX_E_FORMAT, "format", 1},
    {UMX_E_NOT_FOUND, "not_found", 1},
    {UMX_E_EXISTS, "exists", 1},
    {UMX_E_DENIED, "denied", 3},
    {UMX_E_UNAUTHENTICATED, "unauthenticated", 3},
    {UMX_E_UNREACHABLE, "unreachable", 3},
    {UMX_E_TIMEOUT, "timeout", 3},
    {UMX_E_CANCELLED, "cancelled", 1},
    {UMX_E_CONFLICT, "conflict", 1},
    {UMX_E_STALE, "stale", 1},
    {UMX_E_UNCERTAIN, "uncertain", 1},
    {UMX_E_UNSUPPORTED, "unsupported", 2},
    {UMX_E_IO, "io", 1},
    {UMX_E_INTERNAL, "internal", 1},
    {UMX_E_PARTIAL, "partial", 4},
};

enum { STATUS_COUNT = sizeof statuses / sizeof statuses[0] };

const struct umx_error_text *umx_error_table(size_t *count)
{
    *count = ROW_COUNT;
    return rows;
}

const struct umx_error_text *umx_error_text(int id)
{
    const struct umx_error_text *internal = NULL;

    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].id == id)
            return &rows[i];
        if (rows[i].id == UMX_ERR_INTERNAL)
            internal = &rows[i];
    }
    return internal;
}

__attribute__((format(printf, 5, 0))) static int fill(struct umx_error *err, int id, long foreign, const char *what,
                                                      const char *why, va_list args)
{
    const struct umx_error_text *text = umx_error_text(id);

    if (err == NULL)
        return text->status;
    /* The texts may point into err itself: the new ones are made before the old ones go. */
    struct umx_error made = {.status = text->status, .id = text->id, .foreign = foreign};
    umx_text_copy(made.what, sizeof made.what, what != NULL ? what : "");
    if (why != NULL) {
        char full[UMX_ERROR_WHY_MAX + 8];
        vsnprintf(full, sizeof full, why, args);
        umx_text_copy(made.why, sizeof made.why, full);
    }
    *err = made;
    return made.status;
}

int umx_fail(struct umx_error *err, enum umx_error_id id, const char *what, const char *why, ...)
{
    va_list args;

    va_start(args, why);
    int status = fill(err, (int)id, 0, what, why, args);
    va_end(args);
    return status;
}

int umx_fail_code(struct umx_error *err, enum umx_error_id id, long foreign, const char *what, const char *why, ...)
{
    va_list args;

    va_start(args, why);
    int status = fill(err, (int)id, foreign, what, why, args);
    va_end(args);
    return status;
}

const char *umx_error_why(const struct umx_error *err)
{
    return err->why[0] != '\0' ? err->why : umx_error_text(err->id)->reason;
}

char *umx_error_format(const struct umx_error *err, char *buf, size_t size)
{
    snprintf(buf, size, "UMX-%d: %s%s%s; %s", err->id, err->what, err->what[0] != '\0' ? ": " : "", umx_error_why(err),
             umx_error_text(err->id)->remedy);
    return buf;
}

const char *umx_status_name(int status)
{
    for (size_t i = 0; i < STATUS_COUNT; i++)
        if (statuses[i].status == status)
            return statuses[i].name;
    return "internal";
}

int umx_status_exit(int status)
{
    for (size_t i = 0; i < STATUS_COUNT; i++)
        if (statuses[i].status == status)
            return statuses[i].exit;
    return 1;
}
