/*
 * What a plan changes, and whether another one changes it too: objects, whichever hand writes them, servers whose agent
 * acts, and the records that actions and gates promise. Waits change nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/reflect_field.h"
#include "controller/engine_private.h"
#include "phases/index.h"
#include "phases/records.h"

enum kind { OBJECT, SERVER, RECORD };

struct thing {
    uint32_t hash;
    enum kind kind;
    bool deletes; /* an object: what is below it goes too */
    const char *forest;
    const char *text; /* the object's name or the server's */
    const struct umx_table *table;
    const ProtobufCMessage *record;
};

struct things {
    struct thing *items; /* malloc'ed, sorted by hash */
    size_t count;
    size_t capacity;
    bool failed;
};

/* ---- collecting */

static void add(struct things *things, const struct thing *thing)
{
    if (things->count == things->capacity) {
        size_t capacity = things->capacity == 0 ? 64 : 2 * things->capacity;
        struct thing *grown = realloc(things->items, capacity * sizeof *grown);
        if (grown == NULL) {
            things->failed = true;
            return;
        }
        things->items = grown;
        things->capacity = capacity;
    }
    things->items[things->count++] = *thing;
}

/* A name that an earlier step of the plan gives is of no other plan. */
static bool is_name(const char *text)
{
    return text != NULL && text[0] != '\0' && text[0] != '@';
}

static void add_object(struct things *things, const char *forest, const char *dn, bool deletes)
{
    if (is_name(dn))
        add(things, &(struct thing){umx_index_hash(OBJECT, dn), OBJECT, deletes, forest, dn, NULL, NULL});
}

static void add_record(struct things *things, const Umx__PlanStep *step, const struct umx_table *table,
                       const ProtobufCMessage *record, const char *key)
{
    uint32_t hash = RECORD;

    if (strcmp(key, "forest dn") == 0) { /* the object itself, whoever writes it */
        const char *forest = umx_field_text(record, "forest");
        add_object(things, forest != NULL ? forest : step->forest, umx_field_text(record, "dn"), false);
        return;
    }
    for (const char *at = key; *at != '\0'; at += strspn(at, " ")) {
        char name[64];
        size_t length = strcspn(at, " ");
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        const char *text = umx_field_text(record, name);
        hash = text != NULL ? umx_index_hash(hash, text) : hash;
        at += length;
    }
    add(things, &(struct thing){hash, RECORD, false, NULL, NULL, table, record});
}

static void add_part(struct things *things, const Umx__PlanStep *step, const Umx__World *part)
{
    size_t table_count;
    const struct umx_table *tables = umx_reflect_tables(&table_count);

    for (size_t t = 0; part != NULL && t < table_count; t++) {
        size_t count;
        const char *key = tables[t].derived ? NULL : umx_record_key(&tables[t]);
        if (key == NULL)
            continue;
        ProtobufCMessage **records = umx_world_table(part, &tables[t], &count);
        for (size_t i = 0; i < count; i++)
            add_record(things, step, &tables[t], records[i], key);
    }
}

static int by_hash(const void *a, const void *b)
{
    const struct thing *x = a, *y = b;

    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* still: only what is still to be done. */
static struct things collect(const struct umx_plan_state *plan, bool still)
{
    struct things things = {0};

    for (size_t i = 0; i < plan->step_count; i++) {
        const Umx__PlanStep *step = plan->steps[i].step;
        const Umx__Change *change = step->change;
        if (change == NULL || step->kind == UMX__CHANGE__KIND__WAIT ||
            (still && plan->steps[i].state == UMX__PLAN_STEP__STATE__VERIFIED))
            continue;
        add_object(&things, step->forest, change->dn, step->kind == UMX__CHANGE__KIND__DELETE);
        if (change->action != NULL && is_name(change->action->server))
            add(&things, &(struct thing){umx_index_hash(SERVER, change->action->server), SERVER, false, step->forest,
                                         change->action->server, NULL, NULL});
        add_part(&things, step, step->predicted);
        add_part(&things, step, step->removed);
    }
    if (things.count > 1)
        qsort(things.items, things.count, sizeof *things.items, by_hash);
    return things;
}

/* ---- comparing */

/* ancestor: `wanted` is above the object that is asked about; only one that goes away matters then. */
static bool same(const struct thing *a, const struct thing *wanted, bool ancestor)
{
    if (a->hash != wanted->hash || a->kind != wanted->kind)
        return false;
    if (a->kind == RECORD)
        return a->table == wanted->table && umx_record_same(a->table, a->record, wanted->record);
    if (!umx_text_equal(a->forest != NULL ? a->forest : "", wanted->forest != NULL ? wanted->forest : ""))
        return false;
    return a->kind == SERVER ? umx_text_equal(a->text, wanted->text)
                             : (!ancestor || a->deletes) && umx_text_dn_equal(a->text, wanted->text);
}

static bool has(const struct things *things, const struct thing *wanted, bool ancestor)
{
    size_t low = 0, high = things->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (things->items[middle].hash < wanted->hash)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < things->count && things->items[low].hash == wanted->hash; low++)
        if (same(&things->items[low], wanted, ancestor))
            return true;
    return false;
}

/* Whether something of `mine` is in `others`, or below an object that those delete. */
static const struct thing *find_common(const struct things *mine, const struct things *others)
{
    for (size_t i = 0; i < mine->count; i++) {
        struct thing wanted = mine->items[i];
        if (has(others, &wanted, false))
            return &mine->items[i];
        while (wanted.kind == OBJECT && (wanted.text = umx_text_dn_parent(wanted.text)) != NULL) {
            wanted.hash = umx_index_hash(OBJECT, wanted.text);
            if (has(others, &wanted, true))
                return &mine->items[i];
        }
    }
    return NULL;
}

/* What a person calls it. */
static void say(const struct thing *thing, struct umx_text *text)
{
    if (thing->text != NULL) {
        umx_text_adds(text, thing->text);
        return;
    }
    umx_text_adds(text, thing->table->name);
    for (const char *at = umx_record_key(thing->table); *at != '\0'; at += strspn(at, " ")) {
        char name[64];
        size_t length = strcspn(at, " ");
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        const char *value = umx_field_text(thing->record, name);
        if (value != NULL)
            umx_text_addf(text, " %s", value);
        at += length;
    }
}

int umx_overlap_check(const struct umx_plan_state *plan, const struct umx_plan_state *other, struct umx_error *err)
{
    struct things mine = collect(plan, true), theirs = collect(other, false);
    struct umx_text name = {0};
    int status = 0;

    if (mine.failed || theirs.failed) {
        status = umx_fail(err, UMX_ERR_MEMORY, plan->name, NULL);
    } else {
        const struct thing *common = find_common(&mine, &theirs);
        if (common == NULL)
            common = find_common(&theirs, &mine);
        if (common != NULL) {
            say(common, &name);
            status = umx_fail(err, UMX_ERR_PLAN_OVERLAP, plan->name, "plan %s also changes %s", other->name,
                              umx_text_string(&name));
        }
    }
    umx_text_free(&name);
    free(mine.items);
    free(theirs.items);
    return status;
}
