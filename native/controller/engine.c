/*
 * Opening and closing the engine, adding to the journal, and taking turns on a plan.
 */
#include "controller/engine.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/engine_private.h"

bool umx_engine_policy_of(const char *word, enum umx_engine_policy *out)
{
    static const char *const words[] = {"both-sides", "strict", "none"}; /* in the order of the enum */

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], word) == 0) {
            *out = (enum umx_engine_policy)i;
            return true;
        }
    return false;
}

/* ---- journal */

int umx_engine_append(struct umx_engine *engine, struct umx_plan_state *plan, Umx__Journal *entry, const char *actor,
                      struct umx_error *err)
{
    char name[UMX_PLAN_NAME_MAX + 1], who[UMX_IDENTITY_MAX];
    int point = UMX_POINT_JOURNAL + (int)entry->kind - 1;

    umx_text_copy(name, sizeof name, plan->name);
    umx_text_copy(who, sizeof who, actor != NULL ? actor : engine->options.actor);
    entry->plan = name;
    entry->actor = who;
    umx_engine_crash(point, false, entry->step);
    int status = entry->kind == UMX__JOURNAL__KIND__DELETED ? umx_journal_delete_plan(engine->journal, name, entry, err)
                                                            : umx_journal_append(engine->journal, entry, err);
    if (status != 0)
        return status;
    umx_engine_crash(point, true, entry->step);
    status = umx_states_fold(engine, entry, err);
    if (engine->ports.grown != NULL)
        engine->ports.grown(engine->ports.user);
    pthread_cond_broadcast(&engine->changed);
    return status;
}

int umx_engine_note(struct umx_engine *engine, struct umx_plan_state *plan, Umx__Journal__Kind kind, const char *step,
                    const char *actor, const struct umx_error *why, const char *detail, struct umx_error *err)
{
    Umx__Journal entry = UMX__JOURNAL__INIT;
    char id[32], error[16], text[UMX_ERROR_WHAT_MAX + UMX_ERROR_WHY_MAX + 4];
    struct umx_text copy = {0};

    entry.has_kind = 1;
    entry.kind = kind;
    if (step != NULL) {
        umx_text_copy(id, sizeof id, step);
        entry.step = id;
    }
    if (why != NULL && why->id != 0) {
        snprintf(error, sizeof error, "UMX-%d", why->id);
        entry.error = error;
    }
    if (detail != NULL) {
        umx_text_adds(&copy, detail);
        if (copy.failed)
            return umx_fail(err, UMX_ERR_MEMORY, plan->name, NULL);
        entry.detail = copy.data;
    } else if (why != NULL && why->id != 0) {
        snprintf(text, sizeof text, "%s: %s", why->what, umx_error_why(why));
        entry.detail = text;
    }
    int status = umx_engine_append(engine, plan, &entry, actor, err);
    umx_text_free(&copy);
    return status;
}

/* ---- turns */

void umx_engine_sleep(struct umx_engine *engine, int64_t pause)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nanoseconds = until.tv_nsec + (pause % UMX_SECOND) * 1000;
    until.tv_sec += (time_t)(pause / UMX_SECOND + nanoseconds / 1000000000);
    until.tv_nsec = (long)(nanoseconds % 1000000000);
    pthread_cond_timedwait(&engine->changed, &engine->mutex, &until);
}

int umx_engine_claim(struct umx_engine *engine, struct umx_plan_state *plan, int64_t deadline, struct umx_error *err)
{
    int64_t end = umx_clock_monotonic() + deadline;

    while (plan->claimed) {
        int64_t left = end - umx_clock_monotonic();
        if (engine->closing)
            return umx_fail(err, UMX_ERR_SERVER_STOPPING, plan->name, NULL);
        if (left <= 0)
            return umx_fail(err, UMX_ERR_BUSY, plan->name, "another operation on this plan takes long");
        umx_engine_sleep(engine, left);
    }
    if (engine->closing)
        return umx_fail(err, UMX_ERR_SERVER_STOPPING, plan->name, NULL);
    if (plan->deleted)
        return umx_fail(err, UMX_ERR_PLAN_NOT_FOUND, plan->name, NULL);
    plan->claimed = true;
    return 0;
}

