#include "phases/build.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "phases/index.h"
#include "phases/records.h"

static void *sub_message(struct umx_steps *out, const ProtobufCMessageDescriptor *type)
{
    void *made = umx_reflect_new(type, out->arena);

    if (made == NULL)
        out->failed = 1;
    return made;
}

static Umx__PlanStep *new_step(struct umx_steps *out, const char *slug, Umx__Forest__Side side, const char *forest,
                               const char *target, Umx__Change__Kind kind)
{
    const struct umx_phase *phase = umx_phase(slug);
    Umx__PlanStep *step = umx_steps_add(out, slug, side, forest, kind);

    if (step == NULL)
        return NULL;
    step->target = umx_steps_copy(out, target);
    step->groups = umx_steps_copy(out, side == UMX__FOREST__SIDE__LYNC ? phase->groups_lync : phase->groups_exchange);
    return step;
}

Umx__PlanStep *umx_step_action(struct umx_steps *out, const char *slug, Umx__Forest__Side side, const char *forest,
                               const char *server, const char *action, const char *identity)
{
    Umx__PlanStep *step = new_step(out, slug, side, forest, server, UMX__CHANGE__KIND__ACTION);
    Umx__ActionChange *change = sub_message(out, &umx__action_change__descriptor);

    if (step == NULL || change == NULL)
        return NULL;
    change->server = umx_steps_copy(out, server);
    change->action = umx_steps_copy(out, action);
    change->identity = umx_steps_copy(out, identity);
    step->change->action = change;
    return step;
}

Umx__PlanStep *umx_step_gate(struct umx_steps *out, const char *slug, Umx__Forest__Side side, const char *forest,
                             const char *target, const char *reason)
{
    Umx__PlanStep *step = new_step(out, slug, side, forest, target, UMX__CHANGE__KIND__GATE);
    Umx__GateChange *change = sub_message(out, &umx__gate_change__descriptor);

    if (step == NULL || change == NULL)
        return NULL;
    change->reason = umx_steps_copy(out, reason);
    step->change->gate = change;
    return step;
}

Umx__PlanStep *umx_step_wait(struct umx_steps *out, const char *slug, Umx__Forest__Side side, const char *forest,
                             const char *what, const char *server, int32_t timeout)
{
    Umx__PlanStep *step = new_step(out, slug, side, forest, server != NULL ? server : forest, UMX__CHANGE__KIND__WAIT);
    Umx__WaitChange *change = sub_message(out, &umx__wait_change__descriptor);

    if (step == NULL || change == NULL)
        return NULL;
    change->what = umx_steps_copy(out, what);
    change->server = umx_steps_copy(out, server);
    change->has_timeout = 1;
    change->timeout = timeout;
    step->change->wait = change;
    step->undo = umx_steps_copy(out, "nothing to undo");
    return step;
}

const char *umx_item(struct umx_steps *out, ...)
{
    json_t *object = json_object();
    const char *name, *text = NULL;
    va_list args;

    va_start(args, out);
    while ((name = va_arg(args, const char *)) != NULL) {
        const char *value = va_arg(args, const char *);
        if (value != NULL && json_object_set_new(object, name, json_string(value)) != 0)
            out->failed = 1;
    }
    va_end(args);
    char *dumped = object != NULL ? json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (dumped != NULL)
        text = umx_steps_copy(out, dumped);
    else
        out->failed = 1;
    free(dumped);
    json_decref(object);
    return text;
}

void umx_step_item(struct umx_steps *out, Umx__PlanStep *step, const char *item, const char *undo)
{
    if (step == NULL)
        return;
    umx_steps_push(out, &step->change->action->item, &step->change->action->n_item, item);
    if (undo != NULL)
        umx_steps_push(out, &step->change->action->undo_item, &step->change->action->n_undo_item, undo);
}

void umx_step_command(struct umx_steps *out, Umx__PlanStep *gate, const char *command)
{
    if (gate != NULL)
        umx_steps_push(out, &gate->change->gate->command, &gate->change->gate->n_command, command);
}

