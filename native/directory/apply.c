/* Applying one change. */
#include <string.h>

#include "base/text.h"
#include "directory/change_internal.h"

static int missing(const struct umx_change *work, struct umx_error *err)
{
    return umx_fail(err, UMX_ERR_OBJECT_NOT_FOUND, work->change->dn ? work->change->dn : "object", NULL);
}

/* Reads the object again and reports it as made. */
static int read_back(const struct umx_change *work, bool dacl, struct umx_object *object, struct umx_error *err)
{
    struct umx_error why = {0};
    work->result->outcome = UMX__INTENT__OUTCOME__OURS;
    if (umx_change_load(work, dacl, object, &why) || umx_change_report(work, object, &why)) {
        /* Made, but not seen: the caller must ask again, not write again. */
        work->result->outcome = UMX__INTENT__OUTCOME__UNCERTAIN;
        return umx_fail_code(err, UMX_ERR_STEP_UNCERTAIN, why.foreign, work->change->dn,
                             "the change was answered, but reading it back failed: %s", umx_error_why(&why));
    }
    return 0;
}

static struct umx_value *text_values(char *const *texts, size_t count, struct umx_arena *arena)
{
    struct umx_value *values = umx_arena_alloc(arena, (count ? count : 1) * sizeof *values);
    for (size_t i = 0; values && i < count; i++) {
        values[i] = (struct umx_value){.bytes = (const uint8_t *)texts[i], .length = strlen(texts[i])};
    }
    return values;
}

static int apply_modify(const struct umx_change *work, struct umx_error *err)
{
    const Umx__Change *change = work->change;
    struct umx_object object;
    struct umx_mod *mods = umx_arena_alloc(work->arena, (2 * change->n_modify + 1) * sizeof *mods);
    size_t count = 0;
    int status =
        mods ? umx_change_load(work, false, &object, err) : umx_fail(err, UMX_ERR_ARENA_FULL, change->dn, NULL);
    if (status || !object.exists) {
        return status ? status : missing(work, err);
    }
    for (size_t i = 0; i < change->n_modify; i++) {
        const Umx__AttributeChange *one = change->modify[i];
        const struct {
            enum umx_mod_kind kind;
            char *const *texts;
            size_t count;
        } halves[] = {{UMX_MOD_DELETE, one->remove, one->n_remove}, {UMX_MOD_ADD, one->add, one->n_add}};
        for (size_t k = 0; k < 2; k++) {
            struct umx_value *values = text_values(halves[k].texts, halves[k].count, work->arena);
            if (!values || !one->name) {
                return umx_fail(err, UMX_ERR_ARENA_FULL, change->dn, NULL);
            }
            if (halves[k].count) {
                mods[count++] = (struct umx_mod){halves[k].kind, one->name, values, halves[k].count};
            }
        }
    }
    if (!count) {
        return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, change->dn, "the change has no values");
    }
    status = umx_connection_modify(work->connection, object.entry.dn, mods, count, false, err);
    return status ? status : read_back(work, false, &object, err);
}

static int apply_add(const struct umx_change *work, struct umx_error *err)
{
    const Umx__Change *change = work->change;
    struct umx_object object;
    struct umx_mod *mods = umx_arena_alloc(work->arena, (change->n_attribute + 1) * sizeof *mods);
    size_t count = 0;
    for (size_t i = 0; mods && i < change->n_attribute; i++) {
        const Umx__AttributeValues *one = change->attribute[i];
        size_t total = one->n_value + one->n_binary;
        struct umx_value *values = umx_arena_alloc(work->arena, (total + 1) * sizeof *values);
        if (!values || !one->name) {
            return umx_fail(err, UMX_ERR_ARENA_FULL, change->dn, NULL);
        }
        for (size_t k = 0; k < total; k++) {
            const uint8_t *bytes =
                k < one->n_value ? (const uint8_t *)one->value[k] : one->binary[k - one->n_value].data;
            size_t length = k < one->n_value ? strlen(one->value[k]) : one->binary[k - one->n_value].len;
            values[k] = (struct umx_value){.bytes = bytes, .length = length};
        }
        if (total) {
            mods[count++] = (struct umx_mod){UMX_MOD_ADD, one->name, values, total};
        }
    }
    if (!mods || !count || !change->dn) {
        return umx_fail(err, mods ? UMX_ERR_JSON_VALUE_INVALID : UMX_ERR_ARENA_FULL, change->dn,
                        "the change has no name or no attributes");
    }
    int status = umx_connection_add(work->connection, change->dn, mods, count, err);
    return status ? status : read_back(work, false, &object, err);
}

/* Nothing of the object may have changed since it was saved whole. */
static int check_unchanged(const struct umx_change *work, const struct umx_object *object, struct umx_error *err)
{
    for (size_t i = 0; i < work->intent->n_version; i++) {
        const char *name = work->intent->version[i]->name;
        int64_t now = name ? umx_object_version(object, work->schema, work->connection, name) : -1;
        if (now >= 0 && now != work->intent->version[i]->version) {
            return umx_fail(err, UMX_ERR_VALUE_CONFLICT, object->entry.dn, "%s was changed since the object was saved",
                            name);
        }
    }
    return 0;
}

