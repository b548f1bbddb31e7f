#include "controller/drift.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/reflect.h"
#include "store/state.h"

enum { FINDINGS_MAX = 5000, LINES_MAX = 20, ARENA = 256 * 1024 * 1024 };

/* ---- the record: {"done_at":N,"drifted_at":N,"findings":[["id","target","actual"],...]}, times in microseconds */

static int key_of(const char *exchange, const char *lync, const char *phase, struct umx_text *out,
                  struct umx_error *err)
{
    umx_text_addf(out, "phase %s %s %s", exchange, lync, phase);
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, phase, NULL) : 0;
}

static int load(struct umx_controller *controller, const char *key, json_t **out, struct umx_error *err)
{
    char *text = NULL;
    int status = umx_state_get(controller->state, key, &text, err);

    *out = status == 0 && text != NULL && text[0] != '\0' ? json_loads(text, 0, NULL) : NULL;
    free(text);
    return status;
}

static int save(struct umx_controller *controller, const char *key, const json_t *record, struct umx_error *err)
{
    char *text = record != NULL ? json_dumps(record, JSON_COMPACT) : NULL;
    int status = record != NULL && text == NULL ? umx_fail(err, UMX_ERR_MEMORY, key, NULL)
                                                : umx_state_set(controller->state, key, text != NULL ? text : "", err);

    free(text);
    return status;
}

static bool is_good(const Umx__Finding *finding)
{
    return finding->status == UMX__FINDING__STATUS__PASS || finding->status == UMX__FINDING__STATUS__WARN;
}

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static json_t *good_findings(const struct umx_findings *findings)
{
    json_t *list = json_array();

    for (size_t i = 0; list != NULL && i < findings->count && json_array_size(list) < FINDINGS_MAX; i++) {
        const Umx__Finding *finding = findings->items[i];
        if (is_good(finding))
            json_array_append_new(
                list, json_pack("[s,s,s]", finding->id, or_empty(finding->target), or_empty(finding->actual)));
    }
    return list;
}

/* What the finding said when the phase was done; NULL: it was not there, or not good. */
static const char *said_then(const json_t *record, const Umx__Finding *finding)
{
    const json_t *list = json_object_get(record, "findings");
    size_t i;
    json_t *one;

    json_array_foreach(list, i, one)
    {
        const char *id = json_string_value(json_array_get(one, 0)), *target = json_string_value(json_array_get(one, 1));
        if (id != NULL && target != NULL && strcmp(id, finding->id) == 0 &&
            strcmp(target, or_empty(finding->target)) == 0)
            return json_string_value(json_array_get(one, 2));
    }
    return NULL;
}

static void say_drift(const json_t *record, const struct umx_findings *findings, struct umx_text *out)
{
    size_t lines = 0;

    for (size_t i = 0; i < findings->count; i++) {
        const Umx__Finding *finding = findings->items[i];
        if (finding->status != UMX__FINDING__STATUS__FAIL || ++lines > LINES_MAX)
            continue;
        const char *then = said_then(record, finding);
        umx_text_addf(out, "%s%s %s: ", lines > 1 ? "\n" : "", finding->id, or_empty(finding->target));
        if (then != NULL)
            umx_text_addf(out, "was %s, is %s", then, or_empty(finding->actual));
        else
            umx_text_addf(out, "is %s, expected %s", or_empty(finding->actual), or_empty(finding->expected));
    }
    if (lines > LINES_MAX)
        umx_text_addf(out, "\nand %zu more", lines - LINES_MAX);
}

static bool is_undone(const Umx__PhaseState *state)
{
    return state->state == UMX__PHASE_STATE__STATE__PARTIAL || state->state == UMX__PHASE_STATE__STATE__MISSING;
}

/* ---- noting */

