#include "directory/read_changes.h"

#include <string.h>

#include "base/text.h"
#include "directory/read_people.h"

enum { BATCH = 50, CHANGES_MAX = 20000 };

/* Indexed, so that the place is told at once. */
#define NOTHING "(objectGUID=\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00)"
#define PLACES "(|(objectClass=organizationalUnit)(objectClass=container)(objectClass=builtinDomain))"

static bool add_guid(struct umx_guids *guids, const struct umx_value *value, struct umx_arena *arena)
{
    if (!value || value->length != UMX_GUID_SIZE) {
        return true; /* not an object that can be told from others */
    }
    if (guids->count == guids->capacity) {
        guids->capacity = guids->capacity ? guids->capacity * 2 : 256;
        ProtobufCBinaryData *more = umx_arena_alloc(arena, guids->capacity * sizeof *more);
        if (!more) {
            return false;
        }
        if (guids->count) {
            memcpy(more, guids->items, guids->count * sizeof *more);
        }
        guids->items = more;
    }
    ProtobufCBinaryData *guid = &guids->items[guids->count++];
    guid->data = (uint8_t *)umx_arena_copy(arena, value->bytes, value->length);
    guid->len = value->length;
    return guid->data != NULL;
}

/* Changed objects of one domain: those that may be people, and the places that were renamed or moved with all they
 * hold, which changes no object in them. */
struct changed {
    struct umx_reading *reading;
    struct umx_guids objects, places;
};

static int take_object(void *user, const struct umx_entry *entry, struct umx_arena *arena, struct umx_error *err)
{
    struct changed *changed = user;
    (void)arena;
    return add_guid(&changed->objects, umx_entry_value(entry, "objectGUID"), changed->reading->changes->arena)
               ? 0
               : umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL);
}

static int take_place(void *user, const struct umx_entry *entry, struct umx_arena *arena, struct umx_error *err)
{
    struct changed *changed = user;
    bool moved = umx_entry_find(entry, "name") || umx_entry_find(entry, "parentGUID");
    (void)arena;
    return !moved || add_guid(&changed->places, umx_entry_value(entry, "objectGUID"), changed->reading->changes->arena)
               ? 0
               : umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL);
}

static int take_present(void *user, const struct umx_entry *entry, struct umx_arena *arena, struct umx_error *err)
{
    struct umx_changes *changes = user;
    (void)arena;
    return add_guid(&changes->present, umx_entry_value(entry, "objectGUID"), changes->arena)
               ? 0
               : umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL);
}

/* An error that only means that changes cannot be told. */
static int give_up(struct umx_reading *reading, const struct umx_connection *connection, const struct umx_error *why,
                   struct umx_error *err)
{
    if (umx_reading_fatal_on(reading, connection, why)) {
        *err = *why;
        return why->status;
    }
    reading->changes->full = true;
    return 0;
}

static bool keep_sync(struct umx_changes *changes, const char *context, const struct umx_value *cookie)
{
    Umx__SyncState *state = umx_arena_alloc(changes->arena, sizeof *state);
    if (!state) {
        return false;
    }
    umx__sync_state__init(state);
    state->naming_context = umx_arena_string(changes->arena, context);
    state->has_cookie = 1;
    state->cookie.data = (uint8_t *)umx_arena_copy(changes->arena, cookie->bytes, cookie->length);
    state->cookie.len = cookie->length;
    changes->sync[changes->sync_count++] = state;
    return state->naming_context && state->cookie.data;
}

static bool make_room(struct umx_reading *reading)
{
    struct umx_changes *changes = reading->changes;
    changes->sync = umx_arena_alloc(changes->arena, (reading->open_count + 1) * sizeof(Umx__SyncState *));
    return changes->sync != NULL;
}

int umx_read_sync_begin(struct umx_reading *reading, struct umx_error *err)
{
    struct umx_changes *changes = reading->changes;
    int status = make_room(reading) ? 0 : umx_fail(err, UMX_ERR_ARENA_FULL, reading->forest, NULL);
    for (size_t i = 0; i < reading->open_count && !status; i++) {
        const struct umx_read_domain *domain = &reading->open[i];
        struct changed changed = {.reading = reading};
        struct umx_value cookie = {0};
        struct umx_error why = {0};
        if (umx_connection_dirsync(domain->connection, domain->dn, NOTHING, true, &cookie, changes->arena, take_object,
                                   &changed, &why)) {
            /* There will be no refresh; this read goes on. */
            changes->sync_count = 0;
            status = give_up(reading, domain->connection, &why, err);
            changes->full = false;
            return status;
        }
        status = keep_sync(changes, domain->dn, &cookie) ? 0 : umx_fail(err, UMX_ERR_ARENA_FULL, domain->dn, NULL);
    }
    return status;
}

static const Umx__SyncState *since(const struct umx_reading *reading, const char *dn)
{
    for (size_t i = 0; i < reading->since_count; i++) {
        if (umx_text_dn_equal(reading->since[i]->naming_context, dn) && reading->since[i]->cookie.len) {
            return reading->since[i];
        }
    }
    return NULL;
}