void umx_engine_release(struct umx_engine *engine, struct umx_plan_state *plan)
{
    plan->claimed = false;
    pthread_cond_broadcast(&engine->changed);
}

int umx_engine_wrong_state(struct umx_engine *engine, struct umx_plan_state *plan, const char *wanted,
                           struct umx_error *err)
{
    char buf[24];
    const Umx__PlanSummary__State state = umx_states_of(engine, plan);
    const char *word = umx_reflect_word(&umx__plan_summary__state__descriptor, (int)state, buf);

    if (state == UMX__PLAN_SUMMARY__STATE__DRAFT) /* the step that is forgotten most */
        return umx_fail(err, UMX_ERR_PLAN_STATE_WRONG, plan->name,
                        "it is %s, and must be %s; `umx plan submit %s` hands it in", word, wanted, plan->name);
    return umx_fail(err, UMX_ERR_PLAN_STATE_WRONG, plan->name, "it is %s, and must be %s", word, wanted);
}

const struct umx_engine_forest *umx_engine_forest_of(const struct umx_engine *engine, const char *name)
{
    for (size_t i = 0; i < engine->options.forest_count; i++)
        if (umx_text_equal(engine->options.forests[i].name, name))
            return &engine->options.forests[i];
    return NULL;
}

/* ---- opening */

static int64_t or_default(int64_t value, int64_t otherwise)
{
    return value == 0 ? otherwise : value;
}

static int copy_options(struct umx_engine *engine, const struct umx_engine_options *options, struct umx_error *err)
{
    struct umx_engine_options *own = &engine->options;

    *own = *options;
    own->deployment = umx_arena_string(engine->arena, options->deployment);
    own->actor = umx_arena_string(engine->arena, options->actor != NULL ? options->actor : "controller");
    struct umx_engine_forest *forests =
        umx_arena_alloc(engine->arena, (options->forest_count + 1) * sizeof(struct umx_engine_forest));
    if (forests == NULL || own->deployment == NULL || own->actor == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "engine", NULL);
    for (size_t i = 0; i < options->forest_count; i++) {
        forests[i] = options->forests[i];
        forests[i].name = umx_arena_string(engine->arena, options->forests[i].name);
        if (forests[i].name == NULL)
            return umx_fail(err, UMX_ERR_MEMORY, "engine", NULL);
    }
    own->forests = forests;
    own->undo_cover = or_default(options->undo_cover, 72 * UMX_HOUR);
    own->call_deadline = or_default(options->call_deadline, 30 * UMX_SECOND);
    own->act_deadline = or_default(options->act_deadline, 15 * UMX_MINUTE);
    own->settle_delay = or_default(options->settle_delay, 5 * UMX_SECOND);
    own->retry_first = or_default(options->retry_first, 5 * UMX_SECOND);
    own->retry_last = or_default(options->retry_last, 5 * UMX_MINUTE);
    own->poll_interval = or_default(options->poll_interval, 2 * UMX_SECOND);
    own->collect_deadline = or_default(options->collect_deadline, 2 * UMX_MINUTE);
    own->promise_deadline = or_default(options->promise_deadline, 5 * UMX_MINUTE);
    own->away_deadline = or_default(options->away_deadline, 5 * UMX_MINUTE);
    return 0;
}

struct replay {
    struct umx_engine *engine;
    const struct umx_journal_plan *plans;
    size_t count;
    struct umx_error *err;
};

static int replay_entry(void *user, const Umx__Journal *entry)
{
    struct replay *replay = user;
    const struct umx_journal_plan *stored = NULL;

    if (entry->kind != UMX__JOURNAL__KIND__CREATED)
        return umx_states_fold(replay->engine, entry, replay->err);
    if (entry->plan == NULL || entry->plan_hash == NULL)
        return umx_fail(replay->err, UMX_ERR_JOURNAL_BROKEN, "journal", "entry %lld creates no plan",
                        (long long)entry->sequence);
    for (size_t i = 0; i < replay->count && stored == NULL; i++)
        if (strcmp(replay->plans[i].name, entry->plan) == 0 && strcmp(replay->plans[i].hash, entry->plan_hash) == 0)
            stored = &replay->plans[i];
    if (stored != NULL) { /* what was approved is what the hash says, not what the file holds now */
        char hash[UMX_JOURNAL_HASH_TEXT];
        umx_journal_hash(stored->bytes, stored->length, hash);
        if (strcmp(hash, entry->plan_hash) != 0)
            return umx_fail(replay->err, UMX_ERR_JOURNAL_BROKEN, entry->plan, "its stored bytes have another hash");
    }
    return umx_states_create(replay->engine, entry, stored != NULL ? stored->bytes : NULL,
                             stored != NULL ? stored->length : 0, replay->err);
}