static int note_phase(struct umx_controller *controller, const Umx__World *world, const struct umx_phase *phase,
                      const struct umx_pair *pair, struct umx_arena *arena, struct umx_error *err)
{
    struct umx_options options = {0};
    struct umx_findings findings = {.arena = arena};
    struct umx_text key = {0};
    json_t *record = NULL;

    int status = umx_phases_check(world, &phase, 1, pair, 1, &options, &findings, err);
    const Umx__PhaseState *state = status == 0 ? umx_phase_state(phase, pair, &findings, arena) : NULL;
    if (status == 0 && state == NULL)
        status = umx_fail(err, UMX_ERR_ARENA_FULL, phase->slug, NULL);
    if (status == 0)
        status = key_of(pair->exchange, pair->lync, phase->slug, &key, err);
    if (status == 0 && state->state == UMX__PHASE_STATE__STATE__DONE) {
        record = json_pack("{s:I,s:o}", "done_at", (json_int_t)world->taken_at, "findings", good_findings(&findings));
        status = record == NULL ? umx_fail(err, UMX_ERR_MEMORY, phase->slug, NULL)
                                : save(controller, umx_text_string(&key), record, err);
    } else if (status == 0 && is_undone(state)) {
        status = load(controller, umx_text_string(&key), &record, err);
        if (status == 0 && record != NULL && json_object_get(record, "drifted_at") == NULL) {
            json_object_set_new(record, "drifted_at", json_integer((json_int_t)world->taken_at));
            status = save(controller, umx_text_string(&key), record, err);
        }
    }
    json_decref(record);
    umx_text_free(&key);
    return status;
}

int umx_drift_note(struct umx_controller *controller, const Umx__World *world, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(ARENA);
    size_t pairs = 0;
    const struct umx_pair *all = arena != NULL ? umx_phase_pairs(world, arena, &pairs) : NULL;
    int status = all == NULL ? umx_fail(err, UMX_ERR_MEMORY, "phases", NULL) : 0;

    for (size_t p = 0; status == 0 && p < pairs; p++)
        for (size_t i = 0; status == 0 && i < UMX_PHASE_COUNT; i++)
            if (umx_phases()[i].check != NULL)
                status = note_phase(controller, world, &umx_phases()[i], &all[p], arena, err);
    umx_arena_free(arena);
    return status;
}

/* ---- telling */

int umx_drift_apply(struct umx_controller *controller, const Umx__World *world, const struct umx_findings *findings,
                    Umx__PhaseState *state, struct umx_arena *arena, struct umx_error *err)
{
    struct umx_text key = {0}, lines = {0};
    json_t *record = NULL;

    int status = key_of(state->exchange, state->lync, state->phase, &key, err);
    if (status == 0)
        status = load(controller, umx_text_string(&key), &record, err);
    if (status == 0 && record != NULL) {
        state->has_done_at = 1;
        state->done_at = json_integer_value(json_object_get(record, "done_at"));
    }
    if (status == 0 && record != NULL && is_undone(state)) {
        const json_t *since = json_object_get(record, "drifted_at");
        say_drift(record, findings, &lines);
        state->state = UMX__PHASE_STATE__STATE__DRIFTED;
        state->has_drifted_at = 1;
        state->drifted_at = since != NULL ? json_integer_value(since) : world->taken_at;
        state->drift = umx_arena_string(arena, umx_text_string(&lines));
        if (state->drift == NULL)
            status = umx_fail(err, UMX_ERR_ARENA_FULL, state->phase, NULL);
    }
    umx_text_free(&key);
    umx_text_free(&lines);
    json_decref(record);
    return status;
}

int umx_drift_forget(struct umx_controller *controller, const Umx__Plan *undo, struct umx_error *err)
{
    int status = 0;

    for (size_t p = 0; p < undo->n_pair; p++)
        for (size_t i = 0; status == 0 && i < UMX_PHASE_COUNT; i++) {
            const char *slug = umx_phases()[i].slug;
            struct umx_text key = {0};
            bool undone = false;
            for (size_t k = 0; k < undo->n_step; k++)
                undone = undone || (undo->step[k]->phase != NULL && strcmp(undo->step[k]->phase, slug) == 0);
            if (undone)
                status = key_of(undo->pair[p]->exchange, undo->pair[p]->lync, slug, &key, err);
            if (status == 0 && undone)
                status = save(controller, umx_text_string(&key), NULL, err);
            umx_text_free(&key);
        }
    return status;
}
