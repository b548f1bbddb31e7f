#include <string.h>

#include "cli/commands.h"
#include "cli/plan_view.h"
#include "cli/value.h"

/* Names of operators by identity, as the directory gave them with a decision or a login ("NAME of FOREST by ..."). */
static json_t *names_of(const json_t *entries)
{
    json_t *names = json_object();

    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i), *approval = json_object_get(entry, "approval");
        const char *login =
            strcmp(umx_value_string(entry, "kind"), "login") == 0 ? umx_value_string(entry, "detail") : "";
        const char *of = strstr(login, " of "), *actor = umx_value_string(entry, "actor");
        if (umx_value_string(approval, "name")[0] != '\0')
            json_object_set(names, actor, json_object_get(approval, "name"));
        else if (of != NULL)
            json_object_set_new(names, actor, json_stringn(login, (size_t)(of - login)));
    }
    return names;
}

/* umx://DEPLOYMENT/operator/S-1-5-21-1-2-3-1105 as a name or …1…1105: a column on a screen has no room for more, and
 * -o json has it all. With the domain's first number: accounts of several forests have the same last one. */
static void add_actor(struct umx_text *out, const char *actor, const json_t *names)
{
    static const char domain[] = "S-1-5-21-";
    const char *name = umx_value_string(names, actor),
               *role = strncmp(actor, "umx://", 6) == 0 ? strchr(actor + 6, '/') : NULL;
    const char *sid = role != NULL ? strchr(role + 1, '/') : NULL, *last = strrchr(actor, '-');

    if (name[0] != '\0')
        umx_text_adds(out, name);
    else if (sid == NULL)
        umx_text_adds(out, actor);
    else if (strncmp(role, "/controller/", 12) == 0)
        umx_text_adds(out, "controller");
    else if (strncmp(sid + 1, domain, sizeof domain - 1) == 0 && last > sid + sizeof domain)
        umx_text_addf(out, "…%.*s…%s", (int)strcspn(sid + sizeof domain, "-"), sid + sizeof domain, last + 1);
    else
        umx_text_adds(out, sid + 1);
}

static json_t *shown_entry(const json_t *entry, const json_t *names)
{
    const char *error = umx_value_string(entry, "error");
    json_t *row = json_copy((json_t *)(uintptr_t)entry);
    struct umx_text actor = {0}, detail = {0};

    add_actor(&actor, umx_value_string(entry, "actor"), names);
    umx_text_addf(&detail, "%s%s%s", error, error[0] != '\0' ? " " : "", umx_value_string(entry, "detail"));
    json_object_set_new(row, "actor", json_string(umx_text_string(&actor)));
    json_object_set_new(row, "detail", json_string(umx_text_string(&detail)));
    umx_text_free(&actor);
    umx_text_free(&detail);
    return row;
}

/* The plan's column is left out where all entries are of one plan. */
void umx_audit_view(struct umx_cli *cli, const struct umx_document *document)
{
    static const struct umx_output_column columns[] = {{"plan", "PLAN", 0},
                                                       {"sequence", "NO", UMX_GRID_RIGHT | UMX_GRID_FIXED},
                                                       {"written_at", "AT", UMX_GRID_FIXED},
                                                       {"kind", "KIND", UMX_GRID_STATUS | UMX_GRID_FIXED},
                                                       {"step", "STEP", UMX_GRID_FIXED},
                                                       {"actor", "BY", UMX_GRID_FIXED},
                                                       {"detail", "DETAIL", 0}};
    const json_t *entries = umx_document_array(document, "entries");
    json_t *rows = json_array(), *names = names_of(entries);
    size_t skip = 1;

    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        json_array_append_new(rows, shown_entry(entry, names));
        if (strcmp(umx_value_string(entry, "plan"), umx_value_string(json_array_get(entries, 0), "plan")) != 0)
            skip = 0;
    }
    umx_output_records(cli, rows, columns + skip, 7 - skip);
    json_decref(rows);
    json_decref(names);
}

UMX_COMMAND(audit)
{
    json_t *arguments = json_object();
    int status = umx_json_number(arguments, "limit", umx_args_value(args, "--limit"), "--limit", err);

    umx_json_text(arguments, "plan", umx_args_value(args, "--plan"));
    if (status == 0)
        status = umx_json_number(arguments, "after", umx_args_value(args, "--after"), "--after", err);
    if (status != 0) {
        json_decref(arguments);
        return status;
    }
    return umx_output_call(cli, "audit", arguments, umx_audit_view, err);
}

static void view_verify(struct umx_cli *cli, const struct umx_document *document)
{
    if (json_is_true(json_object_get(document->root, "intact")))
        fprintf(cli->out, "intact: %lld entries\n", umx_value_integer(document->root, "entries"));
    else
        fprintf(cli->out, "BROKEN at entry %lld of %lld\n", umx_value_integer(document->root, "first_bad"),
                umx_value_integer(document->root, "entries"));
    const json_t *witnesses = umx_document_array(document, "witnesses");
    for (size_t i = 0; i < json_array_size(witnesses); i++)
        fprintf(cli->out, "  %s\n", json_string_value(json_array_get(witnesses, i)));
}

UMX_COMMAND(audit_verify)
{
    struct umx_document document = {0};
    int status = umx_call(cli, "audit.verify", NULL, NULL, &document, err);

    (void)args;
    if (status == 0)
        status = umx_output(cli, &document, view_verify, err);
    if (status == 0 && !json_is_true(json_object_get(document.root, "intact")))
        status = UMX_EXIT_NO;
    umx_document_close(&document);
    return status;
}