void umx_step_gate_check(struct umx_steps *out, Umx__PlanStep *gate, const char *check)
{
    if (gate != NULL)
        umx_steps_push(out, &gate->change->gate->check, &gate->change->gate->n_check, check);
}

Umx__PlanStep *umx_step_cmdlet(struct umx_steps *out, const char *slug, Umx__Forest__Side side, const char *forest,
                               const char *server, const char *action, const char *reason, const char *command)
{
    if (server != NULL)
        return umx_step_action(out, slug, side, forest, server, action, "shell");
    Umx__PlanStep *gate = umx_step_gate(out, slug, side, forest, forest, reason);
    if (command != NULL)
        umx_step_command(out, gate, command);
    return gate;
}

void umx_step_cmdlet_end(struct umx_steps *out, Umx__PlanStep *step, const char *summary, const char *item,
                         const char *undo_action, const char *undo_item, const char *undo)
{
    if (step == NULL)
        return;
    step->summary = umx_steps_copy(out, summary);
    step->undo = umx_steps_copy(out, undo);
    if (step->kind != UMX__CHANGE__KIND__ACTION)
        return;
    umx_step_item(out, step, item, undo_item);
    step->change->action->undo_action = umx_steps_copy(out, undo_action);
}

/* ---- directory writes */

Umx__PlanStep *umx_step_write(struct umx_steps *out, const char *slug, Umx__Forest__Side side, const char *forest,
                              Umx__Change__Kind kind, const char *dn, const ProtobufCBinaryData *guid)
{
    Umx__PlanStep *step = new_step(out, slug, side, forest, dn, kind);

    if (step == NULL)
        return NULL;
    step->change->dn = umx_steps_copy(out, dn);
    step->before->has_exists = step->after->has_exists = 1;
    step->before->exists = kind != UMX__CHANGE__KIND__ADD;
    step->after->exists = kind != UMX__CHANGE__KIND__DELETE;
    if (guid == NULL || guid->len == 0)
        return step;
    step->change->object_guid.data = (uint8_t *)umx_arena_copy(out->arena, guid->data, guid->len);
    step->change->object_guid.len = guid->len;
    step->change->has_object_guid = 1;
    if (step->change->object_guid.data == NULL)
        out->failed = 1;
    return step;
}

const char *umx_step_child_dn(struct umx_steps *out, const char *name, const char *parent)
{
    struct umx_text text = {0};

    umx_text_adds(&text, "CN=");
    umx_text_add_rdn(&text, name);
    umx_text_addf(&text, ",%s", parent);
    const char *dn = umx_steps_copy(out, umx_text_string(&text));
    if (text.failed)
        out->failed = 1;
    umx_text_free(&text);
    return dn;
}

static void add_to(struct umx_steps *out, Umx__AttributeValues ***list, size_t *count, const char *name,
                   const char *value)
{
    for (size_t i = 0; i < *count; i++)
        if (umx_text_equal((*list)[i]->name, name)) {
            umx_steps_push(out, &(*list)[i]->value, &(*list)[i]->n_value, value);
            return;
        }
    umx_steps_attribute(out, list, count, name, value);
}

void umx_step_attribute(struct umx_steps *out, Umx__PlanStep *step, const char *attribute, const char *value)
{
    if (step == NULL)
        return;
    add_to(out, &step->change->attribute, &step->change->n_attribute, attribute, value);
    add_to(out, &step->after->attribute, &step->after->n_attribute, attribute, value);
}

static Umx__AttributeChange *change_of(struct umx_steps *out, Umx__PlanStep *step, const char *attribute)
{
    Umx__Change *change = step->change;

    for (size_t i = 0; i < change->n_modify; i++)
        if (umx_text_equal(change->modify[i]->name, attribute))
            return change->modify[i];
    Umx__AttributeChange *made = sub_message(out, &umx__attribute_change__descriptor);
    Umx__AttributeChange **list = umx_arena_alloc(out->arena, (change->n_modify + 1) * sizeof *list);
    if (made == NULL || list == NULL) {
        out->failed = 1;
        return NULL;
    }
    made->name = umx_steps_copy(out, attribute);
    if (change->n_modify > 0)
        memcpy(list, change->modify, change->n_modify * sizeof *list);
    list[change->n_modify++] = made;
    change->modify = list;
    return made;
}

