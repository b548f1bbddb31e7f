/*
 * A directory of two forests and an agent behind the engine's ports. It lives in a mapped file, so that it survives a
 * controller that is killed, as real ones do. It can answer late, never, or refuse; a frozen forest keeps the write
 * that it was sent and makes it when it thaws.
 *
 * A request is answered whole or not at all, as by a server of its own: what a killed controller left half-way in here,
 * because another of its threads was in the middle of a request, is taken back by the next one that looks.
 */
#ifndef UMX_TESTS_UNIT_ENGINE_FAKE_H
#define UMX_TESTS_UNIT_ENGINE_FAKE_H

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controller/engine_private.h"

enum {
    FAKE_OBJECTS = 48,
    FAKE_ATTRIBUTES = 10,
    FAKE_VALUES = 6,
    FAKE_ENTRIES = 6,
    FAKE_BATCHES = 64,
    FAKE_MEMBERS = 16,
    FAKE_USERS = 320
};

enum fake_fault {
    FAKE_WELL,
    FAKE_REFUSES,           /* says no, and means it */
    FAKE_DONE_NO_ANSWER,    /* makes the change, the worker dies */
    FAKE_LOST_NO_ANSWER,    /* does not make it, the worker dies */
    FAKE_DONE_TIMEOUT,      /* makes the change, the deadline passes */
    FAKE_FREEZES,           /* keeps the change until fake_thaw, answers nothing until then */
    FAKE_FOREIGN_NO_ANSWER, /* somebody else's value is there instead, the worker dies */
};

struct fake_attribute {
    char name[40];
    int version;
    int count;
    char values[FAKE_VALUES][96];
};

struct fake_object {
    bool exists;
    int forest;
    char dn[128];
    uint8_t guid[16];
    int attribute_count;
    struct fake_attribute attributes[FAKE_ATTRIBUTES];
    int entry_count;
    char entries[FAKE_ENTRIES][96];
    int dacl_version;
    int writes; /* changes made to it, ever: nothing may be done twice */
};

struct fake_batch {
    char id[96];
    int items;
};

/* A Lync user, as the agent's shell sees it. */
struct fake_user {
    char sip_address[48];
    char line[48];
    char previous[48];
    int writes;
};

struct fake {
    pthread_mutex_t mutex; /* robust: a killed child may hold it */
    int object_count;
    uint8_t next_guid;
    bool frozen[2];
    bool behind;              /* dc2 of each forest has no object yet */
    bool undiscovered;        /* nobody knows the domain controllers */
    enum fake_fault fault[2]; /* of the next Apply */
    uint8_t kept[2][8192];    /* packed Change of a frozen forest */
    size_t kept_length[2];
    char members[FAKE_MEMBERS][2][64]; /* user SID, group SID */
    int member_count;
    bool disabled;
    bool unreadable; /* read_world answers a forest with an error */
    bool action_fails;
    bool action_silent;   /* done, and no answer */
    bool action_lost;     /* not done, and no answer */
    char lost_item[48];   /* of items with this text the agent can say neither yes nor no */
    int64_t act_deadline; /* of the last batch, and the seconds for an item of it */
    int32_t act_timeout;
    struct fake_batch batches[FAKE_BATCHES];
    int batch_count;
    int items_done;
    int user_count;
    char bad_item[48]; /* items with this text fail */
    int lag;           /* collections that still show what was before */
    bool away;         /* the agent is not connected */
    bool collect_fails;
    bool service_up; /* RTCSRV of fe1.lync.test */
    int collections;
    int restarts;
    int largest_batch;
    char denied[64]; /* preflight says no to objects with this text */
    bool ready;
    int applies;
    int released;
    void (*releasing)(void *user); /* done once, when a writer is released; only within one process */
    void (*meanwhile)(void *user); /* done once, when the next request comes; only within one process */
    void *meanwhile_user;
    struct fake_object objects[FAKE_OBJECTS]; /* what is long comes last: only the part in use is copied */
    struct fake_user users[FAKE_USERS];
};

struct fake_file {
    struct fake now;
    struct fake before; /* as it was when the mutex was taken */
    atomic_bool changing;
};

static const char *const fake_forests[2] = {"exchange.test", "lync.test"};

/* Everything but the mutex. */
static inline void fake_copy(struct fake *to, const struct fake *from)
{
    const size_t head = offsetof(struct fake, object_count);

    memcpy((char *)to + head, (const char *)from + head, offsetof(struct fake, objects) - head);
    memcpy(to->objects, from->objects, (size_t)from->object_count * sizeof *to->objects);
    memcpy(to->users, from->users, (size_t)from->user_count * sizeof *to->users);
}