static int apply_delete(const struct umx_change *work, struct umx_error *err)
{
    struct umx_object object;
    char guid[UMX_GUID_TEXT];
    int status = umx_change_load(work, false, &object, err);
    if (status || !object.exists) {
        return status ? status : missing(work, err);
    }
    status = check_unchanged(work, &object, err);
    if (status) {
        return status;
    }
    /* By GUID: a rename in between does not lead to another object. */
    const char *name = umx_arena_format(work->arena, "<GUID=%s>", umx_guid_text(object.guid, guid));
    status = name ? umx_connection_delete(work->connection, name, err)
                  : umx_fail(err, UMX_ERR_ARENA_FULL, work->change->dn, NULL);
    if (status) {
        if (err && work->change->dn) {
            umx_text_copy(err->what, sizeof err->what, work->change->dn);
        }
        return status;
    }
    object.exists = false;
    work->result->outcome = UMX__INTENT__OUTCOME__OURS;
    return umx_change_report(work, &object, err);
}

/* The DACL must still be the one of the intent: there is no compare-and-set for descriptors. */
static int check_descriptor(const struct umx_change *work, const struct umx_object *object, struct umx_error *err)
{
    struct umx_descriptor intended;
    int64_t before = umx_change_intended_version(work, umx_change_descriptor);
    int64_t now = umx_object_version(object, work->schema, work->connection, umx_change_descriptor);
    if (!object->has_dacl) {
        return umx_fail(err, UMX_ERR_ACCESS_DENIED, object->entry.dn, "its DACL is not readable");
    }
    if (now < 0) {
        return umx_fail(err, UMX_ERR_ACCESS_DENIED, object->entry.dn, "its replPropertyMetaData is not readable");
    }
    if (before >= 0 && before != now) {
        return umx_fail(err, UMX_ERR_DESCRIPTOR_MOVED, object->entry.dn,
                        "its version was %lld when the step began and is %lld; nothing was written", (long long)before,
                        (long long)now);
    }
    if (!work->intent->has_descriptor) {
        return 0;
    }
    int status =
        umx_descriptor_parse(work->intent->descriptor.data, work->intent->descriptor.len, work->arena, &intended, err);
    return status || umx_descriptor_same_explicit(&intended, &object->dacl)
               ? status
               : umx_fail(err, UMX_ERR_DESCRIPTOR_MOVED, object->entry.dn, "nothing was written");
}

static int write_descriptor(const struct umx_change *work, const struct umx_object *object,
                            const struct umx_descriptor *wanted, struct umx_error *err)
{
    uint8_t *bytes;
    size_t length;
    struct umx_object after;
    int status = umx_descriptor_build(wanted, work->arena, &bytes, &length, err);
    if (status) {
        return status;
    }
    const struct umx_value value = {.bytes = bytes, .length = length};
    const struct umx_mod mod = {UMX_MOD_REPLACE, umx_change_descriptor, &value, 1};
    int64_t before = umx_object_version(object, work->schema, work->connection, umx_change_descriptor);
    status = umx_connection_modify(work->connection, object->entry.dn, &mod, 1, true, err);
    if (!status) {
        status = read_back(work, true, &after, err);
    }
    if (status) {
        return status;
    }
    int64_t now = umx_object_version(&after, work->schema, work->connection, umx_change_descriptor);
    if (now != before + 1 || !after.has_dacl || !umx_descriptor_same_explicit(wanted, &after.dacl)) {
        work->result->outcome = UMX__INTENT__OUTCOME__FOREIGN;
        return umx_fail(err, UMX_ERR_DESCRIPTOR_MOVED, object->entry.dn,
                        "the entry was written, and the version went from %lld to %lld", (long long)before,
                        (long long)now);
    }
    return 0;
}

static int apply_access(const struct umx_change *work, struct umx_error *err)
{
    struct umx_object object;
    struct umx_descriptor wanted;
    struct umx_ace ace;
    bool changed = true;
    const Umx__AccessChange *access = work->change->access;
    int status = access ? umx_change_ace(access, &ace, err)
                        : umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, work->change->dn, "the change has no entry");
    if (!status) {
        status = umx_change_load(work, true, &object, err);
    }
    if (status || !object.exists) {
        return status ? status : missing(work, err);
    }
    status = check_descriptor(work, &object, err);
    if (!status) {
        status = access->add ? umx_descriptor_merge(&object.dacl, &ace, work->arena, &wanted, &changed, err)
                             : umx_descriptor_remove(&object.dacl, &ace, work->arena, &wanted, err);
        if (status && err) {
            umx_text_copy(err->what, sizeof err->what, object.entry.dn);
        }
    }
    if (status) {
        return status;
    }
    if (!changed) {
        work->result->outcome = UMX__INTENT__OUTCOME__OURS;
        return umx_change_report(work, &object, err);
    }
    return write_descriptor(work, &object, &wanted, err);
}

int umx_change_apply(struct umx_connection *connection, struct umx_schema *schema, const Umx__Change *change,
                     const Umx__Intent *intent, struct umx_arena *arena, struct umx_change_result *result,
                     struct umx_error *err)
{
    static int (*const kinds[])(const struct umx_change *, struct umx_error *) = {
        [UMX__CHANGE__KIND__ADD] = apply_add,
        [UMX__CHANGE__KIND__DELETE] = apply_delete,
        [UMX__CHANGE__KIND__MODIFY] = apply_modify,
        [UMX__CHANGE__KIND__ACCESS] = apply_access,
    };
    const struct umx_change work = {connection, schema, change, intent, arena, result};
    *result = (struct umx_change_result){.outcome = UMX__INTENT__OUTCOME__NOT_DONE};
    size_t kind = (size_t)change->kind;
    if (kind >= sizeof kinds / sizeof *kinds || !kinds[kind]) {
        return umx_fail(err, UMX_ERR_JSON_VALUE_INVALID, change->dn, "a directory does not make this kind of change");
    }
    int status = kinds[kind](&work, err);
    if (status == UMX_E_UNCERTAIN) {
        result->outcome = UMX__INTENT__OUTCOME__UNCERTAIN;
    }
    return status;
}