void umx_step_replace(struct umx_steps *out, Umx__PlanStep *step, const char *attribute, const char *old,
                      const char *value)
{
    Umx__AttributeChange *change = step != NULL ? change_of(out, step, attribute) : NULL;

    if (change == NULL)
        return;
    if (old != NULL)
        umx_steps_push(out, &change->remove, &change->n_remove, old);
    if (value != NULL)
        umx_steps_push(out, &change->add, &change->n_add, value);
    umx_steps_attribute(out, &step->before->attribute, &step->before->n_attribute, attribute, old);
    umx_steps_attribute(out, &step->after->attribute, &step->after->n_attribute, attribute, value);
}

/* No images: what else the attribute holds is nobody's business, and the values of the change are compared. */
void umx_step_add_value(struct umx_steps *out, Umx__PlanStep *step, const char *attribute, const char *value,
                        bool linked)
{
    Umx__AttributeChange *change = step != NULL ? change_of(out, step, attribute) : NULL;

    if (change == NULL)
        return;
    change->has_linked = 1;
    change->linked = linked;
    umx_steps_push(out, &change->add, &change->n_add, value);
}

void umx_step_remove_value(struct umx_steps *out, Umx__PlanStep *step, const char *attribute, const char *value,
                           bool linked)
{
    Umx__AttributeChange *change = step != NULL ? change_of(out, step, attribute) : NULL;

    if (change == NULL)
        return;
    change->has_linked = 1;
    change->linked = linked;
    umx_steps_push(out, &change->remove, &change->n_remove, value);
}

/* ---- promises */

static void push_record(struct umx_steps *out, Umx__World **part, ProtobufCMessage *record)
{
    if (*part == NULL)
        *part = sub_message(out, &umx__world__descriptor);
    if (record == NULL || *part == NULL || !umx_records_push(out->arena, *part, record))
        out->failed = 1;
}

/* A record that the world does not have yet, as an earlier step of the plan leaves it; NULL: none makes it. */
static const ProtobufCMessage *made_before(const struct umx_steps *out, const Umx__PlanStep *step,
                                           const struct umx_table *table, const ProtobufCMessage *record)
{
    for (size_t i = out->count; i-- > 0;) {
        size_t from = 0;
        const ProtobufCMessage *made = out->items[i] != step && out->items[i]->predicted != NULL
                                           ? umx_record_find(out->items[i]->predicted, table, record, &from)
                                           : NULL;
        if (made != NULL)
            return made;
    }
    return NULL;
}

static void remember(struct umx_steps *out, Umx__PlanStep *step, const Umx__World *world,
                     const ProtobufCMessage *record, bool whole)
{
    const struct umx_table *table = umx_reflect_table_of(record->descriptor);
    size_t from = 0;
    const ProtobufCMessage *now = umx_record_find(world, table, record, &from);

    if (now == NULL)
        now = made_before(out, step, table, record);
    if (now != NULL)
        push_record(out, &step->original, umx_record_masked(table, now, whole ? now : record, out->arena));
}

void umx_step_promise(struct umx_steps *out, Umx__PlanStep *step, const Umx__World *world,
                      const ProtobufCMessage *record)
{
    if (step == NULL)
        return;
    push_record(out, &step->predicted, umx_reflect_copy(record, out->arena));
    remember(out, step, world, record, false);
}

void umx_step_promise_known(struct umx_steps *out, Umx__PlanStep *step, const ProtobufCMessage *now,
                            const ProtobufCMessage *record)
{
    if (step == NULL)
        return;
    push_record(out, &step->predicted, umx_reflect_copy(record, out->arena));
    if (now != NULL)
        push_record(out, &step->original,
                    umx_record_masked(umx_reflect_table_of(record->descriptor), now, record, out->arena));
}

