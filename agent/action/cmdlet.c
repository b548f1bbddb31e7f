#include "agent/action/cmdlet.h"

#include <string.h>

#include "agent/collect/collect.h"
#include "agent/collect/shell_text.h"
#include "agent/host/shell.h"
#include "base/clock.h"
#include "base/reflect.h"

/* Loading the products' commands takes many seconds, on a server that is busy even more. */
#define SHELL_START (180 * UMX_SECOND)

enum { ANSWER_ARENA = 4 * 1024 * 1024 };

/* The first record of an answer; NULL and an error when it has none, or tells of an error. */
static const struct umx_shell_record *judge(const char *what, const char *text, size_t length, struct umx_arena *arena,
                                            struct umx_error *err)
{
    struct umx_shell_record *records = NULL;
    size_t count = 0;

    if (umx_shell_parse(text, length, arena, &records, &count, err) != 0)
        return NULL;
    if (count != 1) {
        umx_fail(err, UMX_ERR_SHELL_OUTPUT_INVALID, what, "not one record");
        return NULL;
    }
    const char *error = umx_shell_value(records, "error", 0);
    const char *id = umx_shell_value(records, "error_id", 0);
    if (error != NULL)
        umx_fail(err, UMX_ERR_CMDLET_FAILED, what, "%s%s%s%s", error, id != NULL ? " (" : "", id != NULL ? id : "",
                 id != NULL ? ")" : "");
    else if (!umx_text_equal(umx_shell_value(records, "state", 0), "ok"))
        umx_fail(err, UMX_ERR_SHELL_OUTPUT_INVALID, what, "the record does not end as the script ends it");
    else
        return records;
    return NULL;
}

static int failed(const struct umx_error *err)
{
    return err->status != 0 ? err->status : UMX_E_IO;
}

/* A shell that did not answer is of no use any more: what it does now is its own business, until it is ended. */
static void give_up(struct umx_act *act)
{
    umx_host_shell_close(act->shell);
    act->shell = NULL;
}

static int open_shell(struct umx_act *act, struct umx_arena *arena, struct umx_error *err)
{
    char *text = NULL;
    size_t length = 0;
    struct umx_text script = {0};

    umx_cmdlet_script(act->action, &script);
    int status = script.failed ? umx_fail(err, UMX_ERR_MEMORY, act->action->name, NULL)
                               : umx_host_shell_open(act->host, umx_text_string(&script), &act->shell, err);
    umx_text_free(&script);
    if (status == 0)
        status = umx_host_shell_answer(act->shell, arena, SHELL_START, &text, &length, err);
    if (status == 0 && judge(act->action->name, text, length, arena, err) == NULL)
        status = failed(err);
    if (status != 0)
        give_up(act);
    return status;
}

static int request_of(const struct umx_act *act, const char *verb, const char *item, struct umx_text *lines,
                      struct umx_error *err)
{
    umx_shell_write(lines, "verb", verb);
    int status = umx_parameters_write(act->action->cmdlet->parameters, item, act->host->identity.fqdn, lines, err);
    umx_text_adds(lines, "\n");
    if (status == 0 && lines->failed)
        status = umx_fail(err, UMX_ERR_MEMORY, act->action->name, NULL);
    return status;
}

