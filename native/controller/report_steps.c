/* The page's differences: one section a step, each attribute or field with its values before and after. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/reflect.h"
#include "controller/report.h"

enum { ATTRIBUTES_MAX = 4096 };

/* ---- images of objects */

static const Umx__AttributeValues *find(const Umx__Image *image, const char *name)
{
    for (size_t i = 0; image != NULL && i < image->n_attribute; i++)
        if (umx_text_equal(image->attribute[i]->name, name))
            return image->attribute[i];
    return NULL;
}

static bool has_value(const Umx__AttributeValues *values, const char *value)
{
    for (size_t i = 0; values != NULL && i < values->n_value; i++)
        if (strcmp(values->value[i], value) == 0)
            return true;
    return false;
}

static bool has_binary(const Umx__AttributeValues *values, const ProtobufCBinaryData *value)
{
    for (size_t i = 0; values != NULL && i < values->n_binary; i++)
        if (values->binary[i].len == value->len && memcmp(values->binary[i].data, value->data, value->len) == 0)
            return true;
    return false;
}

static void add_value(struct umx_text *out, const char *mark, const char *text)
{
    umx_text_adds(out, "<span class=\"value\">");
    if (mark != NULL)
        umx_text_addf(out, "<%s>", mark);
    umx_report_text(out, text);
    if (mark != NULL)
        umx_text_addf(out, "</%s>", mark);
    umx_text_adds(out, "</span>");
}

/* The values, marked where the other image does not have them. */
static void add_values(struct umx_text *out, const Umx__AttributeValues *values, const Umx__AttributeValues *other,
                       const char *mark)
{
    for (size_t i = 0; values != NULL && i < values->n_value; i++)
        add_value(out, has_value(other, values->value[i]) ? NULL : mark, values->value[i]);
    for (size_t i = 0; values != NULL && i < values->n_binary; i++) {
        struct umx_text hex = {0};
        umx_text_adds(&hex, "hex ");
        umx_text_add_hex(&hex, values->binary[i].data, values->binary[i].len);
        add_value(out, has_binary(other, &values->binary[i]) ? NULL : mark, umx_text_string(&hex));
        umx_text_free(&hex);
    }
}

static void add_attribute(struct umx_text *out, const char *name, const Umx__Image *before, const Umx__Image *after,
                          const Umx__Image *found)
{
    umx_text_adds(out, "<tr><td>");
    umx_report_text(out, name);
    umx_text_adds(out, "</td><td>");
    add_values(out, find(before, name), find(after, name), "del");
    umx_text_adds(out, "</td><td>");
    add_values(out, find(after, name), find(before, name), "ins");
    if (found != NULL) {
        umx_text_adds(out, "</td><td>");
        add_values(out, find(found, name), find(found, name), NULL);
    }
    umx_text_adds(out, "</td></tr>\n");
}

static void add_access(struct umx_text *out, const Umx__Image *image, const Umx__Image *other, const char *mark)
{
    for (size_t i = 0; image != NULL && i < image->n_access; i++) {
        bool there = mark == NULL;
        for (size_t k = 0; other != NULL && k < other->n_access; k++)
            there = there || strcmp(other->access[k], image->access[i]) == 0;
        add_value(out, there ? NULL : mark, image->access[i]);
    }
}

static bool has_images(const Umx__Image *image)
{
    return image != NULL && (image->n_attribute > 0 || image->n_access > 0);
}

/* found: the object as it was just before the change was sent; NULL: it was not sent yet. */
static void add_images(struct umx_text *out, const Umx__Image *before, const Umx__Image *after, const Umx__Image *found)
{
    const Umx__Image *images[] = {before, after, found};

    if (!has_images(before) && !has_images(after))
        return;
    umx_text_addf(out, "<table><thead><tr><th>Attribute</th><th>Before</th><th>After</th>%s</tr></thead><tbody>\n",
                  found != NULL ? "<th>Found when it was sent</th>" : "");
    for (size_t m = 0; m < 3; m++)
        for (size_t i = 0; images[m] != NULL && i < images[m]->n_attribute && i < ATTRIBUTES_MAX; i++) {
            const char *name = images[m]->attribute[i]->name;
            bool said = false;
            for (size_t k = 0; k < m; k++)
                said = said || find(images[k], name) != NULL;
            if (!said)
                add_attribute(out, name, before, after, found);
        }
    if ((before != NULL && before->n_access > 0) || (after != NULL && after->n_access > 0)) {
        umx_text_adds(out, "<tr><td>access</td><td>");
        add_access(out, before, after, "del");
        umx_text_adds(out, "</td><td>");
        add_access(out, after, before, "ins");
        if (found != NULL) {
            umx_text_adds(out, "</td><td>");
            add_access(out, found, found, NULL);
        }
        umx_text_adds(out, "</td></tr>\n");
    }
    umx_text_adds(out, "</tbody></table>\n");
}

/* ---- records that a step promises or takes away */

