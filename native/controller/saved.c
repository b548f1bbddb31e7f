#include "controller/saved.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "controller/operations.h"
#include "store/query.h"
#include "store/state.h"

static const char prefix[] = "query.";

/* What administrators ask every week. Each answers with what is wrong, and with no row when nothing is. */
static const struct umx_saved_builtin builtins[] = {
    {"expiring-certificates", "certificates of servers that expire within 60 days, or have expired",
     "SELECT server, subject_cn, thumbprint, not_after_at,"
     " CAST(julianday(not_after_at) - julianday('now') AS INTEGER) AS days_left, stale"
     " FROM certificate WHERE store = 'My' AND julianday(not_after_at) < julianday('now') + 60"
     " ORDER BY not_after_at, server"},
    {"um-not-dual", "UM services and call routers of Exchange 2010 and later that do not start in Dual mode",
     "WITH part AS ("
     "SELECT forest, server, 'MSExchangeUM' AS service, um_startup_mode AS mode, version_major, stale"
     " FROM exchange_server WHERE (roles & 16) <> 0 UNION ALL"
     " SELECT forest, server, 'MSExchangeUMCR', call_router_startup_mode, version_major, stale"
     " FROM exchange_server WHERE call_router_dn IS NOT NULL)"
     " SELECT forest, server, service, CASE coalesce(mode, 0) WHEN 0 THEN 'tcp' WHEN 1 THEN 'tls' ELSE 'unknown' END"
     " AS mode, stale FROM part WHERE version_major >= 14 AND coalesce(mode, 0) <> 2 ORDER BY forest, server, service"},
    {"service-before-certificate",
     "UM services that run since before their certificate was valid: they use another one",
     "WITH bound AS ("
     "SELECT server, service, certificate_thumbprint AS thumbprint FROM um_setting UNION"
     " SELECT server, 'MSExchangeUM', um_certificate_thumbprint FROM exchange_server UNION"
     " SELECT server, 'MSExchangeUMCR', call_router_certificate_thumbprint FROM exchange_server)"
     " SELECT DISTINCT s.server, s.name AS service, s.started_at, c.subject_cn, c.not_before_at AS certificate_from,"
     " s.stale FROM service s"
     " JOIN bound b ON lower(b.server) = lower(s.server) AND lower(b.service) = lower(s.name)"
     " JOIN certificate c ON c.server = s.server AND upper(c.thumbprint) = upper(b.thumbprint)"
     " WHERE s.state = 'running' AND julianday(s.started_at) < julianday(c.not_before_at) ORDER BY s.server, s.name"},
    {"dial-plan-gaps", "UM servers and call routers that are missing from a SIP URI dial plan of their forest",
     "WITH part AS ("
     "SELECT forest, server, 'MSExchangeUM' AS service, dial_plan_dn AS plans, stale FROM exchange_server"
     " WHERE (roles & 16) <> 0 UNION ALL"
     " SELECT forest, server, 'MSExchangeUMCR', call_router_dial_plan_dn, stale FROM exchange_server"
     " WHERE call_router_dn IS NOT NULL)"
     " SELECT p.forest, p.server, p.service, d.name AS dial_plan, p.stale FROM part p"
     " JOIN dial_plan d ON lower(d.forest) = lower(p.forest) AND d.uri_type = 'sip_name'"
     " WHERE NOT EXISTS (SELECT 1 FROM json_each(coalesce(p.plans, '[]')) j WHERE lower(j.value) = lower(d.dn))"
     " ORDER BY p.forest, p.server, p.service, d.name"},
    {"pools-without-gateway", "Lync pools with voice users that have no UM IP gateway in an Exchange forest",
     "SELECT f.forest AS exchange_forest, p.forest AS lync_forest, p.pool, p.voice_users, p.stale FROM lync_pool p"
     " JOIN (SELECT DISTINCT forest FROM exchange_server) f"
     " WHERE coalesce(p.voice_users, 0) > 0 AND NOT EXISTS (SELECT 1 FROM ip_gateway g"
     " WHERE lower(g.forest) = lower(f.forest) AND lower(g.address) = lower(p.pool))"
     " ORDER BY f.forest, p.pool"},
    {"agents-out-of-date", "agents of another version than the controller",
     "SELECT server, version, '" UMX_VERSION "' AS wanted, state, last_report_at FROM agent"
     " WHERE coalesce(version, '') NOT IN ('', '" UMX_VERSION "') ORDER BY server"},
    {0},
};