void umx_step_remove(struct umx_steps *out, Umx__PlanStep *step, const Umx__World *world,
                     const ProtobufCMessage *record)
{
    if (step == NULL)
        return;
    push_record(out, &step->removed,
                umx_record_masked(umx_reflect_table_of(record->descriptor), record, record, out->arena));
    remember(out, step, world, record, true);
}

/* ---- rows */

void umx_steps_reject(struct umx_steps *out, const char *table, int32_t row, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *line = umx_steps_say(out, "%s row %d: %s", table, row, text);
    for (size_t i = 0; i < out->rejected_count; i++)
        if (strcmp(out->rejected[i], line) == 0)
            return; /* another pair of the forest has said it */
    umx_steps_push(out, &out->rejected, &out->rejected_count, line);
}

/* A protobuf-c list has no capacity: powers of two stand for it. */
#define PROPOSE(function, type, list, count)                                                                           \
    void function(struct umx_proposal *out, const type *row)                                                           \
    {                                                                                                                  \
        size_t n = out->input->count;                                                                                  \
        type *copy = umx_reflect_copy(&row->base, out->arena);                                                         \
        type **made = out->input->list;                                                                                \
                                                                                                                       \
        if ((n & (n - 1)) == 0)                                                                                        \
            made = umx_arena_alloc(out->arena, (n == 0 ? 1 : n * 2) * sizeof *made);                                   \
        if (copy == NULL || made == NULL) {                                                                            \
            out->failed = 1;                                                                                           \
            return;                                                                                                    \
        }                                                                                                              \
        if (n > 0 && made != out->input->list)                                                                         \
            memcpy(made, out->input->list, n * sizeof *made);                                                          \
        made[out->input->count++] = copy;                                                                              \
        out->input->list = made;                                                                                       \
    }

PROPOSE(umx_propose_dial_plan, Umx__InputDialPlan, dial_plan, n_dial_plan)
PROPOSE(umx_propose_auto_attendant, Umx__InputAutoAttendant, auto_attendant, n_auto_attendant)
PROPOSE(umx_propose_contact, Umx__InputContact, contact, n_contact)
static PROPOSE(add_user, Umx__InputUser, user, n_user)

    static const char *user_key(struct umx_proposal *out, const Umx__InputUser *row)
{
    const char *key = umx_arena_format(out->arena, "%s %s", umx_or_empty(row->forest), umx_or_empty(row->user));

    if (key == NULL)
        out->failed = 1;
    return key;
}

void umx_propose_user(struct umx_proposal *out, const Umx__InputUser *row)
{
    const char *key = user_key(out, row);

    if (out->users == NULL && (out->users = umx_arena_alloc(out->arena, sizeof *out->users)) != NULL)
        umx_index_begin(out->users, out->arena);
    if (out->users == NULL || key == NULL) {
        out->failed = 1;
        return;
    }
    Umx__InputUser *const *place = umx_index_find(out->users, key);
    if (place == NULL) {
        size_t before = out->input->n_user;
        add_user(out, row);
        Umx__InputUser **kept = umx_arena_alloc(out->arena, sizeof *kept);
        if (kept == NULL || out->input->n_user == before) {
            out->failed = 1;
            return;
        }
        *kept = out->input->user[before];
        umx_index_add(out->users, key, kept);
        out->failed = out->failed || out->users->failed;
        return;
    }
    Umx__InputUser *known = *place;
    char **const into[] = {&known->lync_forest,  &known->sip_address, &known->line,  &known->lync_dial_plan,
                           &known->voice_policy, &known->extension,   &known->policy};
    char *const from[] = {row->lync_forest,  row->sip_address, row->line,  row->lync_dial_plan,
                          row->voice_policy, row->extension,   row->policy};
    for (size_t k = 0; k < sizeof from / sizeof from[0]; k++)
        if (umx_or_empty(*into[k])[0] == '\0' && from[k] != NULL &&
            (*into[k] = umx_arena_string(out->arena, from[k])) == NULL)
            out->failed = 1;
}
