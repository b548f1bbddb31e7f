/*
 * Saved queries: questions under a name. Those that come with umx are in a table of saved.c; others are kept in
 * state.db as settings `query.NAME`.
 */
#ifndef UMX_CONTROLLER_SAVED_H
#define UMX_CONTROLLER_SAVED_H

#include "base/arena.h"
#include "controller/controller.h"
#include "umx/v1/operator.pb-c.h"

enum { UMX_SAVED_NAME_MAX = 64, UMX_SAVED_MAX = 1000 };

struct umx_saved_builtin {
    const char *name;
    const char *description;
    const char *sql;
};

/* Those that come with umx; name NULL ends the list. */
const struct umx_saved_builtin *umx_saved_builtins(void);

/* The SQL of a saved query, in the arena. UMX_ERR_QUERY_UNKNOWN. */
int umx_saved_query(struct umx_controller *controller, const char *name, struct umx_arena *arena, const char **sql,
                    struct umx_error *err);

#endif