static inline void fake_lock(struct fake *fake)
{
    struct fake_file *file = (struct fake_file *)fake;

    if (pthread_mutex_lock(&fake->mutex) == EOWNERDEAD) {
        if (atomic_load(&file->changing))
            fake_copy(&file->now, &file->before);
        pthread_mutex_consistent(&fake->mutex);
    }
    atomic_store(&file->changing, false);
    fake_copy(&file->before, &file->now);
    atomic_store(&file->changing, true);
}

static inline void fake_unlock(struct fake *fake)
{
    atomic_store(&((struct fake_file *)fake)->changing, false);
    pthread_mutex_unlock(&fake->mutex);
}

static inline struct fake *fake_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    bool fresh;

    if (fd < 0)
        abort();
    fresh = lseek(fd, 0, SEEK_END) == 0;
    if (fresh && ftruncate(fd, (off_t)sizeof(struct fake_file)) != 0)
        abort();
    struct fake_file *file = mmap(NULL, sizeof *file, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (file == MAP_FAILED)
        abort();
    close(fd);
    if (fresh) {
        pthread_mutexattr_t attributes;
        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
        pthread_mutex_init(&file->now.mutex, &attributes);
        pthread_mutexattr_destroy(&attributes);
    }
    fake_lock(&file->now); /* what was left half-way is gone before anybody looks */
    fake_unlock(&file->now);
    return &file->now;
}

static inline void fake_close(struct fake *fake)
{
    munmap(fake, sizeof(struct fake_file));
}

static inline int fake_forest(const char *name)
{
    return umx_text_equal(name, fake_forests[1]) ? 1 : 0;
}

/* ---- objects */

static inline struct fake_object *fake_find(struct fake *fake, int forest, const char *dn)
{
    for (int i = 0; i < fake->object_count; i++)
        if (fake->objects[i].exists && fake->objects[i].forest == forest && umx_text_dn_equal(fake->objects[i].dn, dn))
            return &fake->objects[i];
    return NULL;
}

static inline struct fake_object *fake_find_guid(struct fake *fake, const ProtobufCBinaryData *guid)
{
    for (int i = 0; i < fake->object_count; i++)
        if (fake->objects[i].exists && guid->len == 16 && memcmp(fake->objects[i].guid, guid->data, 16) == 0)
            return &fake->objects[i];
    return NULL;
}

static inline struct fake_attribute *fake_attribute(struct fake_object *object, const char *name, bool make)
{
    for (int i = 0; i < object->attribute_count; i++)
        if (umx_text_equal(object->attributes[i].name, name))
            return &object->attributes[i];
    if (!make || object->attribute_count == FAKE_ATTRIBUTES)
        return NULL;
    struct fake_attribute *attribute = &object->attributes[object->attribute_count++];
    memset(attribute, 0, sizeof *attribute);
    umx_text_copy(attribute->name, sizeof attribute->name, name);
    return attribute;
}

static inline bool fake_has(const struct fake_attribute *attribute, const char *value)
{
    for (int i = 0; attribute != NULL && i < attribute->count; i++)
        if (strcmp(attribute->values[i], value) == 0)
            return true;
    return false;
}

static inline void fake_add_value(struct fake_object *object, const char *name, const char *value)
{
    struct fake_attribute *attribute = fake_attribute(object, name, true);

    if (attribute == NULL || attribute->count == FAKE_VALUES)
        abort();
    umx_text_copy(attribute->values[attribute->count++], sizeof attribute->values[0], value);
    attribute->version++;
}

static inline void fake_remove_value(struct fake_object *object, const char *name, const char *value)
{
    struct fake_attribute *attribute = fake_attribute(object, name, true);

    for (int i = 0; i < attribute->count; i++)
        if (strcmp(attribute->values[i], value) == 0) {
            memmove(attribute->values[i], attribute->values[attribute->count - 1], sizeof attribute->values[0]);
            attribute->count--;
            attribute->version++;
            return;
        }
}

static inline struct fake_object *fake_add(struct fake *fake, int forest, const char *dn)
{
    if (fake->object_count == FAKE_OBJECTS)
        abort();
    struct fake_object *object = &fake->objects[fake->object_count++];
    memset(object, 0, sizeof *object);
    object->exists = true;
    object->forest = forest;
    umx_text_copy(object->dn, sizeof object->dn, dn);
    memset(object->guid, ++fake->next_guid, sizeof object->guid);
    return object;
}

/* What somebody else does. */
static inline void fake_set(struct fake *fake, int forest, const char *dn, const char *name, const char *value)
{
    fake_lock(fake);
    struct fake_object *object = fake_find(fake, forest, dn);
    if (object == NULL)
        object = fake_add(fake, forest, dn);
    struct fake_attribute *attribute = fake_attribute(object, name, true);
    attribute->count = 0;
    fake_add_value(object, name, value);
    fake_unlock(fake);
}

