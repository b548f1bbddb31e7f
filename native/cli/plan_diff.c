/* The difference that a step makes, written like the changes of an LDIF: what a change board can read and keep. */
#include <string.h>

#include "cli/plan_view.h"
#include "cli/value.h"
#include "cli/width.h"

enum { SUBJECT = ' ', GOES = '-', COMES = '+' };

/* One line; long values are never cut or wrapped: this is what gets approved. */
static void put(struct umx_cli *cli, char sign, const char *name, const char *value)
{
    struct umx_text line = {0};
    const char *color = sign == GOES ? "31" : sign == COMES ? "32" : NULL;

    umx_width_add_printable(&line, name);
    if (name[0] != '\0')
        umx_text_adds(&line, ": ");
    umx_width_add_printable(&line, value);
    for (size_t i = 0; i < line.length; i++) /* a line end in a value must not look like another line */
        if (line.data[i] == '\n')
            line.data[i] = ' ';
    if (cli->style.color && color != NULL)
        fprintf(cli->out, "  \033[%sm%c %s\033[0m\n", color, sign, umx_text_string(&line));
    else
        fprintf(cli->out, "  %c %s\n", sign, umx_text_string(&line));
    umx_text_free(&line);
}

static void put_all(struct umx_cli *cli, char sign, const char *name, const json_t *values)
{
    for (size_t i = 0; i < json_array_size(values); i++) {
        struct umx_text text = {0};
        umx_value_add_exact(&text, json_array_get(values, i));
        put(cli, sign, name, umx_text_string(&text));
        umx_text_free(&text);
    }
}

/* A list of AttributeValues; bytes are marked as hex. */
static void put_attributes(struct umx_cli *cli, char sign, const json_t *attributes)
{
    for (size_t i = 0; i < json_array_size(attributes); i++) {
        const json_t *attribute = json_array_get(attributes, i);
        struct umx_text hex = {0};
        put_all(cli, sign, umx_value_string(attribute, "name"), json_object_get(attribute, "value"));
        umx_text_addf(&hex, "%s (hex)", umx_value_string(attribute, "name"));
        put_all(cli, sign, umx_text_string(&hex), json_object_get(attribute, "binary"));
        umx_text_free(&hex);
    }
}

static void show_add(struct umx_cli *cli, const json_t *step, const json_t *change)
{
    (void)step;
    put_attributes(cli, COMES, json_object_get(change, "attribute"));
}

static void show_delete(struct umx_cli *cli, const json_t *step, const json_t *change)
{
    (void)change;
    put_attributes(cli, GOES, json_object_get(json_object_get(step, "before"), "attribute"));
}

static void show_modify(struct umx_cli *cli, const json_t *step, const json_t *change)
{
    const json_t *modify = json_object_get(change, "modify");

    (void)step;
    for (size_t i = 0; i < json_array_size(modify); i++) {
        const json_t *one = json_array_get(modify, i);
        put_all(cli, GOES, umx_value_string(one, "name"), json_object_get(one, "remove"));
        put_all(cli, COMES, umx_value_string(one, "name"), json_object_get(one, "add"));
    }
}

static void show_access(struct umx_cli *cli, const json_t *step, const json_t *change)
{
    const json_t *access = json_object_get(change, "access");
    const char *name = umx_value_string(access, "trustee_name");
    struct umx_text line = {0};

    (void)step;
    umx_text_adds(&line, umx_value_string(access, "sddl"));
    umx_text_addf(&line, "  %s", name[0] != '\0' ? name : umx_value_string(access, "trustee_sid"));
    put(cli, json_is_true(json_object_get(access, "add")) ? COMES : GOES, "access", umx_text_string(&line));
    umx_text_free(&line);
}

/* {"name":"A","numbers":"1\n2"} as `name=A, numbers=1; 2`: what an agent is told about one item. */
static void put_items(struct umx_cli *cli, const json_t *items)
{
    for (size_t i = 0; i < json_array_size(items); i++) {
        const char *text = json_string_value(json_array_get(items, i)), *key;
        json_t *item = text != NULL && text[0] == '{' ? json_loads(text, 0, NULL) : NULL, *value;
        struct umx_text line = {0};
        json_object_foreach(item, key, value)
        {
            umx_text_addf(&line, "%s%s=", line.length > 0 ? ", " : "", key);
            for (const char *at = json_string_value(value); at != NULL && *at != '\0';) {
                size_t length = strcspn(at, "\n");
                umx_text_add(&line, at, length);
                at += length + (at[length] != '\0');
                umx_text_adds(&line, *at != '\0' ? "; " : "");
            }
        }
        put(cli, COMES, "item", item != NULL ? umx_text_string(&line) : text != NULL ? text : "");
        umx_text_free(&line);
        json_decref(item);
    }
}

