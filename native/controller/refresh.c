#include "controller/refresh.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "phases/phase.h"

enum { GUID_SIZE = 16, ENTERPRISE_VOICE = 128 };

struct umx_refresh {
    struct umx_world *world; /* of this forest alone */
    struct umx_arena *arena; /* of sync */
    Umx__SyncState **sync;
    size_t sync_count;
    int64_t whole_at; /* monotonic */
};

/* The tables that a refresh sends in part. */
static const char *const people[] = {"voice_user", "mailbox_user", "contact"};
/* What users point at by name: when it is renamed they show another name without having changed. */
static const char *const referred[] = {"lync_pool", "mailbox_policy", "dial_plan"};

enum { PEOPLE = sizeof people / sizeof *people, REFERRED = sizeof referred / sizeof *referred };

/* ---- fields by their descriptor */

static const ProtobufCBinaryData *guid_of(const ProtobufCMessage *record)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(record->descriptor, "object_guid");
    return (const ProtobufCBinaryData *)(const void *)((const char *)record + field->offset);
}

static const char *dn_of(const ProtobufCMessage *record)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(record->descriptor, "dn");
    const char *dn;
    memcpy(&dn, (const char *)record + field->offset, sizeof dn);
    return dn != NULL ? dn : "";
}

/* ---- sets of GUIDs */

struct set {
    uint8_t (*items)[GUID_SIZE];
    size_t count;
};

static int by_guid(const void *a, const void *b)
{
    return memcmp(a, b, GUID_SIZE);
}

static bool set_room(struct set *set, size_t more)
{
    void *items = realloc(set->items, (set->count + more + 1) * GUID_SIZE);
    if (items != NULL)
        set->items = items;
    return items != NULL;
}

static void set_put(struct set *set, const ProtobufCBinaryData *guid)
{
    if (guid->len == GUID_SIZE)
        memcpy(set->items[set->count++], guid->data, GUID_SIZE);
}

static bool set_has(const struct set *set, const ProtobufCBinaryData *guid)
{
    return guid->len == GUID_SIZE && set->count > 0 &&
           bsearch(guid->data, set->items, set->count, GUID_SIZE, by_guid) != NULL;
}

static bool set_fill(struct set *set, const ProtobufCBinaryData *guids, size_t count)
{
    if (!set_room(set, count))
        return false;
    for (size_t i = 0; i < count; i++)
        set_put(set, &guids[i]);
    qsort(set->items, set->count, GUID_SIZE, by_guid);
    return true;
}

/* ---- keeping */

static bool keep_sync(struct umx_refresh *refresh, const Umx__WorkerReply *last)
{
    struct umx_arena *arena = umx_arena_new(UMX_ARENA_FLOOR * 64);
    if (arena == NULL)
        return false;
    Umx__SyncState **sync = umx_arena_alloc(arena, (last->n_sync + 1) * sizeof(Umx__SyncState *));
    bool good = sync != NULL && last->n_sync > 0;
    for (size_t i = 0; good && i < last->n_sync; i++)
        good = (sync[i] = umx_reflect_copy(&last->sync[i]->base, arena)) != NULL;
    if (!good) {
        umx_arena_free(arena);
        return false;
    }
    umx_arena_free(refresh->arena);
    refresh->arena = arena;
    refresh->sync = sync;
    refresh->sync_count = last->n_sync;
    return true;
}

static bool people_incomplete(const Umx__World *records)
{
    for (size_t k = 0; records->n_forest > 0 && k < PEOPLE; k++)
        if (umx_forest_incomplete(records->forest[0], people[k]) != NULL)
            return true;
    return false;
}

struct umx_refresh *umx_refresh_keep(const struct umx_world *world, const Umx__WorkerReply *last)
{
    const Umx__World *records = umx_world_records(world);
    if (records->n_forest != 1 || !records->forest[0]->has_invocation_id || people_incomplete(records))
        return NULL;
    struct umx_refresh *refresh = calloc(1, sizeof *refresh);
    if (refresh == NULL)
        return NULL;
    refresh->whole_at = umx_clock_monotonic();
    refresh->world = keep_sync(refresh, last) ? umx_world_copy(world) : NULL;
    if (refresh->world == NULL) {
        umx_refresh_free(refresh);
        return NULL;
    }
    return refresh;
}