static inline const char *fake_value(struct fake *fake, int forest, const char *dn, const char *name)
{
    struct fake_object *object = fake_find(fake, forest, dn);
    const struct fake_attribute *attribute = object != NULL ? fake_attribute(object, name, false) : NULL;

    return attribute != NULL && attribute->count > 0 ? attribute->values[0] : NULL;
}

/* ---- changes */

static inline int fake_apply(struct fake *fake, int forest, const Umx__Change *change, struct fake_object **out,
                             struct umx_error *err)
{
    struct fake_object *object =
        change->has_object_guid ? fake_find_guid(fake, &change->object_guid) : fake_find(fake, forest, change->dn);

    *out = object;
    if (change->kind == UMX__CHANGE__KIND__ADD) {
        if (object != NULL)
            return umx_fail_code(err, UMX_ERR_OBJECT_EXISTS, 68, change->dn, NULL);
        object = fake_add(fake, forest, change->dn);
        for (size_t i = 0; i < change->n_attribute; i++)
            for (size_t k = 0; k < change->attribute[i]->n_value; k++)
                fake_add_value(object, change->attribute[i]->name, change->attribute[i]->value[k]);
        object->writes++;
        fake->applies++;
        *out = object;
        return 0;
    }
    if (object == NULL)
        return umx_fail_code(err, UMX_ERR_OBJECT_NOT_FOUND, 32, change->dn, NULL);
    for (size_t i = 0; i < change->n_modify; i++) {
        const struct fake_attribute *attribute = fake_attribute(object, change->modify[i]->name, false);
        for (size_t k = 0; k < change->modify[i]->n_remove; k++)
            if (!fake_has(attribute, change->modify[i]->remove[k]))
                return umx_fail_code(err, UMX_ERR_VALUE_CONFLICT, 16, change->dn, NULL);
        for (size_t k = 0; k < change->modify[i]->n_add; k++)
            if (fake_has(attribute, change->modify[i]->add[k]))
                return umx_fail_code(err, UMX_ERR_VALUE_CONFLICT, 20, change->dn, NULL);
    }
    object->writes++;
    fake->applies++;
    for (size_t i = 0; i < change->n_modify; i++) {
        for (size_t k = 0; k < change->modify[i]->n_remove; k++)
            fake_remove_value(object, change->modify[i]->name, change->modify[i]->remove[k]);
        for (size_t k = 0; k < change->modify[i]->n_add; k++)
            fake_add_value(object, change->modify[i]->name, change->modify[i]->add[k]);
    }
    if (change->access != NULL) {
        int at = 0;
        while (at < object->entry_count && strcmp(object->entries[at], change->access->sddl) != 0)
            at++;
        if (change->access->add && at == object->entry_count)
            umx_text_copy(object->entries[object->entry_count++], sizeof object->entries[0], change->access->sddl);
        else if (!change->access->add && at < object->entry_count)
            memmove(object->entries[at], object->entries[--object->entry_count], sizeof object->entries[0]);
        object->dacl_version++;
    }
    if (change->kind == UMX__CHANGE__KIND__DELETE) {
        object->exists = false;
        for (int i = 0; i < fake->object_count; i++) /* links to it go with it */
            for (int k = 0; fake->objects[i].exists && k < fake->objects[i].attribute_count; k++)
                if (fake->objects[i].forest == forest && fake_has(&fake->objects[i].attributes[k], object->dn))
                    fake_remove_value(&fake->objects[i], fake->objects[i].attributes[k].name, object->dn);
    }
    return 0;
}

static inline int fake_version(const Umx__Intent *intent, const char *name)
{
    for (size_t i = 0; i < intent->n_version; i++)
        if (umx_text_equal(intent->version[i]->name, name))
            return intent->version[i]->version;
    return 0;
}