const struct umx_saved_builtin *umx_saved_builtins(void)
{
    return builtins;
}

static const struct umx_saved_builtin *builtin(const char *name)
{
    for (const struct umx_saved_builtin *row = builtins; row->name != NULL; row++)
        if (strcmp(row->name, name) == 0)
            return row;
    return NULL;
}

/* Letters, digits, - . and _, a letter first: nothing that could be an option or a part of another setting's name. */
static int check_name(const char *name, struct umx_error *err)
{
    size_t length = name != NULL ? strlen(name) : 0;
    bool good = length >= 1 && length <= UMX_SAVED_NAME_MAX && isalpha((unsigned char)name[0]);

    for (size_t i = 0; good && i < length; i++)
        good = isalnum((unsigned char)name[i]) || strchr("-._", name[i]) != NULL;
    return good ? 0 : umx_fail(err, UMX_ERR_QUERY_NAME_INVALID, name, NULL);
}

static void key_of(const char *name, char key[UMX_SAVED_NAME_MAX + sizeof prefix])
{
    memcpy(key, prefix, sizeof prefix - 1);
    umx_text_copy(key + sizeof prefix - 1, UMX_SAVED_NAME_MAX + 1, name);
}

static int parse(const char *json, struct umx_arena *arena, Umx__SavedQuery **out, struct umx_error *err)
{
    ProtobufCMessage *message = NULL;
    int status = umx_reflect_from_json(&umx__saved_query__descriptor, json, strlen(json), arena, &message, err);

    *out = (Umx__SavedQuery *)message;
    return status;
}

int umx_saved_query(struct umx_controller *controller, const char *name, struct umx_arena *arena, const char **sql,
                    struct umx_error *err)
{
    const struct umx_saved_builtin *own = builtin(name);
    char key[UMX_SAVED_NAME_MAX + sizeof prefix];
    Umx__SavedQuery *query = NULL;
    char *json = NULL;

    if (own != NULL) {
        *sql = own->sql;
        return 0;
    }
    int status = check_name(name, err);
    if (status != 0)
        return status;
    key_of(name, key);
    status = umx_state_get(controller->state, key, &json, err);
    if (status == 0 && json == NULL)
        status = umx_fail(err, UMX_ERR_QUERY_UNKNOWN, name, NULL);
    if (status == 0)
        status = parse(json, arena, &query, err);
    free(json);
    if (status == 0)
        *sql = query->sql;
    return status;
}

/* ---- the operations */

static int no_row(void *user, const char *json, size_t length)
{
    (void)user;
    (void)json;
    (void)length;
    return 0;
}

/* The SQL is understood and allowed: that is all that is wanted of it now. */
static int stop(void *user, const struct umx_table *const *tables, size_t count)
{
    (void)tables;
    (void)count;
    *(bool *)user = true;
    return UMX_E_CANCELLED;
}

static int check_sql(struct umx_operation *operation, const char *sql, struct umx_error *err)
{
    bool understood = false;
    struct umx_query query = {.sql = sql, .row = no_row, .before = stop, .user = &understood};

    if (sql == NULL || sql[0] == '\0')
        return umx_fail(err, UMX_ERR_SQL_INVALID, "query", "no SQL was given");
    int status = umx_query_run(operation->controller->state, &query, err);
    return understood ? 0 : status;
}

static int count_one(void *user, const char *name, const char *value)
{
    (void)name;
    (void)value;
    ++*(size_t *)user;
    return 0;
}