void umx_refresh_free(struct umx_refresh *refresh)
{
    if (refresh == NULL)
        return;
    umx_world_free(refresh->world);
    umx_arena_free(refresh->arena);
    free(refresh);
}

int64_t umx_refresh_age(const struct umx_refresh *refresh)
{
    return umx_clock_monotonic() - refresh->whole_at;
}

void umx_refresh_request(const struct umx_refresh *refresh, Umx__Read *read)
{
    const Umx__Forest *forest = umx_world_records(refresh->world)->forest[0];
    read->has_invocation_id = 1;
    read->invocation_id = forest->invocation_id;
    read->since = refresh->sync;
    read->n_since = refresh->sync_count;
}

/* ---- merging */

/* Whether everything that users may refer to is still there under its name. */
static bool names_stand(const Umx__World *before, const Umx__World *now)
{
    for (size_t t = 0; t < REFERRED; t++) {
        size_t old_count, new_count;
        ProtobufCMessage **olds = umx_world_table(before, umx_reflect_table(referred[t]), &old_count);
        ProtobufCMessage **news = umx_world_table(now, umx_reflect_table(referred[t]), &new_count);
        for (size_t i = 0; i < old_count; i++) {
            const ProtobufCBinaryData *guid = guid_of(olds[i]);
            bool stands = false;
            for (size_t k = 0; k < new_count && !stands; k++)
                stands = guid_of(news[k])->len == guid->len &&
                         memcmp(guid_of(news[k])->data, guid->data, guid->len) == 0 &&
                         strcmp(dn_of(news[k]), dn_of(olds[i])) == 0;
            if (!stands)
                return false;
        }
    }
    return true;
}

static void set_seen(ProtobufCMessage *record, const Umx__Forest *forest)
{
    const ProtobufCFieldDescriptor *at =
        protobuf_c_message_descriptor_get_field_by_name(record->descriptor, "collected_at");
    const ProtobufCFieldDescriptor *source =
        protobuf_c_message_descriptor_get_field_by_name(record->descriptor, "source");
    memcpy((char *)record + at->offset, &forest->collected_at, sizeof forest->collected_at);
    memcpy((char *)record + source->offset, &forest->source, sizeof forest->source);
}

/* Records of one table: those kept that still count, then the new ones, each object once. */
static int merge_table(const Umx__World *before, const Umx__World *part, const struct umx_table *table,
                       const struct set *gone, const struct set *present, struct umx_world *into, struct umx_error *err)
{
    size_t old_count, new_count;
    ProtobufCMessage **olds = umx_world_table(before, table, &old_count);
    ProtobufCMessage **news = umx_world_table(part, table, &new_count);
    struct set fresh = {0};
    int status = set_room(&fresh, new_count) ? 0 : umx_fail(err, UMX_ERR_MEMORY, table->name, NULL);
    for (size_t i = 0; status == 0 && i < new_count; i++)
        set_put(&fresh, guid_of(news[i]));
    if (fresh.count > 0)
        qsort(fresh.items, fresh.count, GUID_SIZE, by_guid);
    bool twice = false;
    for (size_t i = 1; i < fresh.count && !twice; i++)
        twice = memcmp(fresh.items[i - 1], fresh.items[i], GUID_SIZE) == 0;
    for (size_t i = 0; status == 0 && i < old_count; i++) {
        const ProtobufCBinaryData *guid = guid_of(olds[i]);
        if (set_has(gone, guid) || set_has(&fresh, guid) || (present != NULL && !set_has(present, guid)))
            continue;
        status = umx_world_add(into, olds[i], err);
    }
    size_t kept;
    ProtobufCMessage **records = umx_world_table(umx_world_records(into), table, &kept);
    for (size_t i = 0; i < kept; i++)
        set_seen(records[i], umx_world_records(into)->forest[0]);
    for (size_t i = 0; status == 0 && i < new_count; i++) {
        bool again = false; /* sent twice: itself changed, and moved with its place */
        for (size_t k = i + 1; twice && k < new_count && !again; k++)
            again = memcmp(guid_of(news[i])->data, guid_of(news[k])->data, GUID_SIZE) == 0;
        if (!again)
            status = umx_world_add(into, news[i], err);
    }
    free(fresh.items);
    return status;
}