static inline Umx__Intent__Outcome fake_probe(struct fake *fake, int forest, const Umx__Change *change,
                                              const Umx__Intent *intent, struct fake_object **out)
{
    struct fake_object *object =
        intent->has_object_guid ? fake_find_guid(fake, &intent->object_guid) : fake_find(fake, forest, change->dn);

    *out = object;
    if (change->kind == UMX__CHANGE__KIND__DELETE)
        return object == NULL ? UMX__INTENT__OUTCOME__OURS : UMX__INTENT__OUTCOME__NOT_DONE;
    if (object == NULL)
        return change->kind == UMX__CHANGE__KIND__ADD ? UMX__INTENT__OUTCOME__NOT_DONE : UMX__INTENT__OUTCOME__FOREIGN;
    for (size_t i = 0; i < change->n_attribute; i++)
        for (size_t k = 0; k < change->attribute[i]->n_value; k++)
            if (!fake_has(fake_attribute(object, change->attribute[i]->name, false), change->attribute[i]->value[k]))
                return UMX__INTENT__OUTCOME__FOREIGN;
    for (size_t i = 0; i < change->n_modify; i++) {
        struct fake_attribute *attribute = fake_attribute(object, change->modify[i]->name, false);
        int version = attribute != NULL ? attribute->version : 0;
        if (version == fake_version(intent, change->modify[i]->name))
            return UMX__INTENT__OUTCOME__NOT_DONE;
        for (size_t k = 0; k < change->modify[i]->n_add; k++)
            if (!fake_has(attribute, change->modify[i]->add[k]))
                return UMX__INTENT__OUTCOME__FOREIGN;
        for (size_t k = 0; k < change->modify[i]->n_remove; k++)
            if (fake_has(attribute, change->modify[i]->remove[k]))
                return UMX__INTENT__OUTCOME__FOREIGN;
    }
    if (change->access != NULL) {
        bool found = false;
        for (int i = 0; i < object->entry_count; i++)
            found = found || strcmp(object->entries[i], change->access->sddl) == 0;
        return found == (change->access->add != 0) ? UMX__INTENT__OUTCOME__OURS : UMX__INTENT__OUTCOME__NOT_DONE;
    }
    return UMX__INTENT__OUTCOME__OURS;
}

/* ---- messages */

static inline void *fake_new(const ProtobufCMessageDescriptor *type, struct umx_arena *arena)
{
    void *message = umx_reflect_new(type, arena);

    if (message == NULL)
        abort();
    return message;
}

static inline bool fake_wanted(const Umx__ReadObject *read, const char *name)
{
    if (read == NULL || read->n_attribute == 0)
        return true;
    for (size_t i = 0; i < read->n_attribute; i++)
        if (umx_text_equal(read->attribute[i], name))
            return true;
    return false;
}

static inline Umx__ObjectState *fake_state(struct fake *fake, int forest, struct fake_object *object,
                                           const Umx__ReadObject *read, struct umx_arena *arena)
{
    Umx__ObjectState *state = fake_new(&umx__object_state__descriptor, arena);
    static const uint8_t invocation[2][16] = {{0xe1}, {0x17}};

    state->has_exists = 1;
    state->exists = object != NULL;
    state->domain_controller = umx_arena_format(arena, "dc1.%s", fake_forests[forest]);
    state->has_invocation_id = 1;
    state->invocation_id.len = 16;
    state->invocation_id.data = (uint8_t *)umx_arena_copy(arena, invocation[forest], 16);
    if (object == NULL)
        return state;
    state->dn = umx_arena_string(arena, object->dn);
    state->has_object_guid = 1;
    state->object_guid.len = 16;
    state->object_guid.data = (uint8_t *)umx_arena_copy(arena, object->guid, 16);
    state->attribute = umx_arena_alloc(arena, FAKE_ATTRIBUTES * sizeof(void *));
    state->version = umx_arena_alloc(arena, FAKE_ATTRIBUTES * sizeof(void *));
    for (int i = 0; i < object->attribute_count; i++) {
        const struct fake_attribute *from = &object->attributes[i];
        Umx__AttributeVersion *version = fake_new(&umx__attribute_version__descriptor, arena);
        version->name = umx_arena_string(arena, from->name);
        version->has_version = 1;
        version->version = from->version;
        state->version[state->n_version++] = version;
        if (from->count == 0 || !fake_wanted(read, from->name))
            continue;
        Umx__AttributeValues *to = fake_new(&umx__attribute_values__descriptor, arena);
        to->name = version->name;
        to->value = umx_arena_alloc(arena, FAKE_VALUES * sizeof(char *));
        for (int k = 0; k < from->count; k++)
            to->value[to->n_value++] = umx_arena_string(arena, from->values[k]);
        state->attribute[state->n_attribute++] = to;
    }
    state->access = umx_arena_alloc(arena, FAKE_ENTRIES * sizeof(char *));
    for (int i = 0; i < object->entry_count; i++)
        state->access[state->n_access++] = umx_arena_string(arena, object->entries[i]);
    state->incoming_link = umx_arena_alloc(arena, FAKE_OBJECTS * sizeof(char *));
    for (int i = 0; i < fake->object_count; i++)
        for (int k = 0; fake->objects[i].exists && k < fake->objects[i].attribute_count; k++)
            if (fake_has(&fake->objects[i].attributes[k], object->dn))
                state->incoming_link[state->n_incoming_link++] =
                    umx_arena_format(arena, "%s\t%s", fake->objects[i].dn, fake->objects[i].attributes[k].name);
    return state;
}

