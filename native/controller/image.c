#include "controller/engine_private.h"

#include <string.h>

#include "directory/sddl.h"

/* ---- values */

bool umx_image_value_equal(const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return true;
    return strchr(a, '=') != NULL && strchr(a, ',') != NULL && umx_text_dn_equal(a, b);
}

const Umx__AttributeValues *umx_image_find(Umx__AttributeValues *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (umx_text_equal(list[i]->name, name))
            return list[i];
    return NULL;
}

static bool has_text(const Umx__AttributeValues *values, const char *wanted)
{
    for (size_t i = 0; values != NULL && i < values->n_value; i++)
        if (umx_image_value_equal(values->value[i], wanted))
            return true;
    return false;
}

static bool has_binary(const Umx__AttributeValues *values, const ProtobufCBinaryData *wanted)
{
    for (size_t i = 0; values != NULL && i < values->n_binary; i++)
        if (values->binary[i].len == wanted->len && memcmp(values->binary[i].data, wanted->data, wanted->len) == 0)
            return true;
    return false;
}

/* Every value of a is one of b. */
static bool within(const Umx__AttributeValues *a, const Umx__AttributeValues *b)
{
    for (size_t i = 0; a != NULL && i < a->n_value; i++)
        if (!has_text(b, a->value[i]))
            return false;
    for (size_t i = 0; a != NULL && i < a->n_binary; i++)
        if (!has_binary(b, &a->binary[i]))
            return false;
    return true;
}

static size_t size_of(const Umx__AttributeValues *values)
{
    return values == NULL ? 0 : values->n_value + values->n_binary;
}

/* The directory adds the superclasses to objectClass: what was asked for must be there, more may. */
static bool attribute_equal(const char *name, const Umx__AttributeValues *expected, const Umx__AttributeValues *actual)
{
    if (umx_text_equal(name, "objectClass")) {
        for (size_t i = 0; expected != NULL && i < expected->n_value; i++) {
            bool found = false;
            for (size_t k = 0; actual != NULL && k < actual->n_value && !found; k++)
                found = umx_text_equal(expected->value[i], actual->value[k]);
            if (!found)
                return false;
        }
        return true;
    }
    return size_of(expected) == size_of(actual) && within(expected, actual) && within(actual, expected);
}

static void add_values(struct umx_text *out, const Umx__AttributeValues *values)
{
    if (size_of(values) == 0) {
        umx_text_adds(out, "nothing");
        return;
    }
    for (size_t i = 0; i < values->n_value; i++)
        umx_text_addf(out, "%s`%s`", i > 0 ? ", " : "", values->value[i]);
    for (size_t i = 0; i < values->n_binary; i++) {
        umx_text_adds(out, i + values->n_value > 0 ? ", 0x" : "0x");
        umx_text_add_hex(out, values->binary[i].data, values->binary[i].len);
    }
}

/* ---- which attributes */

static bool name_listed(char **names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (umx_text_equal(names[i], name))
            return true;
    return false;
}

static size_t image_size(const Umx__Image *image)
{
    return image == NULL ? 0 : image->n_attribute;
}

char **umx_image_attributes(const Umx__PlanStep *step, struct umx_arena *arena, size_t *count)
{
    const Umx__Change *change = step->change;
    size_t most = image_size(step->before) + image_size(step->after) + change->n_attribute + change->n_modify + 1;
    char **names = umx_arena_alloc(arena, most * sizeof *names);
    size_t n = 0;

    *count = 0;
    if (names == NULL || change->kind == UMX__CHANGE__KIND__DELETE)
        return names;
    for (size_t i = 0; i < image_size(step->before); i++)
        if (!name_listed(names, n, step->before->attribute[i]->name))
            names[n++] = step->before->attribute[i]->name;
    for (size_t i = 0; i < image_size(step->after); i++)
        if (!name_listed(names, n, step->after->attribute[i]->name))
            names[n++] = step->after->attribute[i]->name;
    for (size_t i = 0; i < change->n_attribute; i++)
        if (!name_listed(names, n, change->attribute[i]->name))
            names[n++] = change->attribute[i]->name;
    for (size_t i = 0; i < change->n_modify; i++)
        if (!name_listed(names, n, change->modify[i]->name))
            names[n++] = change->modify[i]->name;
    if (n == 0) { /* an access step: existence and the DACL only; no list would mean everything */
        names[n] = umx_arena_string(arena, "objectClass");
        n = names[n] != NULL ? n + 1 : n;
    }
    *count = n;
    return names;
}

/* ---- access entries */

/* The numbers of the change where they are set; its SDDL also holds what has no number (object types). */
static bool entry_of_change(const Umx__AccessChange *change, struct umx_ace *out)
{
    memset(out, 0, sizeof *out);
    if (change->sddl != NULL && umx_sddl_parse(change->sddl, out, NULL) == 0)
        return true;
    if (change->trustee_sid == NULL ||
        umx_sid_parse(change->trustee_sid, out->sid, &out->sid_length, NULL) != 0)
        return false;
    out->type = (uint8_t)change->type;
    out->flags = (uint8_t)change->flags;
    out->mask = (uint32_t)change->mask;
    return true;
}

bool umx_image_has_entry(const Umx__ObjectState *state, const Umx__AccessChange *change)
{
    struct umx_ace wanted, entry;

    if (!entry_of_change(change, &wanted))
        return false;
    for (size_t i = 0; i < state->n_access; i++)
        if (umx_sddl_parse(state->access[i], &entry, NULL) == 0 && umx_ace_equal(&wanted, &entry))
            return true;
    return false;
}