static void add_record(struct umx_text *out, const char *mark, const struct umx_table *table,
                       const ProtobufCMessage *record)
{
    struct umx_text line = {0}, scratch = {0};

    umx_text_addf(&line, "%s:", table->name);
    for (unsigned i = 0; i < table->record->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &table->record->fields[i];
        struct umx_cell cell = umx_reflect_cell(record, field, &scratch);
        if (cell.type == UMX_CELL_INTEGER)
            umx_text_addf(&line, " %s=%lld", field->name, (long long)cell.integer);
        else if (cell.type == UMX_CELL_TEXT && strcmp(cell.text, "[]") != 0)
            umx_text_addf(&line, " %s=%s", field->name, cell.text);
    }
    add_value(out, mark, umx_text_string(&line));
    umx_text_free(&line);
    umx_text_free(&scratch);
}

static void add_records(struct umx_text *out, const char *title, const char *mark, const Umx__World *world)
{
    size_t tables;
    const struct umx_table *all = umx_reflect_tables(&tables);
    bool any = false;

    for (size_t t = 0; world != NULL && t < tables; t++) {
        size_t count = 0;
        ProtobufCMessage **records = all[t].derived ? NULL : umx_world_table(world, &all[t], &count);
        for (size_t i = 0; i < count; i++) {
            if (!any)
                umx_text_addf(out, "<tr><th>%s</th><td>", title);
            any = true;
            add_record(out, mark, &all[t], records[i]);
        }
    }
    if (any)
        umx_text_adds(out, "</td></tr>\n");
}

/* ---- what is done */

static void row(struct umx_text *out, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    umx_text_addf(out, "<tr><th>%s</th><td>", name);
    add_value(out, NULL, value);
    umx_text_adds(out, "</td></tr>\n");
}

static void rows(struct umx_text *out, const char *name, char *const *values, size_t count)
{
    if (count == 0)
        return;
    umx_text_addf(out, "<tr><th>%s</th><td>", name);
    for (size_t i = 0; i < count; i++)
        add_value(out, NULL, values[i]);
    umx_text_adds(out, "</td></tr>\n");
}

static void add_change(struct umx_text *out, const Umx__PlanStep *step)
{
    const Umx__Change *change = step->change;

    if (change == NULL)
        return;
    if (step->target == NULL || change->dn == NULL || strcmp(step->target, change->dn) != 0)
        row(out, "Object", change->dn);
    if (change->access != NULL) {
        row(out, change->access->add ? "Adds the entry" : "Removes the entry", change->access->sddl);
        row(out, "Trustee", change->access->trustee_name);
    }
    if (change->action != NULL) {
        row(out, "Server", change->action->server);
        row(out, "Action", change->action->action);
        row(out, "As", change->action->identity);
        rows(out, "Items", change->action->item, change->action->n_item);
    }
    if (change->gate != NULL) {
        row(out, "Why a person", change->gate->reason);
        rows(out, "To run", change->gate->command, change->gate->n_command);
        rows(out, "Then passes", change->gate->check, change->gate->n_check);
    }
    if (change->wait != NULL) {
        char limit[64];
        snprintf(limit, sizeof limit, "at most %d s", change->wait->timeout);
        row(out, "Waits for", change->wait->what);
        row(out, "On", change->wait->server);
        row(out, "Limit", limit);
    }
}

static void add_step(const struct umx_report *report, size_t number, struct umx_text *out)
{
    const Umx__PlanStep *step = report->view->steps[number];
    char state[24], kind[24];

    umx_text_adds(out, "<section class=\"step\"><h3>");
    umx_report_text(out, step->id);
    umx_text_addf(out, " &#183; %s &#183; %s &#183; ",
                  umx_reflect_word(&umx__plan_step__state__descriptor, (int)step->state, state),
                  umx_reflect_word(&umx__change__kind__descriptor, (int)step->kind, kind));
    umx_report_text(out, step->summary);
    umx_text_adds(out, "</h3>\n<table class=\"facts\">\n");
    row(out, "Phase", step->phase);
    row(out, "Target", step->target);
    add_change(out, step);
    rows(out, "After the steps", step->depends, step->n_depends);
    row(out, "Groups", step->groups);
    row(out, "Writer account", step->permission);
    row(out, step->has_irreversible && step->irreversible ? "Cannot be undone" : "Undo", step->undo);
    row(out, "Undoes the step", step->undoes);
    row(out, "Error", step->error);
    add_records(out, "Is so now", "del", step->original);
    add_records(out, "Will be so", "ins", step->predicted);
    add_records(out, "Will be gone", "del", step->removed);
    umx_text_adds(out, "</table>\n");
    add_images(out, step->before, step->after, report->found != NULL ? report->found[number] : NULL);
    umx_text_adds(out, "</section>\n");
}

void umx_report_steps(const struct umx_report *report, const char *forest, struct umx_text *out)
{
    const struct umx_engine_view *view = report->view;
    size_t count = 0;

    for (size_t i = 0; i < view->step_count; i++)
        count += umx_text_equal(view->steps[i]->forest, forest);
    if (count == 0)
        return;
    umx_text_adds(out, "<h2>Forest ");
    umx_report_text(out, forest);
    umx_text_addf(out, ": %zu step%s</h2>\n", count, count == 1 ? "" : "s");
    for (size_t i = 0; i < view->step_count; i++)
        if (umx_text_equal(view->steps[i]->forest, forest))
            add_step(report, i, out);
}