/* ---- ports */

static inline int fake_unanswered(enum umx_error_id id, int forest, struct umx_error *err)
{
    return umx_fail(err, id, fake_forests[forest], NULL);
}

static inline int fake_answer_apply(struct fake *fake, int forest, const Umx__Apply *apply, struct umx_arena *arena,
                                    Umx__WorkerReply *reply, struct umx_error *err)
{
    enum fake_fault fault = fake->fault[forest];
    struct fake_object *object = NULL;
    struct umx_error why = {0};

    fake->fault[forest] = FAKE_WELL;
    if (fault == FAKE_REFUSES) {
        umx_fail_code(&why, UMX_ERR_ACCESS_DENIED, 50, apply->change->dn, NULL);
    } else if (fault == FAKE_LOST_NO_ANSWER) {
        return fake_unanswered(UMX_ERR_WORKER_DIED, forest, err);
    } else if (fault == FAKE_FREEZES) {
        fake->frozen[forest] = true;
        fake->kept_length[forest] = umx__change__get_packed_size(apply->change);
        if (fake->kept_length[forest] > sizeof fake->kept[forest])
            abort();
        umx__change__pack(apply->change, fake->kept[forest]);
        return fake_unanswered(UMX_ERR_DIRECTORY_TIMEOUT, forest, err);
    } else if (fault == FAKE_FOREIGN_NO_ANSWER) {
        object = fake_find(fake, forest, apply->change->dn);
        struct fake_attribute *attribute = fake_attribute(object, apply->change->modify[0]->name, true);
        attribute->count = 0;
        fake_add_value(object, attribute->name, "somebody-else");
        return fake_unanswered(UMX_ERR_WORKER_DIED, forest, err);
    } else {
        fake_apply(fake, forest, apply->change, &object, &why);
        if (fault == FAKE_DONE_NO_ANSWER)
            return fake_unanswered(UMX_ERR_WORKER_DIED, forest, err);
        if (fault == FAKE_DONE_TIMEOUT)
            return fake_unanswered(UMX_ERR_DIRECTORY_TIMEOUT, forest, err);
    }
    if (why.id != 0) {
        reply->error = fake_new(&umx__worker_error__descriptor, arena);
        reply->error->has_id = reply->error->has_status = reply->error->has_code = 1;
        reply->error->id = why.id;
        reply->error->status = why.status;
        reply->error->code = (int32_t)why.foreign;
        return 0;
    }
    reply->state = fake_state(fake, forest, object->exists ? object : NULL, NULL, arena);
    return 0;
}

static inline int fake_answer(struct fake *fake, int forest, const Umx__WorkerRequest *request, struct umx_arena *arena,
                              Umx__WorkerReply *reply, struct umx_error *err)
{
    struct fake_object *object = NULL;

    if (fake->frozen[forest])
        return fake_unanswered(UMX_ERR_DIRECTORY_TIMEOUT, forest, err);
    if (request->request_case == UMX__WORKER_REQUEST__REQUEST_APPLY)
        return fake_answer_apply(fake, forest, request->apply, arena, reply, err);
    if (request->request_case == UMX__WORKER_REQUEST__REQUEST_PROBE) {
        reply->reply_case = UMX__WORKER_REPLY__REPLY_OUTCOME;
        reply->outcome = fake_probe(fake, forest, request->probe->change, request->probe->intent, &object);
        reply->state = fake_state(fake, forest, object, NULL, arena);
    } else if (request->request_case == UMX__WORKER_REQUEST__REQUEST_READ_OBJECT) {
        const Umx__ReadObject *read = request->read_object;
        bool second = read->domain_controller != NULL && strncmp(read->domain_controller, "dc2.", 4) == 0;
        object = second && fake->behind  ? NULL
                 : read->has_object_guid ? fake_find_guid(fake, &read->object_guid)
                                         : fake_find(fake, forest, read->dn);
        reply->reply_case = UMX__WORKER_REPLY__REPLY_OBJECT;
        reply->object = fake_state(fake, forest, object, read, arena);
    } else if (request->request_case == UMX__WORKER_REQUEST__REQUEST_DISCOVER) {
        Umx__DiscoverResult *result = fake_new(&umx__discover_result__descriptor, arena);
        if (fake->undiscovered)
            return fake_unanswered(UMX_ERR_FOREST_UNREACHABLE, forest, err);
        result->domain_controller = umx_arena_alloc(arena, 2 * sizeof(char *));
        for (; result->n_domain_controller < 2; result->n_domain_controller++)
            result->domain_controller[result->n_domain_controller] =
                umx_arena_format(arena, "dc%zu.%s", result->n_domain_controller + 1, fake_forests[forest]);
        reply->reply_case = UMX__WORKER_REPLY__REPLY_DISCOVERED;
        reply->discovered = result;
    } else if (request->request_case == UMX__WORKER_REQUEST__REQUEST_MEMBERSHIP) {
        Umx__MembershipResult *result = fake_new(&umx__membership_result__descriptor, arena);
        result->has_found = result->has_enabled = 1;
        result->found = 1;
        result->enabled = !fake->disabled;
        result->group_sid = umx_arena_alloc(arena, FAKE_MEMBERS * sizeof(char *));
        for (size_t k = 0; k < request->membership->n_group_sid; k++)
            for (int i = 0; i < fake->member_count; i++)
                if (strcmp(fake->members[i][0], request->membership->user_sid) == 0 &&
                    strcmp(fake->members[i][1], request->membership->group_sid[k]) == 0)
                    result->group_sid[result->n_group_sid++] = umx_arena_string(arena, fake->members[i][1]);
        reply->reply_case = UMX__WORKER_REPLY__REPLY_MEMBERSHIP;
        reply->membership = result;
    } else if (request->request_case == UMX__WORKER_REQUEST__REQUEST_PREFLIGHT) {
        Umx__PreflightResult *result = fake_new(&umx__preflight_result__descriptor, arena);
        result->answer = umx_arena_alloc(arena, (request->preflight->n_change + 1) * sizeof(char *));
        for (size_t k = 0; k < request->preflight->n_change; k++) {
            bool denied = fake->denied[0] != '\0' && strstr(request->preflight->change[k]->dn, fake->denied) != NULL;
            result->answer[result->n_answer++] =
                umx_arena_string(arena, denied ? "denied: no right to write there" : "allowed");
        }
        reply->reply_case = UMX__WORKER_REPLY__REPLY_PREFLIGHT;
        reply->preflight = result;
    } else {
        return umx_fail(err, UMX_ERR_INTERNAL, "fake", "this request is not expected");
    }
    return 0;
}