static void show_action(struct umx_cli *cli, const json_t *step, const json_t *change)
{
    const json_t *action = json_object_get(change, "action");

    (void)step;
    put(cli, SUBJECT, "server", umx_value_string(action, "server"));
    put(cli, SUBJECT, "action", umx_value_string(action, "action"));
    put(cli, SUBJECT, "as", umx_value_string(action, "identity"));
    put_items(cli, json_object_get(action, "item"));
}

static void show_gate(struct umx_cli *cli, const json_t *step, const json_t *change)
{
    const json_t *gate = json_object_get(change, "gate");

    (void)step;
    put(cli, SUBJECT, "reason", umx_value_string(gate, "reason"));
    put_all(cli, SUBJECT, "run", json_object_get(gate, "command"));
    put_all(cli, SUBJECT, "then passes", json_object_get(gate, "check"));
}

static void show_wait(struct umx_cli *cli, const json_t *step, const json_t *change)
{
    const json_t *wait = json_object_get(change, "wait");
    struct umx_text line = {0};

    (void)step;
    umx_text_addf(&line, "%s, at most %lld s", umx_value_string(wait, "what"), umx_value_integer(wait, "timeout"));
    put(cli, SUBJECT, "for", umx_text_string(&line));
    if (umx_value_string(wait, "server")[0] != '\0')
        put(cli, SUBJECT, "on", umx_value_string(wait, "server"));
    umx_text_free(&line);
}

static const struct {
    const char *kind;
    void (*show)(struct umx_cli *cli, const json_t *step, const json_t *change);
} kinds[] = {
    {"add", show_add},       {"delete", show_delete}, {"modify", show_modify}, {"access", show_access},
    {"action", show_action}, {"gate", show_gate},     {"wait", show_wait},
};

/* A change whose details this version does not know (an older or newer controller): both images in full. */
static void show_images(struct umx_cli *cli, const json_t *step)
{
    put_attributes(cli, GOES, json_object_get(json_object_get(step, "before"), "attribute"));
    put_all(cli, GOES, "access", json_object_get(json_object_get(step, "before"), "access"));
    put_attributes(cli, COMES, json_object_get(json_object_get(step, "after"), "attribute"));
    put_all(cli, COMES, "access", json_object_get(json_object_get(step, "after"), "access"));
}

/* Records that a step promises: their fields that count. */
static void put_records(struct umx_cli *cli, char sign, const json_t *world)
{
    const char *table, *field;
    json_t *records, *value;

    json_object_foreach((json_t *)(uintptr_t)world, table, records)
    {
        for (size_t i = 0; json_is_array(records) && i < json_array_size(records); i++) {
            struct umx_text line = {0};
            json_object_foreach(json_array_get(records, i), field, value)
            {
                struct umx_text cell = {0};
                umx_value_add_text(&cell, value);
                if (cell.length > 0)
                    umx_text_addf(&line, "%s%s=%s", line.length > 0 ? ", " : "", field, umx_text_string(&cell));
                umx_text_free(&cell);
            }
            put(cli, sign, table, umx_text_string(&line));
            umx_text_free(&line);
        }
    }
}

static void put_member(struct umx_cli *cli, const char *name, const json_t *step, const char *key)
{
    struct umx_text text = {0};

    umx_value_add_text(&text, json_object_get(step, key));
    if (text.length > 0)
        put(cli, SUBJECT, name, umx_text_string(&text));
    umx_text_free(&text);
}

void umx_plan_diff_step(struct umx_cli *cli, const json_t *step)
{
    const json_t *change = json_object_get(step, "change");
    const char *kind = umx_value_string(step, "kind"), *dn = umx_value_string(change, "dn");
    struct umx_text head = {0}, clean = {0};
    bool known = false;

    umx_text_addf(&head, "%s %s %s: %s", umx_value_string(step, "id"), umx_value_string(step, "state"), kind,
                  umx_value_string(step, "summary"));
    umx_width_add_printable(&clean, umx_text_string(&head));
    fprintf(cli->out, "\n%s\n", umx_text_string(&clean));
    put(cli, SUBJECT, dn[0] != '\0' ? "dn" : "target", dn[0] != '\0' ? dn : umx_value_string(step, "target"));
    for (size_t i = 0; json_is_object(change) && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].kind, kind) == 0) {
            kinds[i].show(cli, step, change);
            known = true;
        }
    if (!known)
        show_images(cli, step);
    put_records(cli, GOES, json_object_get(step, "original"));
    put_records(cli, GOES, json_object_get(step, "removed"));
    put_records(cli, COMES, json_object_get(step, "predicted"));
    put_member(cli, "groups", step, "groups");
    put_member(cli, "writer account", step, "permission");
    put_member(cli, "after", step, "depends");
    put_member(cli, json_is_true(json_object_get(step, "irreversible")) ? "IRREVERSIBLE" : "undo", step, "undo");
    if (umx_value_string(step, "error")[0] != '\0')
        put(cli, SUBJECT, "error", umx_value_string(step, "error"));
    umx_text_free(&head);
    umx_text_free(&clean);
}