/* With the right to replicate, deletions show; without it, every account may ask for what it sees. */
static int ask(struct umx_reading *reading, const struct umx_read_domain *domain, const Umx__SyncState *from,
               struct changed *changed, struct umx_error *why)
{
    struct umx_changes *changes = reading->changes;
    struct umx_value start = {.bytes = from->cookie.data, .length = from->cookie.len}, cookie = start;
    struct umx_connection *connection = domain->connection;
    int status = changes->has_present ? UMX_E_DENIED
                                      : umx_connection_dirsync(connection, domain->dn, PLACES, false, &cookie,
                                                               changes->arena, take_place, changed, why);
    if (status && !umx_connection_broken(connection)) {
        *why = (struct umx_error){0};
        changes->has_present = true;
        cookie = start;
        changed->places.count = 0;
        status = umx_connection_dirsync(connection, domain->dn, PLACES, true, &cookie, changes->arena, take_place,
                                        changed, why);
    }
    if (status) {
        return status;
    }
    if (!keep_sync(changes, domain->dn, &cookie)) {
        return umx_fail(why, UMX_ERR_ARENA_FULL, domain->dn, NULL);
    }
    /* What changes meanwhile is told again next time. */
    return umx_connection_dirsync(connection, domain->dn, "(objectClass=*)", changes->has_present, &start,
                                  changes->arena, take_object, changed, why);
}

static char *narrow(const ProtobufCBinaryData *guids, size_t count, struct umx_arena *arena)
{
    struct umx_text text = {0};
    umx_text_adds(&text, "(|");
    for (size_t i = 0; i < count; i++) {
        umx_text_adds(&text, "(objectGUID=");
        for (size_t k = 0; k < guids[i].len; k++) {
            umx_text_addf(&text, "\\%02x", guids[i].data[k]);
        }
        umx_text_adds(&text, ")");
    }
    umx_text_adds(&text, ")");
    char *copy = text.failed ? NULL : umx_arena_string(arena, umx_text_string(&text));
    umx_text_free(&text);
    return copy;
}

static int send_changed(struct umx_reading *reading, const struct umx_read_domain *domain, struct changed *changed,
                        struct umx_error *err)
{
    struct umx_changes *changes = reading->changes;
    int status = 0;
    for (size_t i = 0; i < changed->objects.count && !status; i += BATCH) {
        size_t left = changed->objects.count - i;
        char *filter = narrow(&changed->objects.items[i], left < BATCH ? left : BATCH, changes->arena);
        status = filter ? umx_read_people_in(reading, domain, domain->dn, filter, err)
                        : umx_fail(err, UMX_ERR_ARENA_FULL, domain->dn, NULL);
    }
    for (size_t i = 0; i < changed->places.count && !status; i++) {
        struct umx_text base = {0};
        umx_text_adds(&base, "<GUID=");
        for (size_t k = 0; k < UMX_GUID_SIZE; k++) {
            umx_text_addf(&base, "%02x", changed->places.items[i].data[k]);
        }
        umx_text_adds(&base, ">");
        status = base.failed ? umx_fail(err, UMX_ERR_MEMORY, domain->dn, NULL)
                             : umx_read_people_in(reading, domain, umx_text_string(&base), NULL, err);
        umx_text_free(&base);
    }
    return status;
}

/* The filters of the rows, together. */
static int list_present(struct umx_reading *reading, const struct umx_read_domain *domain, struct umx_error *why)
{
    static const char *const attributes[] = {"objectGUID", NULL};
    struct umx_text filter = {0};
    umx_text_adds(&filter, "(|");
    for (size_t i = 0; umx_read_people_filter(i); i++) {
        umx_text_adds(&filter, umx_read_people_filter(i));
    }
    umx_text_adds(&filter, ")");
    const struct umx_search search = {
        .base = domain->dn, .scope = UMX_SCOPE_SUBTREE, .filter = umx_text_string(&filter), .attributes = attributes};
    int status = filter.failed
                     ? umx_fail(why, UMX_ERR_MEMORY, domain->dn, NULL)
                     : umx_connection_search(domain->connection, &search, take_present, reading->changes, why);
    umx_text_free(&filter);
    return status;
}

int umx_read_changes(struct umx_reading *reading, struct umx_error *err)
{
    struct umx_changes *changes = reading->changes;
    int status = make_room(reading) ? 0 : umx_fail(err, UMX_ERR_ARENA_FULL, reading->forest, NULL);
    changes->full = reading->open_count != reading->since_count;
    for (size_t i = 0; i < reading->open_count && !status && !changes->full; i++) {
        const struct umx_read_domain *domain = &reading->open[i];
        const Umx__SyncState *from = since(reading, domain->dn);
        struct changed changed = {.reading = reading};
        struct umx_error why = {0};
        if (!from) {
            changes->full = true;
            break;
        }
        if (ask(reading, domain, from, &changed, &why) ||
            (changes->has_present && list_present(reading, domain, &why))) {
            return give_up(reading, domain->connection, &why, err);
        }
        if (changed.objects.count + changed.places.count > CHANGES_MAX) {
            changes->full = true;
            break;
        }
        for (size_t k = 0; k < changed.objects.count && !status; k++) {
            const ProtobufCBinaryData *guid = &changed.objects.items[k];
            status =
                add_guid(&changes->gone, &(struct umx_value){.bytes = guid->data, .length = guid->len}, changes->arena)
                    ? 0
                    : umx_fail(err, UMX_ERR_ARENA_FULL, domain->dn, NULL);
        }
        status = status ? status : send_changed(reading, domain, &changed, err);
    }
    return status;
}
