/* Did the change of an intent happen? The rules are those of docs/decisions/0030. */
#include <string.h>

#include "base/text.h"
#include "directory/change_internal.h"

typedef Umx__Intent__Outcome outcome;

#define NOT_DONE UMX__INTENT__OUTCOME__NOT_DONE
#define OURS UMX__INTENT__OUTCOME__OURS
#define FOREIGN UMX__INTENT__OUTCOME__FOREIGN
#define UNCERTAIN UMX__INTENT__OUTCOME__UNCERTAIN

static bool contains(char *const *texts, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(texts[i], text) == 0) {
            return true;
        }
    }
    return false;
}

/* All of texts that are not in except are there (or all are absent). */
static bool all_are(const struct umx_object *object, const struct umx_schema_attribute *known, const char *name,
                    char *const *texts, size_t count, char *const *except, size_t except_count, bool there)
{
    for (size_t i = 0; i < count; i++) {
        if (!contains(except, except_count, texts[i]) &&
            umx_change_has_value(object, known, name, texts[i], strlen(texts[i])) != there) {
            return false;
        }
    }
    return true;
}

/* One attribute. An attribute that holds other values beside ours may have been written by others beside us; for one
 * with a single value each write excludes the other, since ours names the value it replaces. */
static outcome probe_attribute(const struct umx_change *work, const struct umx_object *object,
                               const Umx__AttributeChange *one)
{
    const struct umx_schema_attribute *known = umx_schema_find(work->schema, one->name);
    bool applied = all_are(object, known, one->name, one->add, one->n_add, NULL, 0, true) &&
                   all_are(object, known, one->name, one->remove, one->n_remove, one->add, one->n_add, false);
    bool untouched = all_are(object, known, one->name, one->remove, one->n_remove, NULL, 0, true) &&
                     all_are(object, known, one->name, one->add, one->n_add, one->remove, one->n_remove, false);
    bool linked = one->linked || (known && known->link_id);
    int64_t before = linked ? -1 : umx_change_intended_version(work, one->name);
    int64_t now = linked ? -1 : umx_object_version(object, work->schema, work->connection, one->name);
    int64_t moved = before >= 0 && now >= 0 ? now - before : -1; /* -1: nobody counts */
    if (applied == untouched) {
        return applied ? UNCERTAIN : FOREIGN; /* nothing would change, so nothing can be told: others decide */
    }
    if (moved < 0) {
        return applied ? OURS : NOT_DONE;
    }
    if (applied) {
        bool samba = umx_connection_root(work->connection)->samba;
        int64_t step = samba ? (one->n_remove > 0) + (one->n_add > 0) : 1;
        return moved == step || (moved > step && known && !known->single) ? OURS : FOREIGN;
    }
    return moved == 0 || (known && !known->single) ? NOT_DONE : FOREIGN;
}

static outcome probe_modify(const struct umx_change *work, const struct umx_object *object)
{
    const Umx__Change *change = work->change;
    outcome all = UNCERTAIN;
    if (!object->exists) {
        return FOREIGN;
    }
    /* One request changes all or nothing: attributes that disagree were changed by somebody else. */
    for (size_t i = 0; i < change->n_modify; i++) {
        outcome one = change->modify[i]->name ? probe_attribute(work, object, change->modify[i]) : UNCERTAIN;
        if (one == FOREIGN || (one != UNCERTAIN && all != UNCERTAIN && one != all)) {
            return FOREIGN;
        }
        all = one != UNCERTAIN ? one : all;
    }
    return all;
}

static bool has_all(const struct umx_change *work, const struct umx_object *object)
{
    for (size_t i = 0; i < work->change->n_attribute; i++) {
        const Umx__AttributeValues *wanted = work->change->attribute[i];
        const struct umx_schema_attribute *known = umx_schema_find(work->schema, wanted->name);
        for (size_t k = 0; k < wanted->n_value; k++) {
            if (!umx_change_has_value(object, known, wanted->name, wanted->value[k], strlen(wanted->value[k]))) {
                return false;
            }
        }
        for (size_t k = 0; k < wanted->n_binary; k++) {
            if (!umx_change_has_value(object, known, wanted->name, wanted->binary[k].data, wanted->binary[k].len)) {
                return false;
            }
        }
    }
    return true;
}

static outcome probe_add(const struct umx_change *work, const struct umx_object *object)
{
    enum { OBJECT_CLASS = 0 }; /* its ATTRTYP: written once, at creation */
    if (!object->exists) {
        return NOT_DONE;
    }
    const struct umx_metadata *created = umx_metadata_find(object->metadata, object->metadata_count, OBJECT_CLASS);
    bool here = !created || memcmp(created->invocation_id, umx_connection_root(work->connection)->invocation_id,
                                   UMX_GUID_SIZE) == 0;
    return here && has_all(work, object) ? OURS : FOREIGN;
}