static inline int fake_call(void *user, const char *forest, bool writer, Umx__WorkerRequest *request, int64_t deadline,
                            struct umx_arena *arena, Umx__WorkerReply **reply, struct umx_error *err)
{
    struct fake *fake = user;
    void (*meanwhile)(void *) = fake->meanwhile;

    (void)deadline;
    fake->meanwhile = NULL;
    if (meanwhile != NULL)
        meanwhile(fake->meanwhile_user);
    if (request->request_case == UMX__WORKER_REQUEST__REQUEST_APPLY && !writer)
        return umx_fail(err, UMX_ERR_ACCESS_DENIED, forest, "the reader does not write");
    *reply = fake_new(&umx__worker_reply__descriptor, arena);
    fake_lock(fake);
    int status = fake_answer(fake, fake_forest(forest), request, arena, *reply, err);
    fake_unlock(fake);
    return status;
}

static inline void fake_thaw(struct fake *fake, int forest)
{
    struct fake_object *object = NULL;

    fake_lock(fake);
    fake->frozen[forest] = false;
    if (fake->kept_length[forest] > 0) {
        Umx__Change *change = umx__change__unpack(NULL, fake->kept_length[forest], fake->kept[forest]);
        fake_apply(fake, forest, change, &object, NULL);
        umx__change__free_unpacked(change, NULL);
        fake->kept_length[forest] = 0;
    }
    fake_unlock(fake);
}

static inline void fake_add_group(struct umx_world *world, const char *forest, const char *meaning, const char *sid)
{
    Umx__AdminGroup group = UMX__ADMIN_GROUP__INIT;

    group.forest = (char *)(uintptr_t)forest;
    group.meaning = (char *)(uintptr_t)meaning;
    group.sid = (char *)(uintptr_t)sid;
    if (umx_world_add(world, &group.base, NULL) != 0)
        abort();
}

static inline void fake_add_administrator(struct umx_world *world, const char *server, const char *sid, int64_t age)
{
    Umx__LocalAdministrator administrator = UMX__LOCAL_ADMINISTRATOR__INIT;

    administrator.server = (char *)(uintptr_t)server;
    administrator.sid = (char *)(uintptr_t)sid;
    administrator.has_collected_at = 1;
    administrator.collected_at = umx_clock_now() - age;
    if (umx_world_add(world, &administrator.base, NULL) != 0)
        abort();
}

static inline int fake_read_world(void *user, const char *const *forests, size_t count, const char *const *tables,
                                  struct umx_world **out, struct umx_error *err)
{
    struct fake *fake = user;
    struct umx_world *world = umx_world_new(umx_clock_now());