Umx__Image *umx_image_of(const Umx__ObjectState *state, const Umx__PlanStep *step, struct umx_arena *arena)
{
    Umx__Image *image = umx_reflect_new(&umx__image__descriptor, arena);
    size_t wanted = 0;
    char **names = umx_image_attributes(step, arena, &wanted);

    if (image == NULL || names == NULL)
        return NULL;
    image->has_exists = 1;
    image->exists = state->exists;
    image->attribute = umx_arena_alloc(arena, (state->n_attribute + 1) * sizeof *image->attribute);
    image->access = umx_arena_alloc(arena, sizeof *image->access);
    if (image->attribute == NULL || image->access == NULL)
        return NULL;
    for (size_t i = 0; state->exists && i < state->n_attribute; i++)
        if (wanted == 0 || name_listed(names, wanted, state->attribute[i]->name))
            image->attribute[image->n_attribute++] = state->attribute[i];
    const Umx__AccessChange *access = step->change->access;
    if (access != NULL && access->sddl != NULL && umx_image_has_entry(state, access))
        image->access[image->n_access++] = access->sddl;
    return image;
}

/* ---- differences */

struct comparison {
    const Umx__PlanStep *step;
    const Umx__ObjectState *state;
    umx_image_skip *skip;
    void *user;
    struct umx_text *lines;
    size_t found;
};

static bool skipped(const struct comparison *c, const char *attribute)
{
    return c->skip != NULL && c->skip(c->user, attribute);
}

static void difference(struct comparison *c, const char *name, const char *expected)
{
    c->found++;
    umx_text_addf(c->lines, "%s %s: %s: expected %s, found ", c->step->id, c->step->change->dn, name, expected);
}

static const Umx__AttributeChange *modified(const Umx__Change *change, const char *name)
{
    for (size_t i = 0; i < change->n_modify; i++)
        if (umx_text_equal(change->modify[i]->name, name))
            return change->modify[i];
    return NULL;
}

static void compare_attribute(struct comparison *c, const Umx__AttributeValues *expected)
{
    const Umx__AttributeValues *actual = umx_image_find(c->state->attribute, c->state->n_attribute, expected->name);
    struct umx_text text = {0};

    if (skipped(c, expected->name) || attribute_equal(expected->name, expected, actual))
        return;
    add_values(&text, expected);
    difference(c, expected->name, umx_text_string(&text));
    add_values(c->lines, actual);
    umx_text_adds(c->lines, "\n");
    umx_text_free(&text);
}

/* The values that the step itself writes: present ones must be there, absent ones must not. */
static void compare_values(struct comparison *c, const Umx__AttributeChange *change, bool after)
{
    const Umx__AttributeValues *actual = umx_image_find(c->state->attribute, c->state->n_attribute, change->name);
    char **present = after ? change->add : change->remove;
    char **absent = after ? change->remove : change->add;
    size_t n_present = after ? change->n_add : change->n_remove, n_absent = after ? change->n_remove : change->n_add;

    if (skipped(c, change->name))
        return;
    for (size_t i = 0; i < n_present; i++) {
        struct umx_text expected = {0};
        if (has_text(actual, present[i]))
            continue;
        umx_text_addf(&expected, "`%s`", present[i]);
        difference(c, change->name, umx_text_string(&expected));
        umx_text_free(&expected);
        add_values(c->lines, actual);
        umx_text_adds(c->lines, "\n");
    }
    for (size_t i = 0; i < n_absent; i++) {
        if (!has_text(actual, absent[i]))
            continue;
        difference(c, change->name, "no such value");
        umx_text_addf(c->lines, "`%s`\n", absent[i]);
    }
}

static bool compare_existence(struct comparison *c, bool expected)
{
    if (!skipped(c, NULL) && c->state->exists != expected) {
        difference(c, "object", expected ? "there" : "not there");
        umx_text_adds(c->lines, c->state->exists ? "there\n" : "not there\n");
    }
    return c->state->exists && expected;
}

static void compare_place(struct comparison *c)
{
    const Umx__Change *change = c->step->change;

    if (change->dn == NULL || c->state->dn == NULL || umx_text_dn_equal(change->dn, c->state->dn))
        return;
    difference(c, "name", "the same");
    umx_text_addf(c->lines, "`%s`\n", c->state->dn);
}

static void compare_entry(struct comparison *c, bool after)
{
    const Umx__AccessChange *access = c->step->change->access;
    bool expected = after ? access->add : !access->add;

    if (skipped(c, "") || umx_image_has_entry(c->state, access) == expected)
        return;
    difference(c, access->sddl != NULL ? access->sddl : access->trustee_sid, expected ? "an entry" : "no entry");
    umx_text_adds(c->lines, expected ? "none\n" : "one\n");
}

size_t umx_image_differences(const Umx__PlanStep *step, bool after, enum umx_image_grain grain,
                             const Umx__ObjectState *state, umx_image_skip *skip, void *user, struct umx_text *lines)
{
    struct comparison c = {step, state, skip, user, lines, 0};
    const Umx__Change *change = step->change;
    const Umx__Image *image = after ? step->after : step->before;
    bool gone = change->kind == (after ? UMX__CHANGE__KIND__DELETE : UMX__CHANGE__KIND__ADD);

    if (!compare_existence(&c, !gone))
        return c.found;
    compare_place(&c);
    for (size_t i = 0; i < image_size(image); i++)
        if (grain == UMX_GRAIN_ATTRIBUTE || modified(change, image->attribute[i]->name) == NULL)
            compare_attribute(&c, image->attribute[i]);
    for (size_t i = 0; i < change->n_modify; i++)
        if (grain == UMX_GRAIN_VALUE ||
            umx_image_find(image == NULL ? NULL : image->attribute, image_size(image), change->modify[i]->name) == NULL)
            compare_values(&c, change->modify[i], after);
    if (change->access != NULL)
        compare_entry(&c, after);
    return c.found;
}