static int replay_journal(struct umx_engine *engine, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(UMX_PLAN_ARENA);
    struct umx_journal_plan *plans = NULL;
    struct replay replay = {engine, NULL, 0, err};

    if (arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "journal", NULL);
    int status = umx_journal_plans(engine->journal, false, arena, &plans, &replay.count, err);
    if (status == 0) {
        replay.plans = plans;
        status = umx_journal_each(engine->journal, NULL, 0, 0, replay_entry, &replay, err);
    }
    umx_arena_free(arena);
    for (size_t i = 0; status == 0 && i < engine->plan_count; i++)
        if (engine->plans[i]->plan == NULL)
            status = umx_fail(err, UMX_ERR_JOURNAL_BROKEN, engine->plans[i]->name, "the plan's bytes are missing");
    return status;
}

static int make(struct umx_engine **out, struct umx_error *err)
{
    struct umx_engine *engine = calloc(1, sizeof *engine);
    pthread_condattr_t attributes;

    *out = NULL;
    if (engine == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "engine", NULL);
    engine->arena = umx_arena_new(UMX_ARENA_FLOOR * 16);
    if (engine->arena == NULL) {
        free(engine);
        return umx_fail(err, UMX_ERR_MEMORY, "engine", NULL);
    }
    pthread_mutex_init(&engine->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&engine->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    *out = engine;
    return 0;
}

int umx_engine_open(struct umx_journal_file *journal, const struct umx_engine_ports *ports,
                    const struct umx_engine_options *options, struct umx_engine **out, struct umx_error *err)
{
    struct umx_engine *engine = NULL;

    *out = NULL;
    int status = make(&engine, err);
    if (status != 0)
        return status;
    engine->journal = journal;
    engine->ports = *ports;
    status = copy_options(engine, options, err);
    if (status == 0)
        status = replay_journal(engine, err);
    if (status == 0) {
        pthread_mutex_lock(&engine->mutex);
        status = umx_recovery_begin(engine, err);
        pthread_mutex_unlock(&engine->mutex);
    }
    if (status == 0 && !options->no_background) {
        int rc = pthread_create(&engine->background, NULL, umx_recovery_thread, engine);
        engine->background_started = rc == 0;
        if (rc != 0)
            status = umx_fail_code(err, UMX_ERR_MEMORY, rc, "engine", "no thread can be started");
    }
    if (status != 0) {
        umx_engine_close(engine);
        return status;
    }
    *out = engine;
    return 0;
}

void umx_engine_close(struct umx_engine *engine)
{
    if (engine == NULL)
        return;
    pthread_mutex_lock(&engine->mutex);
    engine->closing = true;
    struct umx_error why = {0};
    umx_fail(&why, UMX_ERR_SERVER_STOPPING, engine->options.actor, NULL);
    for (size_t i = 0; i < engine->plan_count; i++)
        if (engine->plans[i]->run != NULL)
            umx_run_halt(engine->plans[i]->run, UMX__JOURNAL__KIND__SUSPENDED, NULL, &why);
    pthread_cond_broadcast(&engine->changed);
    umx_run_reap(engine, true);
    pthread_mutex_unlock(&engine->mutex);
    if (engine->background_started)
        pthread_join(engine->background, NULL);
    pthread_mutex_lock(&engine->mutex);
    umx_run_reap(engine, true);
    pthread_mutex_unlock(&engine->mutex);
    for (size_t i = 0; i < engine->plan_count; i++)
        umx_states_free(engine->plans[i]);
    while (engine->graveyard != NULL) {
        struct umx_plan_state *plan = engine->graveyard;
        engine->graveyard = plan->next_deleted;
        umx_states_free(plan);
    }
    free(engine->plans);
    umx_arena_free(engine->arena);
    pthread_cond_destroy(&engine->changed);
    pthread_mutex_destroy(&engine->mutex);
    free(engine);
}