static outcome probe_delete(const struct umx_change *work, const struct umx_object *object)
{
    static const char *const nothing[] = {"1.1", NULL};
    struct umx_entry entry;
    if (!object->exists) {
        /* Gone, if its parent can be seen; else this account has lost its sight. */
        const char *parent = work->change->dn ? umx_text_dn_parent(work->change->dn) : NULL;
        bool sees = parent &&
                    !umx_connection_read(work->connection, &(struct umx_search){.base = parent, .attributes = nothing},
                                         work->arena, &entry, NULL);
        return sees ? OURS : UNCERTAIN;
    }
    for (size_t i = 0; i < work->intent->n_version; i++) {
        const char *name = work->intent->version[i]->name;
        int64_t now = name ? umx_object_version(object, work->schema, work->connection, name) : -1;
        if (now >= 0 && now != work->intent->version[i]->version) {
            return FOREIGN;
        }
    }
    return NOT_DONE;
}

/* The DACL that our write would have left. False when the intent does not tell. */
static bool predict(const struct umx_change *work, const struct umx_descriptor *before, struct umx_descriptor *after)
{
    struct umx_ace ace;
    bool changed;
    const Umx__AccessChange *access = work->change->access;
    return access && umx_change_ace(access, &ace, NULL) == 0 &&
           (access->add ? umx_descriptor_merge(before, &ace, work->arena, after, &changed, NULL)
                        : umx_descriptor_remove(before, &ace, work->arena, after, NULL)) == 0;
}

static outcome probe_access(const struct umx_change *work, const struct umx_object *object)
{
    struct umx_descriptor before, after;
    if (!object->exists) {
        return FOREIGN;
    }
    if (!object->has_dacl || !work->intent->has_descriptor ||
        umx_descriptor_parse(work->intent->descriptor.data, work->intent->descriptor.len, work->arena, &before, NULL) ||
        !predict(work, &before, &after)) {
        return UNCERTAIN;
    }
    int64_t then = umx_change_intended_version(work, umx_change_descriptor);
    int64_t now = umx_object_version(object, work->schema, work->connection, umx_change_descriptor);
    if (then < 0 || now < 0) {
        return UNCERTAIN;
    }
    if (now == then) {
        return umx_descriptor_same_explicit(&before, &object->dacl) ? NOT_DONE : UNCERTAIN;
    }
    return now == then + 1 && umx_descriptor_same_explicit(&after, &object->dacl) ? OURS : FOREIGN;
}

/* Names whose schema entries the rules look at. */
static int load_schema(const struct umx_change *work, struct umx_error *err)
{
    const Umx__Change *change = work->change;
    const char **names = umx_arena_alloc(work->arena, (change->n_modify + change->n_attribute + 1) * sizeof *names);
    size_t count = 0;
    if (!names) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, change->dn, NULL);
    }
    for (size_t i = 0; i < change->n_modify; i++) {
        names[count++] = change->modify[i]->name ? change->modify[i]->name : "";
    }
    for (size_t i = 0; i < change->n_attribute; i++) {
        names[count++] = change->attribute[i]->name ? change->attribute[i]->name : "";
    }
    return umx_schema_load(work->schema, work->connection, names, count, err);
}

int umx_change_probe(struct umx_connection *connection, struct umx_schema *schema, const Umx__Change *change,
                     const Umx__Intent *intent, struct umx_arena *arena, struct umx_change_result *result,
                     struct umx_error *err)
{
    static outcome (*const kinds[])(const struct umx_change *, const struct umx_object *) = {
        [UMX__CHANGE__KIND__ADD] = probe_add,
        [UMX__CHANGE__KIND__DELETE] = probe_delete,
        [UMX__CHANGE__KIND__MODIFY] = probe_modify,
        [UMX__CHANGE__KIND__ACCESS] = probe_access,
    };
    const struct umx_change work = {connection, schema, change, intent, arena, result};
    struct umx_object object;
    *result = (struct umx_change_result){.outcome = UNCERTAIN};
    size_t kind = (size_t)change->kind;
    if (kind >= sizeof kinds / sizeof *kinds || !kinds[kind]) {
        return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, change->dn, "a directory does not make this kind of change");
    }
    int status = load_schema(&work, err);
    if (!status) {
        status = umx_change_load(&work, change->kind == UMX__CHANGE__KIND__ACCESS, &object, err);
    }
    if (!status) {
        result->outcome = kinds[kind](&work, &object);
        status = umx_change_report(&work, &object, err);
    }
    return status;
}