    (void)tables;
    (void)err;
    for (size_t i = 0; i < count; i++) {
        Umx__Forest forest = UMX__FOREST__INIT;
        int index = fake_forest(forests[i]);
        forest.forest = (char *)(uintptr_t)fake_forests[index];
        forest.has_side = 1;
        forest.side = index == 0 ? UMX__FOREST__SIDE__EXCHANGE : UMX__FOREST__SIDE__LYNC;
        if (fake->unreadable && index == 1)
            forest.error = (char *)(uintptr_t) "UMX-1201: no domain controller answers";
        if (umx_world_add(world, &forest.base, NULL) != 0)
            abort();
        if (index == 0) {
            fake_add_group(world, fake_forests[0], "organization_management", "S-1-5-21-1-101");
            fake_add_group(world, fake_forests[0], "recipient_management", "S-1-5-21-1-102");
            fake_add_administrator(world, "um1.exchange.test", "S-1-5-21-1-301", 0);
            fake_add_administrator(world, "um2.exchange.test", "S-1-5-21-1-1099", 0); /* an account, not a group */
            fake_add_administrator(world, "um3.exchange.test", "S-1-5-32-544", 0);
            fake_add_administrator(world, "um3.exchange.test", "S-1-5-21-1-301", 2 * UMX_DAY);
        } else {
            fake_add_group(world, fake_forests[1], "rtc_server_admins", "S-1-5-21-2-201");
            fake_add_group(world, fake_forests[1], "rtc_user_admins", "S-1-5-21-2-202");
        }
    }
    *out = world;
    return 0;
}

static inline struct fake_user *fake_user(struct fake *fake, const char *sip_address)
{
    for (int i = 0; i < fake->user_count; i++)
        if (strcmp(fake->users[i].sip_address, sip_address) == 0)
            return &fake->users[i];
    return NULL;
}

static inline void fake_add_users(struct fake *fake, int count)
{
    for (; fake->user_count < count; fake->user_count++) {
        struct fake_user *user = &fake->users[fake->user_count];
        snprintf(user->sip_address, sizeof user->sip_address, "sip:u%d@lync.test", fake->user_count + 1);
        snprintf(user->line, sizeof user->line, "tel:+%d", 1000 + fake->user_count);
    }
}

/* One item: set-cs-user {sip_address line}, anything else only counts. known: it is only answered again. */
static inline bool fake_item(struct fake *fake, const char *action, const char *item, bool known,
                             struct umx_arena *arena, char **detail)
{
    json_t *root = json_loads(item, 0, NULL);
    const char *line = json_string_value(json_object_get(root, "line"));
    const char *address = json_string_value(json_object_get(root, "sip_address"));
    struct fake_user *user = address != NULL ? fake_user(fake, address) : NULL;
    bool good = !fake->action_fails && (fake->bad_item[0] == '\0' || strstr(item, fake->bad_item) == NULL);

    *detail = umx_arena_string(arena, good ? "{\"thumbprint\":\"ab12\"}" : "refused");
    if (good && strcmp(action, "set-cs-user") == 0 && user == NULL) {
        good = false;
        *detail = umx_arena_string(arena, "no such user");
    }
    if (good && !known) {
        fake->items_done++;
        fake->restarts += strncmp(action, "restart-", 8) == 0 ? 1 : 0;
        if (strncmp(action, "restart-", 8) == 0)
            fake->service_up = true;
    }
    if (good && user != NULL) {
        if (!known) {
            snprintf(user->previous, sizeof user->previous, "%s", user->line);
            snprintf(user->line, sizeof user->line, "%s", line);
            user->writes++;
        }
        *detail = umx_arena_format(arena, "{\"previous_line\":\"%s\"}", user->previous);
    }
    json_decref(root);
    return good;
}

/* An agent that journals its batches: the same id is answered, not done again. */
static inline int fake_act(void *user, const char *server, const Umx__ActionBatch *batch, int64_t deadline,
                           struct umx_arena *arena, Umx__ActionResult ***results, size_t *count, struct umx_error *err)
{
    struct fake *fake = user;
    int status = 0;