/* *refused: the script itself answered with an error, so the shell is as good as before. */
static int exchange(struct umx_act *act, const char *verb, const char *item, struct umx_text *answer, bool *refused,
                    struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(ANSWER_ARENA);
    struct umx_text lines = {0};
    struct umx_error own = {0};
    char *text = NULL;
    size_t length = 0;
    int status = arena == NULL ? umx_fail(&own, UMX_ERR_MEMORY, act->action->name, NULL)
                               : request_of(act, verb, item, &lines, &own);

    *refused = false;
    if (status == 0 && act->shell == NULL)
        status = open_shell(act, arena, &own);
    if (status == 0) {
        status = umx_host_shell_send(act->shell, lines.data, lines.length, act->timeout, &own);
        if (status == 0)
            status = umx_host_shell_answer(act->shell, arena, act->timeout, &text, &length, &own);
        if (status != 0)
            give_up(act);
    }
    if (status == 0 && judge(act->action->name, text, length, arena, &own) == NULL) {
        status = failed(&own);
        *refused = own.id == UMX_ERR_CMDLET_FAILED;
        if (!*refused)
            give_up(act);
    }
    if (status == 0)
        umx_text_add(answer, text, length);
    if (err != NULL && status != 0)
        *err = own;
    umx_text_free(&lines);
    umx_arena_free(arena);
    return status;
}

int umx_cmdlet_do(struct umx_act *act, const char *verb, const char *item, struct umx_text *answer,
                  struct umx_error *err)
{
    bool refused;

    return exchange(act, verb, item, answer, &refused, err);
}

/* ---- answers */

/* One name's values joined by line breaks, as JSON. */
static void add_values(const struct umx_shell_record *record, const char *name, const char *field,
                       struct umx_text *json)
{
    struct umx_text joined = {0};
    const char *value;

    for (size_t i = 0; (value = umx_shell_value(record, name, i)) != NULL; i++)
        umx_text_addf(&joined, "%s%s", i > 0 ? "\n" : "", value);
    umx_text_adds(json, json->length > 1 ? "," : "");
    umx_reflect_json_string(json, field);
    umx_text_adds(json, ":");
    umx_reflect_json_string(json, umx_text_string(&joined));
    json->failed = json->failed || joined.failed;
    umx_text_free(&joined);
}

static void add_fields(const struct umx_shell_record *record, const char *prefix, struct umx_text *json)
{
    size_t length = strlen(prefix);

    for (size_t i = 0; i < record->count; i++) {
        const char *name = record->fields[i].name;
        bool first = strncmp(name, prefix, length) == 0;
        for (size_t j = 0; j < i && first; j++)
            first = !umx_text_equal(record->fields[j].name, name);
        if (first)
            add_values(record, name, name + length, json);
    }
}

static const struct umx_shell_record *parse(const char *text, struct umx_arena *arena)
{
    struct umx_shell_record *records = NULL;
    size_t count = 0;

    return umx_shell_parse(text, strlen(text), arena, &records, &count, NULL) == 0 && count == 1 ? records : NULL;
}

/* The result: what was there before, and what is there after. */
static int result(const char *before, const char *after, struct umx_text *json, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(ANSWER_ARENA);
    const struct umx_shell_record *old = arena != NULL ? parse(before, arena) : NULL;
    const struct umx_shell_record *now = arena != NULL ? parse(after, arena) : NULL;
    int status = old == NULL || now == NULL ? umx_fail(err, UMX_ERR_MEMORY, "result", NULL) : 0;

    if (status == 0) {
        umx_text_adds(json, "{");
        add_fields(old, "before:", json);
        add_fields(now, "result:", json);
        umx_text_adds(json, "}");
    }
    umx_arena_free(arena);
    return status;
}

static bool says_yes(const char *text, const char *name)
{
    struct umx_arena *arena = umx_arena_new(ANSWER_ARENA);
    const struct umx_shell_record *record = arena != NULL ? parse(text, arena) : NULL;
    bool is = record != NULL && umx_text_equal(umx_shell_value(record, name, 0), "yes");

    umx_arena_free(arena);
    return is;
}

static bool reached(const char *text)
{
    return says_yes(text, "reached");
}

/* What is missing where a part is there; false: nothing is said to be. */
static bool missing(const char *text, struct umx_text *out)
{
    struct umx_arena *arena = umx_arena_new(ANSWER_ARENA);
    const struct umx_shell_record *record = arena != NULL ? parse(text, arena) : NULL;
    const char *what;

    for (size_t i = 0; record != NULL && (what = umx_shell_value(record, "missing", i)) != NULL; i++)
        umx_text_addf(out, "%s%s", out->length > 0 ? ", " : "", what);
    umx_arena_free(arena);
    return out->length > 0;
}

