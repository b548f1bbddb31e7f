/*
 * The inverse of changes of the directory: values, objects, access entries as they are now, against what was written.
 */
#include <string.h>

#include "controller/inverse_work.h"

/* ---- objects as they will be */

static bool same_guid(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
    return a->len > 0 && a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static struct umx_known_object *known(struct umx_inverse *inv, const char *forest, const char *dn,
                                      const ProtobufCBinaryData *guid)
{
    for (size_t i = 0; i < inv->object_count; i++) {
        struct umx_known_object *object = &inv->objects[i];
        if (!umx_text_equal(object->forest, forest))
            continue;
        if (umx_text_dn_equal(object->dn, dn) || (guid != NULL && same_guid(&object->state->object_guid, guid)))
            return object;
    }
    return NULL;
}

/* Reads all attributes: one object serves several steps. */
static int read_object(struct umx_inverse *inv, const struct umx_step_state *done, const char *dn,
                       const ProtobufCBinaryData *guid, struct umx_known_object **out)
{
    const char *forest = done->step->forest;
    const Umx__Intent *intent = done->intent;

    *out = known(inv, forest, dn, guid);
    if (*out != NULL)
        return 0;
    Umx__ReadObject read = UMX__READ_OBJECT__INIT;
    Umx__WorkerRequest request = UMX__WORKER_REQUEST__INIT;
    Umx__WorkerReply *reply = NULL;
    Umx__ObjectState *state = NULL;

    if (guid != NULL && guid->len > 0) {
        read.has_object_guid = 1;
        read.object_guid = *guid;
    } else {
        read.dn = umx_arena_string(inv->arena, dn);
    }
    read.has_descriptor = 1;
    read.descriptor = 1;
    request.request_case = UMX__WORKER_REQUEST__REQUEST_READ_OBJECT;
    request.read_object = &read;
    if (intent != NULL) { /* first where it was written: another domain controller may not have heard of it yet */
        read.domain_controller = intent->domain_controller;
        read.has_invocation_id = intent->has_invocation_id;
        read.invocation_id = intent->invocation_id;
    }
    int status = umx_engine_call(inv->engine, forest, false, &request, inv->arena, &reply, inv->err);
    if (intent != NULL && (status == UMX_E_UNCERTAIN || status == UMX_E_UNREACHABLE)) {
        read.domain_controller = NULL;
        read.has_invocation_id = 0;
        status = umx_engine_call(inv->engine, forest, false, &request, inv->arena, &reply, inv->err);
    }
    if (status != 0 && inv->err->id == UMX_ERR_OBJECT_NOT_FOUND) {
        state = umx_reflect_new(&umx__object_state__descriptor, inv->arena);
        memset(inv->err, 0, sizeof *inv->err);
    } else if (status != 0) {
        return status;
    } else if (reply->reply_case != UMX__WORKER_REPLY__REPLY_OBJECT) {
        return umx_fail(inv->err, UMX_ERR_PROTOCOL, forest, "the worker sent no object");
    } else {
        state = reply->object;
    }
    struct umx_known_object *objects =
        umx_inverse_grown(inv->arena, inv->objects, inv->object_count, &inv->object_capacity, sizeof *objects);
    if (objects == NULL || state == NULL)
        return umx_inverse_full(inv);
    inv->objects = objects;
    *out = &objects[inv->object_count++];
    (*out)->forest = forest;
    (*out)->dn = state->exists && state->dn != NULL ? state->dn : dn;
    (*out)->state = state;
    return 0;
}

static bool has_value(const Umx__AttributeValues *values, const char *wanted)
{
    for (size_t i = 0; values != NULL && i < values->n_value; i++)
        if (umx_image_value_equal(values->value[i], wanted))
            return true;
    return false;
}

static bool listed(char *const *values, size_t count, const char *wanted)
{
    for (size_t i = 0; i < count; i++)
        if (umx_image_value_equal(values[i], wanted))
            return true;
    return false;
}

/* The values of an attribute after a change, as a new list. NULL: arena full. */
static Umx__AttributeValues *changed_values(struct umx_inverse *inv, const Umx__AttributeValues *now,
                                            const Umx__AttributeChange *change)
{
    Umx__AttributeValues *next = umx_reflect_new(&umx__attribute_values__descriptor, inv->arena);
    size_t count = now != NULL ? now->n_value : 0;

    if (next == NULL)
        return NULL;
    next->name = change->name;
    next->value = umx_arena_alloc(inv->arena, (count + change->n_add + 1) * sizeof(char *));
    if (next->value == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!listed(change->remove, change->n_remove, now->value[i]))
            next->value[next->n_value++] = now->value[i];
    for (size_t i = 0; i < change->n_add; i++)
        if (!has_value(now, change->add[i]))
            next->value[next->n_value++] = change->add[i];
    if (now != NULL) {
        next->n_binary = now->n_binary;
        next->binary = now->binary;
    }
    return next;
}

static int predict_values(struct umx_inverse *inv, Umx__ObjectState *state, Umx__AttributeValues *next)
{
    for (size_t i = 0; i < state->n_attribute; i++)
        if (umx_text_equal(state->attribute[i]->name, next->name)) {
            state->attribute[i] = next;
            return 0;
        }
    Umx__AttributeValues **list = umx_arena_alloc(inv->arena, (state->n_attribute + 1) * sizeof *list);
    if (list == NULL)
        return umx_inverse_full(inv);
    if (state->n_attribute > 0)
        memcpy(list, state->attribute, state->n_attribute * sizeof *list);
    list[state->n_attribute++] = next;
    state->attribute = list;
    return 0;
}

/* Values of the attribute, or an attribute without values when the object has none. */
static Umx__AttributeValues *values_or_none(struct umx_inverse *inv, const Umx__ObjectState *state, char *name)
{
    for (size_t i = 0; i < state->n_attribute; i++)
        if (umx_text_equal(state->attribute[i]->name, name))
            return state->attribute[i];
    Umx__AttributeValues *none = umx_reflect_new(&umx__attribute_values__descriptor, inv->arena);
    if (none != NULL)
        none->name = name;
    return none;
}

/* ---- modify */

static void say_values(struct umx_text *out, char *const *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        umx_text_addf(out, "%s`%s`", i > 0 ? ", " : "", values[i]);
    if (count == 0)
        umx_text_adds(out, "nothing");
}

/* Values are there that were there neither before the plan nor by it. */
static bool has_strangers(const Umx__AttributeValues *now, const Umx__AttributeValues *before,
                          const Umx__AttributeChange *change)
{
    for (size_t i = 0; now != NULL && i < now->n_value; i++)
        if (!has_value(before, now->value[i]) && !listed(change->add, change->n_add, now->value[i]))
            return true;
    return false;
}

enum finding { OURS, BACK, FOREIGN };

/* What became of the values that the step wrote; `out` gets the values that are still to be put back. */
static enum finding find_values(struct umx_inverse *inv, const Umx__AttributeValues *now,
                                const Umx__AttributeValues *before, const Umx__AttributeChange *change,
                                Umx__AttributeChange *out)
{
    out->name = change->name;
    out->has_linked = change->has_linked;
    out->linked = change->linked;
    out->remove = umx_arena_alloc(inv->arena, (change->n_add + 1) * sizeof(char *));
    out->add = umx_arena_alloc(inv->arena, (change->n_remove + 1) * sizeof(char *));
    if (out->remove == NULL || out->add == NULL)
        return FOREIGN;
    for (size_t i = 0; i < change->n_add; i++)
        if (has_value(now, change->add[i]))
            out->remove[out->n_remove++] = change->add[i];
    for (size_t i = 0; i < change->n_remove; i++)
        if (!has_value(now, change->remove[i]))
            out->add[out->n_add++] = change->remove[i];
    bool ours_gone = change->n_add > 0 && out->n_remove == 0;
    if (ours_gone && out->n_add > 0)
        return FOREIGN; /* ours is gone and the old one is not back: somebody put something else there */
    if (ours_gone && has_strangers(now, before, change))
        return FOREIGN;
    return out->n_add == 0 && out->n_remove == 0 ? BACK : OURS;
}

int umx_undo_modify(struct umx_inverse *inv, const struct umx_step_state *done)
{
    const Umx__Change *change = done->step->change;
    const Umx__Image *before = done->intent != NULL ? done->intent->before : done->step->before;
    const ProtobufCBinaryData *guid = done->object_guid.len > 0 ? &done->object_guid
                                      : done->intent != NULL && done->intent->has_object_guid
                                          ? &done->intent->object_guid
                                          : NULL;
    struct umx_known_object *object = NULL;
    size_t wanted = 0;

    int status = read_object(inv, done, change->dn, guid, &object);
    if (status != 0)
        return status;
    if (!object->state->exists)
        return umx_inverse_note(inv, done, "the object is gone, and its values with it");
    Umx__AttributeChange **back = umx_arena_alloc(inv->arena, (change->n_modify + 1) * sizeof *back);
    if (back == NULL)
        return umx_inverse_full(inv);
    for (size_t i = 0; i < change->n_modify; i++) {
        const Umx__AttributeChange *made = change->modify[i];
        const Umx__AttributeValues *now =
            umx_image_find(object->state->attribute, object->state->n_attribute, made->name);
        const Umx__AttributeValues *then =
            before != NULL ? umx_image_find(before->attribute, before->n_attribute, made->name) : NULL;
        back[wanted] = umx_reflect_new(&umx__attribute_change__descriptor, inv->arena);
        if (back[wanted] == NULL)
            return umx_inverse_full(inv);
        enum finding finding = find_values(inv, now, then, made, back[wanted]);
        if (finding == OURS)
            wanted++;
        if (finding != FOREIGN)
            continue;
        struct umx_text ours = {0}, theirs = {0};
        say_values(&ours, made->add, made->n_add);
        say_values(&theirs, now != NULL ? now->value : NULL, now != NULL ? now->n_value : 0);
        umx_inverse_foreign(inv, done, made->name, umx_text_string(&ours), umx_text_string(&theirs));
        umx_text_free(&ours);
        umx_text_free(&theirs);
    }
    if (wanted == 0)
        return inv->foreign_count > 0 ? 0 : umx_inverse_note(inv, done, "already as it was before");
    Umx__PlanStep *step = umx_inverse_step(inv, done, UMX__CHANGE__KIND__MODIFY, "restore values");
    if (step == NULL)
        return umx_inverse_full(inv);
    step->change->dn = umx_arena_string(inv->arena, object->dn);
    step->change->has_object_guid = object->state->has_object_guid;
    step->change->object_guid = object->state->object_guid;
    step->change->modify = back;
    step->change->n_modify = wanted;
    step->before->exists = step->after->exists = 1;
    step->before->attribute = umx_arena_alloc(inv->arena, wanted * sizeof(Umx__AttributeValues *));
    step->after->attribute = umx_arena_alloc(inv->arena, wanted * sizeof(Umx__AttributeValues *));
    if (step->before->attribute == NULL || step->after->attribute == NULL)
        return umx_inverse_full(inv);
    for (size_t i = 0; i < wanted && status == 0; i++) {
        Umx__AttributeValues *now = values_or_none(inv, object->state, back[i]->name);
        Umx__AttributeValues *next = now != NULL ? changed_values(inv, now, back[i]) : NULL;
        if (next == NULL)
            return umx_inverse_full(inv);
        step->before->attribute[step->before->n_attribute++] = now;
        step->after->attribute[step->after->n_attribute++] = next;
        status = predict_values(inv, object->state, next);
    }
    return status;
}

/* ---- add */

int umx_undo_add(struct umx_inverse *inv, const struct umx_step_state *done)
{
    const Umx__Change *change = done->step->change;
    struct umx_known_object *object = NULL;
    struct umx_text lines = {0};

    int status = read_object(inv, done, change->dn, done->object_guid.len > 0 ? &done->object_guid : NULL, &object);
    if (status != 0)
        return status;
    if (!object->state->exists)
        return umx_inverse_note(inv, done, "the object is already gone");
    size_t found = umx_image_differences(done->step, true, UMX_GRAIN_ATTRIBUTE, object->state, NULL, NULL, &lines);
    inv->foreign_count += found;
    umx_text_add(&inv->foreign, umx_text_string(&lines), lines.length);
    umx_text_free(&lines);
    if (found > 0)
        return 0;
    Umx__PlanStep *step = umx_inverse_step(inv, done, UMX__CHANGE__KIND__DELETE, "delete the object");
    if (step == NULL)
        return umx_inverse_full(inv);
    step->change->has_object_guid = object->state->has_object_guid;
    step->change->object_guid = object->state->object_guid;
    step->before->exists = 1;
    if (done->step->after != NULL) {
        step->before->attribute = done->step->after->attribute;
        step->before->n_attribute = done->step->after->n_attribute;
    }
    step->after->exists = 0;
    Umx__ObjectState *gone = umx_reflect_new(&umx__object_state__descriptor, inv->arena);
    if (gone == NULL)
        return umx_inverse_full(inv);
    object->state = gone;
    return 0;
}

/* ---- delete */

static int restore_links(struct umx_inverse *inv, const struct umx_step_state *done, const Umx__PlanStep *restored)
{
    int status = 0;

    for (size_t i = 0; status == 0 && i < done->intent->n_incoming_link; i++) {
        char *dn = umx_arena_string(inv->arena, done->intent->incoming_link[i]);
        char *tab = dn != NULL ? strchr(dn, '\t') : NULL;
        struct umx_known_object *object = NULL;
        if (tab == NULL)
            continue;
        *tab = '\0';
        status = read_object(inv, done, dn, NULL, &object);
        if (status != 0)
            return status;
        const Umx__AttributeValues *now = umx_image_find(object->state->attribute, object->state->n_attribute, tab + 1);
        if (!object->state->exists) {
            status = umx_inverse_note(inv, done, "an object that pointed at it is gone too");
            continue;
        }
        if (has_value(now, restored->change->dn))
            continue;
        Umx__PlanStep *step =
            umx_inverse_step(inv, done, UMX__CHANGE__KIND__MODIFY, "point at the restored object again");
        Umx__AttributeChange *change = umx_reflect_new(&umx__attribute_change__descriptor, inv->arena);
        Umx__AttributeChange **list = umx_arena_alloc(inv->arena, sizeof *list);
        if (step == NULL || change == NULL || list == NULL)
            return umx_inverse_full(inv);
        change->name = tab + 1;
        change->has_linked = 1;
        change->linked = 1;
        change->add = (char **)umx_arena_alloc(inv->arena, sizeof(char *));
        step->depends = umx_arena_alloc(inv->arena, sizeof(char *));
        if (change->add == NULL || step->depends == NULL)
            return umx_inverse_full(inv);
        change->add[change->n_add++] = restored->change->dn;
        step->n_depends = 1;
        step->depends[0] = restored->id;
        list[0] = change;
        step->target = dn;
        step->change->dn = dn;
        step->change->has_object_guid = object->state->has_object_guid;
        step->change->object_guid = object->state->object_guid;
        step->change->modify = list;
        step->change->n_modify = 1;
        step->before->exists = step->after->exists = 1;
        Umx__AttributeValues *next = changed_values(inv, now, change);
        status = next != NULL ? predict_values(inv, object->state, next) : umx_inverse_full(inv);
    }
    return status;
}

int umx_undo_delete(struct umx_inverse *inv, const struct umx_step_state *done)
{
    const Umx__Change *change = done->step->change;
    struct umx_known_object *object = NULL;
    const Umx__Intent *intent = done->intent;

    if (intent == NULL || intent->n_saved == 0)
        return umx_inverse_note(inv, done, "the deleted object was not saved, it cannot be made again");
    int status = read_object(inv, done, change->dn, NULL, &object);
    if (status != 0)
        return status;
    Umx__AttributeValues **kept = intent->saved; /* only what can be written was read */
    const size_t count = intent->n_saved;
    if (object->state->exists) {
        Umx__PlanStep saved = UMX__PLAN_STEP__INIT;
        Umx__Image image = UMX__IMAGE__INIT;
        Umx__Change add = UMX__CHANGE__INIT;
        struct umx_text lines = {0};
        saved.id = done->step->id;
        saved.change = &add;
        saved.after = &image;
        add.kind = UMX__CHANGE__KIND__ADD;
        add.dn = change->dn;
        image.attribute = kept;
        image.n_attribute = count;
        size_t found = umx_image_differences(&saved, true, UMX_GRAIN_ATTRIBUTE, object->state, NULL, NULL, &lines);
        inv->foreign_count += found;
        umx_text_add(&inv->foreign, umx_text_string(&lines), lines.length);
        umx_text_free(&lines);
        return found > 0 ? 0 : umx_inverse_note(inv, done, "the object is already there again");
    }
    Umx__PlanStep *step =
        umx_inverse_step(inv, done, UMX__CHANGE__KIND__ADD, "make the object again (with a new GUID)");
    if (step == NULL)
        return umx_inverse_full(inv);
    step->change->attribute = kept;
    step->change->n_attribute = count;
    step->before->exists = 0;
    step->after->exists = 1;
    step->after->attribute = kept;
    step->after->n_attribute = count;
    Umx__ObjectState *again = umx_reflect_new(&umx__object_state__descriptor, inv->arena);
    if (again == NULL)
        return umx_inverse_full(inv);
    again->has_exists = 1;
    again->exists = 1;
    again->dn = change->dn;
    again->attribute = kept;
    again->n_attribute = count;
    object->state = again;
    return restore_links(inv, done, step);
}

/* ---- access entries */

int umx_undo_access(struct umx_inverse *inv, const struct umx_step_state *done)
{
    const Umx__Change *change = done->step->change;
    struct umx_known_object *object = NULL;

    int status = read_object(inv, done, change->dn, change->has_object_guid ? &change->object_guid : NULL, &object);
    if (status != 0)
        return status;
    if (!object->state->exists)
        return umx_inverse_note(inv, done, "the container is gone, and its entries with it");
    if (umx_image_has_entry(object->state, change->access) != change->access->add)
        return umx_inverse_note(inv, done, "already as it was before");
    Umx__PlanStep *step =
        umx_inverse_step(inv, done, UMX__CHANGE__KIND__ACCESS,
                         change->access->add ? "remove the access entry" : "add the access entry back");
    Umx__AccessChange *access = umx_reflect_copy(&change->access->base, inv->arena);
    if (step == NULL || access == NULL)
        return umx_inverse_full(inv);
    access->has_add = 1;
    access->add = !change->access->add;
    step->change->access = access;
    step->change->has_object_guid = object->state->has_object_guid;
    step->change->object_guid = object->state->object_guid;
    step->before->exists = step->after->exists = 1;
    if (access->sddl != NULL) {
        Umx__Image *with = access->add ? step->after : step->before;
        with->access = umx_arena_alloc(inv->arena, sizeof(char *));
        if (with->access == NULL)
            return umx_inverse_full(inv);
        with->access[with->n_access++] = access->sddl;
    }
    /* The prediction: the entry is there or not for steps before this one. */
    char **entries = umx_arena_alloc(inv->arena, (object->state->n_access + 1) * sizeof(char *));
    size_t count = 0;
    if (entries == NULL)
        return umx_inverse_full(inv);
    for (size_t i = 0; i < object->state->n_access; i++) {
        Umx__ObjectState one = UMX__OBJECT_STATE__INIT;
        one.access = &object->state->access[i];
        one.n_access = 1;
        if (access->add || !umx_image_has_entry(&one, access))
            entries[count++] = object->state->access[i];
    }
    if (access->add && access->sddl != NULL)
        entries[count++] = access->sddl;
    object->state->access = entries;
    object->state->n_access = count;
    return 0;
}