    if (strcmp(server, "fe1.lync.test") != 0 || fake->away)
        return umx_fail(err, UMX_ERR_AGENT_UNKNOWN, server, NULL);
    fake_lock(fake);
    fake->act_deadline = deadline;
    fake->act_timeout = batch->timeout;
    int at = 0;
    while (at < fake->batch_count && strcmp(fake->batches[at].id, batch->batch) != 0)
        at++;
    bool not_done = batch->ask && at == fake->batch_count, known = at < fake->batch_count;
    if (fake->action_lost) { /* on its way to the agent */
        fake->action_lost = false;
        fake_unlock(fake);
        return umx_fail(err, UMX_ERR_DEADLINE, server, NULL);
    }
    if (!known && !not_done) {
        if (fake->batch_count == FAKE_BATCHES)
            abort();
        umx_text_copy(fake->batches[at].id, sizeof fake->batches[at].id, batch->batch);
        fake->batches[fake->batch_count++].items = (int)batch->n_item;
        if ((int)batch->n_item > fake->largest_batch)
            fake->largest_batch = (int)batch->n_item;
    }
    if (fake->action_silent) {
        fake->action_silent = false;
        status = umx_fail(err, UMX_ERR_DEADLINE, server, NULL);
    }
    *results = umx_arena_alloc(arena, (batch->n_item + 1) * sizeof(void *));
    *count = batch->n_item;
    for (size_t i = 0; i < batch->n_item; i++) {
        Umx__ActionResult *result = fake_new(&umx__action_result__descriptor, arena);
        result->has_item = result->has_ok = 1;
        result->item = (int32_t)i;
        result->has_not_done = result->not_done = not_done;
        if (fake->lost_item[0] != '\0' && strstr(batch->item[i], fake->lost_item) != NULL)
            result->has_uncertain = result->uncertain = 1;
        else if (!not_done)
            result->ok = fake_item(fake, batch->action, batch->item[i], known, arena, &result->detail);
        (*results)[i] = result;
    }
    fake_unlock(fake);
    return status;
}

static inline bool fake_connected(void *user, const char *forest, const char *server)
{
    const struct fake *fake = user;

    return !fake->away && (server != NULL ? strcmp(server, "fe1.lync.test") == 0 : fake_forest(forest) == 1);
}

static inline bool fake_wants(const char *const *tables, const char *name)
{
    for (; tables != NULL && *tables != NULL; tables++)
        if (strcmp(*tables, name) == 0)
            return true;
    return false;
}

static inline int fake_collect(void *user, const char *forest, const char *server, const char *const *tables,
                               int64_t deadline, struct umx_world *world, struct umx_error *err)
{
    struct fake *fake = user;

    (void)deadline;
    if (!fake_connected(user, forest, server))
        return umx_fail(err, UMX_ERR_AGENT_UNKNOWN, server != NULL ? server : forest, NULL);
    if (fake->collect_fails)
        return umx_fail(err, UMX_ERR_COLLECT_FAILED, server != NULL ? server : forest, "no shell here");
    fake_lock(fake);
    fake->collections++;
    bool old = fake->lag > 0;
    fake->lag -= old ? 1 : 0;
    for (int i = 0; fake_wants(tables, "lync_user") && i < fake->user_count; i++) {
        struct fake_user *one = &fake->users[i];
        Umx__LyncUser record = UMX__LYNC_USER__INIT;
        record.server = (char *)(uintptr_t) "fe1.lync.test";
        record.forest = (char *)(uintptr_t)fake_forests[1];
        record.sip_address = one->sip_address;
        record.line = old && one->writes > 0 ? one->previous : one->line;
        if (umx_world_add(world, &record.base, NULL) != 0)
            abort();
    }
    if (fake_wants(tables, "service")) {
        Umx__Service record = UMX__SERVICE__INIT;
        record.server = (char *)(uintptr_t) "fe1.lync.test";
        record.name = (char *)(uintptr_t) "RTCSRV";
        record.has_state = 1;
        record.state = fake->service_up ? UMX__SERVICE__STATE__RUNNING : UMX__SERVICE__STATE__STOPPED;
        if (umx_world_add(world, &record.base, NULL) != 0)
            abort();
    }
    fake_unlock(fake);
    return 0;
}

static inline int fake_ready(void *user, const Umx__PlanStep *step, bool *ready, struct umx_error *err)
{
    struct fake *fake = user;

    if (strcmp(step->change->wait->what, "visible") == 0)
        return umx_fail(err, UMX_ERR_OPERATION_UNKNOWN, "fake", NULL);
    *ready = fake->ready;
    return 0;
}

static inline void fake_release(void *user, const char *forest)
{
    struct fake *fake = user;

    (void)forest;
    void (*releasing)(void *) = fake->releasing;
    fake->releasing = NULL;
    if (releasing != NULL)
        releasing(fake->meanwhile_user);
    fake_lock(fake);
    fake->released++;
    fake_unlock(fake);
}

static inline struct umx_engine_ports fake_ports(struct fake *fake)
{
    return (struct umx_engine_ports){.user = fake,
                                     .read_world = fake_read_world,
                                     .call = fake_call,
                                     .release_writer = fake_release,
                                     .act = fake_act,
                                     .connected = fake_connected,
                                     .collect = fake_collect,
                                     .ready = fake_ready};
}

#endif
