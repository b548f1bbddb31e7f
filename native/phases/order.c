#include "phases/order.h"

#include <ctype.h>
#include <string.h>

#include "base/reflect.h"
#include "base/text.h"
#include "phases/records.h"

/* What others call the things that steps make. A field that is a list gives a name for each of its values. */
static const struct {
    const char *table;
    const char *field;
} naming[] = {
    {"dial_plan", "dn"},          {"dial_plan", "phone_context"}, {"auto_attendant", "dn"},
    {"auto_attendant", "number"}, {"mailbox_policy", "dn"},       {"lync_dial_plan", "identity"},
};

struct maker {
    const char *name; /* as it stands in JSON */
    const char *step;
    size_t place; /* of the step */
};

struct makers {
    struct umx_steps *out;
    struct maker *items;
    size_t count;
    size_t capacity;
};

static void add(struct makers *makers, const char *name, size_t place)
{
    struct umx_text quoted = {0};

    if (name == NULL || name[0] == '\0')
        return;
    if (makers->count == makers->capacity) {
        size_t capacity = makers->capacity == 0 ? 16 : 2 * makers->capacity;
        struct maker *more = umx_arena_alloc(makers->out->arena, capacity * sizeof *more);
        if (more == NULL) {
            makers->out->failed = 1;
            return;
        }
        if (makers->count > 0)
            memcpy(more, makers->items, makers->count * sizeof *more);
        makers->items = more;
        makers->capacity = capacity;
    }
    umx_reflect_json_string(&quoted, name);
    const char *text = umx_text_string(&quoted);
    size_t length = strlen(text);
    const char *kept = length > 2 ? umx_arena_copy(makers->out->arena, text + 1, length - 2) : NULL;
    if (quoted.failed || kept == NULL)
        makers->out->failed = 1;
    else
        makers->items[makers->count++] = (struct maker){kept, makers->out->items[place]->id, place};
    umx_text_free(&quoted);
}

static void add_names(struct makers *makers, const ProtobufCMessage *record, const char *name, size_t place)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(record->descriptor, name);
    const char *base = (const char *)record;
    char *text = NULL, **list = NULL;
    size_t count = 0;

    if (field == NULL || field->type != PROTOBUF_C_TYPE_STRING)
        return;
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        memcpy(&text, base + field->offset, sizeof text);
        add(makers, text, place);
        return;
    }
    memcpy(&count, base + field->quantifier_offset, sizeof count);
    memcpy(&list, base + field->offset, sizeof list);
    for (size_t i = 0; i < count; i++)
        add(makers, list[i], place);
}

/* The step makes what it promises and was not there when it was planned. */
static void add_made(struct makers *makers, size_t place)
{
    const Umx__PlanStep *step = makers->out->items[place];

    for (size_t i = 0; step->predicted != NULL && i < sizeof naming / sizeof naming[0]; i++) {
        const struct umx_table *table = umx_reflect_table(naming[i].table);
        size_t count = 0;
        ProtobufCMessage **records = umx_world_table(step->predicted, table, &count);
        for (size_t k = 0; k < count; k++) {
            size_t from = 0;
            if (step->original == NULL || umx_record_find(step->original, table, records[k], &from) == NULL)
                add_names(makers, records[k], naming[i].field, place);
        }
    }
}

static bool in_word(char c)
{
    return isalnum((unsigned char)c) || strchr("._-+", c) != NULL;
}

/* The name with nothing before or after it that would make it another one. */
static bool speaks_of(const char *text, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = text; (at = umx_text_find(at, name)) != NULL; at++)
        if ((at == text || !in_word(at[-1])) && (at[length] == '\0' || !in_word(at[length])))
            return true;
    return false;
}

void umx_order_by_names(struct umx_steps *out, size_t first)
{
    struct makers makers = {.out = out};
    struct umx_text text = {0};

    for (size_t i = 0; i < out->count && !out->failed; i++)
        add_made(&makers, i);
    for (size_t i = first; makers.count > 0 && i < out->count && !out->failed; i++) {
        Umx__PlanStep *step = out->items[i];
        text.length = 0;
        umx_reflect_json(&step->change->base, &text);
        if (step->predicted != NULL)
            umx_reflect_json(&step->predicted->base, &text);
        for (size_t k = 0; k < makers.count && makers.items[k].place < i; k++)
            if (speaks_of(umx_text_string(&text), makers.items[k].name))
                umx_steps_depend(out, step, makers.items[k].step);
        out->failed = out->failed || text.failed;
    }
    umx_text_free(&text);
}