/* Numbers that the worker can only tell of a whole read. */
static void count_again(Umx__World *records)
{
    Umx__Forest *forest = records->forest[0];
    forest->has_lync_users = 1;
    forest->lync_users = 0;
    for (size_t p = 0; p < records->n_lync_pool; p++)
        records->lync_pool[p]->voice_users = 0;
    for (size_t i = 0; i < records->n_voice_user; i++) {
        const Umx__VoiceUser *user = records->voice_user[i];
        forest->lync_users += user->enabled;
        if (!user->enabled || !(user->option_flags & ENTERPRISE_VOICE) || user->home_server_dn == NULL)
            continue;
        for (size_t p = 0; p < records->n_lync_pool; p++)
            records->lync_pool[p]->voice_users += umx_text_dn_within(user->home_server_dn, records->lync_pool[p]->dn);
    }
    for (size_t u = 0; u < records->n_organizational_unit; u++)
        records->organizational_unit[u]->contacts = 0;
    for (size_t i = 0; i < records->n_contact; i++) {
        const char *parent = umx_text_dn_parent(records->contact[i]->dn);
        for (size_t u = 0; parent != NULL && u < records->n_organizational_unit; u++)
            records->organizational_unit[u]->contacts += umx_text_dn_equal(parent, records->organizational_unit[u]->dn);
    }
}

static int merge(struct umx_refresh *refresh, const Umx__World *part, const Umx__WorkerReply *last,
                 struct umx_world *into, struct umx_error *err)
{
    const Umx__World *before = umx_world_records(refresh->world);
    struct set gone = {0}, present = {0};
    size_t tables;
    const struct umx_table *all = umx_reflect_tables(&tables);
    int status = 0;
    if (!set_fill(&gone, last->gone, last->n_gone) || !set_fill(&present, last->present, last->n_present))
        status = umx_fail(err, UMX_ERR_MEMORY, "refresh", NULL);
    /* The forest's own record first: the others take the time of it. */
    status = status == 0 ? umx_world_add(into, &part->forest[0]->base, err) : status;
    for (size_t t = 0; status == 0 && t < tables; t++) {
        bool partial = false;
        for (size_t k = 0; k < PEOPLE; k++)
            partial = partial || strcmp(all[t].name, people[k]) == 0;
        if (all[t].derived || all[t].record == &umx__forest__descriptor)
            continue;
        if (partial) {
            status = merge_table(before, part, &all[t], &gone, last->lists_present ? &present : NULL, into, err);
            continue;
        }
        size_t count;
        ProtobufCMessage **records = umx_world_table(part, &all[t], &count);
        for (size_t i = 0; status == 0 && i < count; i++)
            status = umx_world_add(into, records[i], err);
    }
    if (status == 0)
        count_again(umx_world_edit(into));
    free(gone.items);
    free(present.items);
    return status;
}

int umx_refresh_merge(struct umx_refresh *refresh, const struct umx_world *part, const Umx__WorkerReply *last,
                      struct umx_world **merged, struct umx_error *err)
{
    const Umx__World *records = umx_world_records(part);
    *merged = NULL;
    if (last->full || last->n_sync == 0 || records->n_forest != 1 || people_incomplete(records) ||
        !names_stand(umx_world_records(refresh->world), records))
        return 0;
    struct umx_world *made = umx_world_new(records->taken_at);
    int status =
        made != NULL ? merge(refresh, records, last, made, err) : umx_fail(err, UMX_ERR_MEMORY, "refresh", NULL);
    struct umx_world *copy = status == 0 ? umx_world_copy(made) : NULL;
    if (status == 0 && (copy == NULL || !keep_sync(refresh, last)))
        status = umx_fail(err, UMX_ERR_MEMORY, "refresh", NULL);
    if (status != 0) {
        umx_world_free(made);
        umx_world_free(copy);
        return status;
    }
    umx_world_free(refresh->world);
    refresh->world = copy;
    *merged = made;
    return 0;
}