static int fail_part(const struct umx_act *act, struct umx_text *lacking, const char *refusal, struct umx_error *err)
{
    return umx_fail(err, UMX_ERR_ACTION_HALF_DONE, act->action->name, "missing: %s%s%s", umx_text_string(lacking),
                    refusal != NULL ? "; the shell said: " : "", refusal != NULL ? refusal : "");
}

/* ---- the parts of an action */

int umx_cmdlet_check(struct umx_act *act, const char *item, struct umx_error *err)
{
    struct umx_text lines = {0};
    int status = request_of(act, "read", item, &lines, err);

    umx_text_free(&lines);
    return status;
}

int umx_cmdlet_before(struct umx_act *act, const char *item, struct umx_text *before, struct umx_error *err)
{
    int status = umx_cmdlet_do(act, "read", item, before, err);

    if (status == 0 && before->length >= UMX_ACTION_JOURNAL_TEXT_MAX)
        return umx_fail(err, UMX_ERR_SHELL_OUTPUT_INVALID, act->action->name,
                        "the state before is larger than the journal keeps");
    if (status == 0 && act->action->cmdlet->makes && reached(umx_text_string(before)))
        return umx_fail(err, UMX_ERR_ACTION_THERE_ALREADY, act->action->name, NULL);
    return status;
}

enum umx_action_probe umx_cmdlet_probe(struct umx_act *act, const char *item, const char *before,
                                       struct umx_text *detail)
{
    struct umx_text now = {0};
    enum umx_action_probe probe = UMX_ACTION_UNCERTAIN;

    if (umx_cmdlet_do(act, "read", item, &now, NULL) != 0)
        probe = UMX_ACTION_UNCERTAIN;
    else if (reached(umx_text_string(&now)))
        probe = result(before, umx_text_string(&now), detail, NULL) == 0 ? UMX_ACTION_DONE : UMX_ACTION_UNCERTAIN;
    else if (strcmp(umx_text_string(&now), before) == 0 || says_yes(umx_text_string(&now), "again"))
        probe = UMX_ACTION_NOT_DONE;
    else if (missing(umx_text_string(&now), detail))
        probe = UMX_ACTION_PART;
    umx_text_free(&now);
    return probe;
}

int umx_cmdlet_run(struct umx_act *act, const char *item, const char *before, struct umx_text *detail,
                   struct umx_error *err)
{
    struct umx_text after = {0}, found = {0};
    struct umx_error why;
    bool refused = false;
    int status;

    if (reached(before)) {
        status = result(before, before, detail, err); /* it is so already: there is nothing to do */
    } else if ((status = exchange(act, "do", item, &after, &refused, err)) == 0) {
        status = result(before, umx_text_string(&after), detail, err);
    } else if (refused) {
        /* One of several cmdlets said no: what those before it made is told. */
        why = *err;
        if (umx_cmdlet_probe(act, item, before, &found) == UMX_ACTION_PART)
            status = fail_part(act, &found, why.why, err);
    } else {
        /* The shell did not say what became of it: another one looks. */
        switch (umx_cmdlet_probe(act, item, before, &found)) {
        case UMX_ACTION_DONE:
            umx_text_adds(detail, umx_text_string(&found));
            status = 0;
            break;
        case UMX_ACTION_NOT_DONE:
            break;
        case UMX_ACTION_PART:
            status = fail_part(act, &found, NULL, err);
            break;
        case UMX_ACTION_UNCERTAIN:
            status = umx_fail(err, UMX_ERR_ACTION_UNCERTAIN, act->action->name, NULL);
            break;
        }
    }
    umx_text_free(&found);
    umx_text_free(&after);
    return status;
}
