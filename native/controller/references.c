/*
 * Values that exist only at run time (a GUID, a thumbprint) stand in a plan as `@step.field`. A reference is a whole
 * value or a whole JSON string of an action's item, never a part of a text: `user@s1.example.com` is an address.
 */
#include "controller/engine_private.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

struct resolving {
    struct umx_plan_state *plan;
    struct umx_arena *arena;
    struct umx_error *err;
    const char *gate; /* not NULL: nothing is replaced, the fields that are taken from this step go into `wanted` */
    json_t *wanted;
};

/* Length of the step's id when the text is a reference of a step of this plan, 0 otherwise. */
static size_t reference(struct umx_plan_state *plan, const char *text, size_t length, struct umx_step_state **step)
{
    char id[32];
    size_t at = 1;

    if (length < 4 || text[0] != '@')
        return 0;
    while (at < length && isalnum((unsigned char)text[at]))
        at++;
    if (at == 1 || at + 1 >= length || text[at] != '.' || at > sizeof id)
        return 0;
    for (size_t i = at + 1; i < length; i++)
        if (!islower((unsigned char)text[i]) && text[i] != '_')
            return 0;
    memcpy(id, text + 1, at - 1);
    id[at - 1] = '\0';
    *step = umx_states_step(plan, id);
    return *step != NULL ? at - 1 : 0;
}

static char *guid_text(struct umx_arena *arena, const ProtobufCBinaryData *guid)
{
    struct umx_text hex = {0};

    umx_text_add_hex(&hex, guid->data, guid->len);
    char *text = hex.failed ? NULL : umx_arena_string(arena, umx_text_string(&hex));
    umx_text_free(&hex);
    return text;
}

static int look_up(struct resolving *r, const struct umx_step_state *step, const char *field, char **out)
{
    *out = NULL;
    if (r->gate != NULL) {
        if (strcmp(step->step->id, r->gate) == 0 && json_object_set_new(r->wanted, field, json_true()) != 0)
            return umx_fail(r->err, UMX_ERR_MEMORY, r->plan->name, NULL);
        *out = umx_arena_string(r->arena, ""); /* the copy is thrown away */
        return *out != NULL ? 0 : umx_fail(r->err, UMX_ERR_MEMORY, r->plan->name, NULL);
    }
    if (strcmp(field, "guid") == 0 && step->object_guid.len > 0)
        *out = guid_text(r->arena, &step->object_guid);
    else if (step->result != NULL)
        *out = umx_results_field(step->result, -1, field, r->arena);
    if (*out == NULL)
        return umx_fail(r->err, UMX_ERR_REFERENCE_UNRESOLVED, r->plan->name, "@%s.%s", step->step->id, field);
    return 0;
}

/* Replaces JSON strings inside an action's item. */
static int resolve_item(struct resolving *r, char **text)
{
    json_error_t where;
    json_t *root = json_loads(*text, 0, &where);
    const char *key;
    json_t *value;
    int status = 0;
    bool changed = false;

    if (!json_is_object(root)) {
        json_decref(root);
        return 0;
    }
    void *next;
    json_object_foreach_safe(root, next, key, value)
    {
        struct umx_step_state *step = NULL;
        char *resolved = NULL;
        size_t length = json_is_string(value) ? json_string_length(value) : 0;
        size_t id = length > 0 ? reference(r->plan, json_string_value(value), length, &step) : 0;
        if (status != 0 || id == 0)
            continue;
        status = look_up(r, step, json_string_value(value) + id + 2, &resolved);
        if (status == 0 && json_object_set_new(root, key, json_string(resolved)) == 0)
            changed = true;
    }
    if (status == 0 && changed) {
        char *dumped = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
        *text = dumped != NULL ? umx_arena_string(r->arena, dumped) : NULL;
        free(dumped);
        if (*text == NULL)
            status = umx_fail(r->err, UMX_ERR_MEMORY, r->plan->name, NULL);
    }
    json_decref(root);
    return status;
}

static int resolve_string(struct resolving *r, char **text)
{
    struct umx_step_state *step = NULL;

    if (*text == NULL)
        return 0;
    if (**text == '{')
        return resolve_item(r, text);
    size_t id = reference(r->plan, *text, strlen(*text), &step);
    return id == 0 ? 0 : look_up(r, step, *text + id + 2, text);
}

/* Texts of a message and of the messages in it. The copy is ours: texts are replaced in place. */
static int resolve_message(struct resolving *r, ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    int status = 0;

    for (unsigned i = 0; i < type->n_fields && status == 0; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        void *at = (char *)message + field->offset;
        bool text = field->type == PROTOBUF_C_TYPE_STRING, nested = field->type == PROTOBUF_C_TYPE_MESSAGE;
        if (!text && !nested)
            continue;
        if (field->label != PROTOBUF_C_LABEL_REPEATED) {
            if (text)
                status = resolve_string(r, at);
            else if (*(ProtobufCMessage **)at != NULL)
                status = resolve_message(r, *(ProtobufCMessage **)at);
            continue;
        }
        size_t count = *(size_t *)(void *)((char *)message + field->quantifier_offset);
        for (size_t k = 0; k < count && status == 0; k++)
            status = text ? resolve_string(r, &(*(char ***)at)[k]) : resolve_message(r, (*(ProtobufCMessage ***)at)[k]);
    }
    return status;
}

static int resolve_parts(struct resolving *r, ProtobufCMessage *const *parts, size_t count)
{
    int status = 0;

    for (size_t i = 0; status == 0 && i < count; i++)
        status = parts[i] != NULL ? resolve_message(r, parts[i]) : 0;
    return status;
}

int umx_references_resolve(struct umx_plan_state *plan, const Umx__PlanStep *step, struct umx_arena *arena,
                           Umx__PlanStep **out, struct umx_error *err)
{
    struct resolving r = {.plan = plan, .arena = arena, .err = err};

    *out = umx_reflect_copy(&step->base, arena);
    if (*out == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, plan->name, NULL);
    ProtobufCMessage *const parts[] = {
        (*out)->change != NULL ? &(*out)->change->base : NULL,
        (*out)->before != NULL ? &(*out)->before->base : NULL,
        (*out)->after != NULL ? &(*out)->after->base : NULL,
    };
    return resolve_parts(&r, parts, sizeof parts / sizeof *parts);
}

int umx_references_promise(struct umx_plan_state *plan, Umx__PlanStep *copy, struct umx_arena *arena,
                           struct umx_error *err)
{
    struct resolving r = {.plan = plan, .arena = arena, .err = err};
    ProtobufCMessage *const parts[] = {
        copy->predicted != NULL ? &copy->predicted->base : NULL,
        copy->removed != NULL ? &copy->removed->base : NULL,
        copy->original != NULL ? &copy->original->base : NULL,
    };

    return resolve_parts(&r, parts, sizeof parts / sizeof *parts);
}

int umx_references_wanted(struct umx_plan_state *plan, const char *gate, json_t *wanted, struct umx_error *err)
{
    struct resolving r = {.plan = plan, .err = err, .gate = gate, .wanted = wanted};
    int status = 0;

    for (size_t i = 0; status == 0 && i < plan->step_count; i++) {
        r.arena = umx_arena_new(UMX_WORK_ARENA);
        Umx__PlanStep *copy = r.arena != NULL ? umx_reflect_copy(&plan->steps[i].step->base, r.arena) : NULL;
        status = copy != NULL ? resolve_message(&r, &copy->base) : umx_fail(err, UMX_ERR_MEMORY, plan->name, NULL);
        umx_arena_free(r.arena);
    }
    return status;
}