int umx_operation_query_save(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__QuerySaveArguments *arguments = (const Umx__QuerySaveArguments *)operation->arguments;
    struct umx_state *state = operation->controller->state;
    char key[UMX_SAVED_NAME_MAX + sizeof prefix];
    Umx__SavedQuery query = UMX__SAVED_QUERY__INIT;
    struct umx_text json = {0};
    char *there = NULL;
    size_t count = 0;
    int status = check_name(arguments->name, err);

    if (status == 0 && builtin(arguments->name) != NULL)
        status = umx_fail(err, UMX_ERR_QUERY_EXISTS, arguments->name, "it comes with umx: choose another name");
    if (status == 0)
        status = check_sql(operation, arguments->sql, err);
    if (status != 0)
        return status;
    key_of(arguments->name, key);
    status = umx_state_get(state, key, &there, err);
    if (status == 0 && there != NULL && !arguments->replace)
        status = umx_fail(err, UMX_ERR_QUERY_EXISTS, arguments->name, NULL);
    if (status == 0 && there == NULL)
        status = umx_state_each_setting(state, prefix, count_one, &count, err);
    if (status == 0 && count >= UMX_SAVED_MAX)
        status = umx_fail(err, UMX_ERR_QUERY_EXISTS, arguments->name, "%d queries are saved: delete one first",
                          UMX_SAVED_MAX);
    query.name = arguments->name;
    query.sql = arguments->sql;
    query.description = arguments->description;
    query.author = umx_arena_string(operation->arena, operation->caller->uri);
    query.has_saved_at = 1;
    query.saved_at = umx_clock_now();
    umx_reflect_json(&query.base, &json);
    if (status == 0)
        status = json.failed ? umx_fail(err, UMX_ERR_MEMORY, arguments->name, NULL)
                             : umx_state_set(state, key, umx_text_string(&json), err);
    if (status == 0)
        status = umx_operation_item(operation, "queries", &query.base, err);
    umx_text_free(&json);
    free(there);
    return status;
}

int umx_operation_query_delete(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__QueryNameArguments *arguments = (const Umx__QueryNameArguments *)operation->arguments;
    char key[UMX_SAVED_NAME_MAX + sizeof prefix];
    const char *sql;
    int status = check_name(arguments->name, err);

    if (status == 0 && builtin(arguments->name) != NULL)
        status = umx_fail(err, UMX_ERR_QUERY_EXISTS, arguments->name, "it comes with umx and stays");
    if (status == 0)
        status = umx_saved_query(operation->controller, arguments->name, operation->arena, &sql, err);
    if (status != 0)
        return status;
    key_of(arguments->name, key);
    status = umx_state_set(operation->controller->state, key, NULL, err);
    if (status == 0)
        umx_operation_end_string(operation, "name", arguments->name);
    return status;
}

struct listing {
    struct umx_arena *arena;
    Umx__SavedQuery *queries[UMX_SAVED_MAX];
    size_t count;
};

static int list_one(void *user, const char *name, const char *value)
{
    struct listing *listing = user;

    (void)name;
    /* One that cannot be read any more is left out of the list; running it says why. */
    if (listing->count < UMX_SAVED_MAX && parse(value, listing->arena, &listing->queries[listing->count], NULL) == 0)
        listing->count++;
    return 0;
}

int umx_operation_query_list(struct umx_operation *operation, struct umx_error *err)
{
    struct listing *listing = umx_arena_alloc(operation->arena, sizeof *listing);
    int status = 0;

    if (listing == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, "queries", NULL);
    *listing = (struct listing){.arena = operation->arena};
    for (const struct umx_saved_builtin *row = builtins; status == 0 && row->name != NULL; row++) {
        Umx__SavedQuery query = UMX__SAVED_QUERY__INIT;
        query.name = umx_arena_string(operation->arena, row->name);
        query.sql = umx_arena_string(operation->arena, row->sql);
        query.description = umx_arena_string(operation->arena, row->description);
        query.has_built_in = query.built_in = 1;
        status = umx_operation_item(operation, "queries", &query.base, err);
    }
    if (status == 0)
        status = umx_state_each_setting(operation->controller->state, prefix, list_one, listing, err);
    for (size_t i = 0; status == 0 && i < listing->count; i++)
        status = umx_operation_item(operation, "queries", &listing->queries[i]->base, err);
    return status;
}
