/* Pairs, checks of several phases, states, and the fold that plans each phase in the world that the ones before it
 * make. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "phases/build.h"
#include "phases/groups.h"
#include "phases/index.h"
#include "phases/order.h"
#include "phases/phase.h"
#include "phases/restart.h"

static bool has_side(const Umx__Forest *forest, Umx__Forest__Side side)
{
    return forest->has_side && (forest->side == side || forest->side == UMX__FOREST__SIDE__BOTH);
}

const struct umx_pair *umx_phase_pairs(const Umx__World *world, struct umx_arena *arena, size_t *count)
{
    size_t n = 0;

    *count = 0;
    for (size_t e = 0; e < world->n_forest; e++)
        for (size_t l = 0; l < world->n_forest; l++)
            n += has_side(world->forest[e], UMX__FOREST__SIDE__EXCHANGE) &&
                 has_side(world->forest[l], UMX__FOREST__SIDE__LYNC);
    struct umx_pair *pairs = umx_arena_alloc(arena, (n + 1) * sizeof *pairs);
    if (pairs == NULL)
        return NULL;
    for (size_t e = 0; e < world->n_forest; e++)
        for (size_t l = 0; l < world->n_forest; l++)
            if (has_side(world->forest[e], UMX__FOREST__SIDE__EXCHANGE) &&
                has_side(world->forest[l], UMX__FOREST__SIDE__LYNC))
                pairs[(*count)++] =
                    (struct umx_pair){.exchange = world->forest[e]->forest, .lync = world->forest[l]->forest};
    return pairs;
}

/* The pairs asked for, named as the world names them; all of the world's when none are. */
static int choose_pairs(const Umx__World *world, const struct umx_pair *pairs, size_t count, struct umx_arena *arena,
                        const struct umx_pair **out, size_t *out_count, struct umx_error *err)
{
    if (pairs == NULL) {
        *out = umx_phase_pairs(world, arena, out_count);
        return *out != NULL ? 0 : umx_fail(err, UMX_ERR_MEMORY, "pairs", NULL);
    }
    struct umx_pair *chosen = umx_arena_alloc(arena, (count + 1) * sizeof *chosen);
    if (chosen == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "pairs", NULL);
    for (size_t i = 0; i < count; i++) {
        const Umx__Forest *exchange = umx_find_forest(world, pairs[i].exchange);
        const Umx__Forest *lync = umx_find_forest(world, pairs[i].lync);
        char name[256];
        snprintf(name, sizeof name, "%s:%s", umx_or_empty(pairs[i].exchange), umx_or_empty(pairs[i].lync));
        if (exchange == NULL || lync == NULL)
            return umx_fail(err, UMX_ERR_PAIR_UNKNOWN, name, "the world has no forest %s",
                            umx_or_empty(exchange == NULL ? pairs[i].exchange : pairs[i].lync));
        if (!has_side(exchange, UMX__FOREST__SIDE__EXCHANGE) || !has_side(lync, UMX__FOREST__SIDE__LYNC))
            return umx_fail(
                err, UMX_ERR_PAIR_UNKNOWN, name, "%s is not configured as a forest with %s",
                umx_or_empty(!has_side(exchange, UMX__FOREST__SIDE__EXCHANGE) ? exchange->forest : lync->forest),
                !has_side(exchange, UMX__FOREST__SIDE__EXCHANGE) ? "Exchange" : "Lync");
        chosen[i] = (struct umx_pair){.exchange = exchange->forest, .lync = lync->forest};
    }
    *out = chosen;
    *out_count = count;
    return 0;
}

/* A finding about one forest alone is the same for each pair that the forest is in. */
static void drop_repeated(struct umx_findings *out, size_t first)
{
    size_t kept = first;

    for (size_t i = first; i < out->count; i++) {
        const Umx__Finding *finding = out->items[i];
        bool repeated = false;
        for (size_t k = 0; finding->exchange == NULL && !repeated && k < first; k++) {
            const Umx__Finding *other = out->items[k];
            repeated = other->exchange == NULL && strcmp(other->id, finding->id) == 0 &&
                       umx_text_equal(other->forest, finding->forest) && umx_text_equal(other->target, finding->target);
        }
        if (!repeated)
            out->items[kept++] = out->items[i];
    }
    out->count = kept;
}

int umx_phases_check(const Umx__World *world, const struct umx_phase *const *wanted, size_t phase_count,
                     const struct umx_pair *pairs, size_t pair_count, const struct umx_options *options,
                     struct umx_findings *out, struct umx_error *err)
{
    int rc = umx_options_check(options, NULL, 0, err);

    if (rc == 0)
        rc = choose_pairs(world, pairs, pair_count, out->arena, &pairs, &pair_count, err);
    for (size_t p = 0; rc == 0 && p < (wanted != NULL ? phase_count : UMX_PHASE_COUNT); p++) {
        const struct umx_phase *phase = wanted != NULL ? wanted[p] : &umx_phases()[p];
        for (size_t i = 0; rc == 0 && i < pair_count; i++) {
            size_t first = out->count;
            rc = phase->check(world, &pairs[i], options, out, err);
            drop_repeated(out, first);
        }
    }
    if (rc == 0 && out->failed)
        rc = umx_fail(err, UMX_ERR_MEMORY, "findings", NULL);
    return rc;
}

static const struct umx_phase_check *find_check(const struct umx_phase *phase, const char *id)
{
    for (const struct umx_phase_check *check = phase->checks; check != NULL && check->id != NULL; check++)
        if (umx_text_equal(check->id, id))
            return check;
    return NULL;
}

static bool about(const Umx__Finding *finding, const struct umx_phase_check *check, const struct umx_pair *pair)
{
    if (finding->exchange != NULL)
        return umx_text_equal(finding->exchange, pair->exchange) && umx_text_equal(finding->lync, pair->lync);
    return check != NULL &&
           umx_text_equal(finding->forest, check->needs == UMX_NEEDS_LYNC ? pair->lync : pair->exchange);
}

Umx__PhaseState *umx_phase_state(const struct umx_phase *phase, const struct umx_pair *pair,
                                 const struct umx_findings *findings, struct umx_arena *arena)
{
    int all[UMX__FINDING__STATUS__NOT_APPLICABLE + 1] = {0};
    int core[UMX__FINDING__STATUS__NOT_APPLICABLE + 1] = {0};
    Umx__PhaseState *state = umx_reflect_new(&umx__phase_state__descriptor, arena);

    if (state == NULL)
        return NULL;
    for (size_t i = 0; i < findings->count; i++) {
        const Umx__Finding *finding = findings->items[i];
        const struct umx_phase_check *check = find_check(phase, finding->id);
        if (!umx_text_equal(finding->phase, phase->slug) || !about(finding, check, pair) ||
            (size_t)finding->status >= sizeof all / sizeof all[0])
            continue;
        all[finding->status]++;
        core[finding->status] += check == NULL || check->core;
    }
    state->exchange = umx_arena_string(arena, pair->exchange);
    state->lync = umx_arena_string(arena, pair->lync);
    state->phase = umx_arena_string(arena, phase->slug);
    state->has_state = state->has_pass = state->has_fail = state->has_warn = state->has_unknown = 1;
    state->pass = all[UMX__FINDING__STATUS__PASS];
    state->fail = all[UMX__FINDING__STATUS__FAIL];
    state->warn = all[UMX__FINDING__STATUS__WARN];
    state->unknown = all[UMX__FINDING__STATUS__UNKNOWN];
    int good = state->pass + state->warn;
    int core_good = core[UMX__FINDING__STATUS__PASS] + core[UMX__FINDING__STATUS__WARN];
    if (good + state->fail + state->unknown == 0)
        state->state = all[UMX__FINDING__STATUS__NOT_APPLICABLE] > 0 ? UMX__PHASE_STATE__STATE__NOT_APPLICABLE
                                                                     : UMX__PHASE_STATE__STATE__UNKNOWN;
    else if (state->fail > 0)
        state->state = core_good == 0 && core[UMX__FINDING__STATUS__UNKNOWN] == 0 ? UMX__PHASE_STATE__STATE__MISSING
                                                                                  : UMX__PHASE_STATE__STATE__PARTIAL;
    else if (core[UMX__FINDING__STATUS__UNKNOWN] > 0 || good == 0)
        state->state = UMX__PHASE_STATE__STATE__UNKNOWN;
    else
        state->state = UMX__PHASE_STATE__STATE__DONE;
    return state->exchange != NULL && state->lync != NULL && state->phase != NULL ? state : NULL;
}

/* ---- the fold */

static int require_read(const Umx__Forest *forest, const char *tables, struct umx_error *err)
{
    if (!umx_forest_readable(forest))
        return umx_fail(err, UMX_ERR_PLAN_WORLD_INCOMPLETE, forest->forest, "the forest could not be read: %s",
                        forest->error);
    for (const char *p = umx_or_empty(tables); *p != '\0';) {
        char table[64];
        size_t length = strcspn(p, " ");
        snprintf(table, sizeof table, "%.*s", (int)length, p);
        const char *why = umx_forest_incomplete(forest, table);
        if (why != NULL)
            return umx_fail(err, UMX_ERR_PLAN_WORLD_INCOMPLETE, forest->forest, "%s", why);
        p += length;
        p += strspn(p, " ");
    }
    return 0;
}

/* Adds what a step list gained to the world that the next phase sees. */
static int predict(struct umx_world *world, const struct umx_steps *steps, size_t first, struct umx_error *err)
{
    return umx_phase_apply_all(world, steps->items + first, steps->count - first, err);
}

/* Conditions of the phases' expressions that only the world decides; a phase has decided the others itself. */
static void resolve_groups(const Umx__World *world, struct umx_steps *out, size_t first)
{
    for (size_t i = first; i < out->count; i++) {
        const char *words[2];
        Umx__PlanStep *step = out->items[i];
        size_t count = umx_forest_conditions(world, step->forest, words);
        if (step->groups == NULL)
            continue;
        step->groups = umx_groups_resolve(step->groups, words, count, out->arena);
        if (step->groups == NULL)
            out->failed = 1;
    }
}

/* What all phases leave to the fold for the steps from `first` on: who approves, what they follow, what they make. */
static int settle(struct umx_world *world, struct umx_steps *out, size_t first, struct umx_error *err)
{
    resolve_groups(umx_world_records(world), out, first);
    umx_order_by_names(out, first);
    return out->failed ? 0 : predict(world, out, first, err);
}

/* The bad rows together, as many as an error can name: whoever filled in the file corrects it once. */
static int refuse_rows(const struct umx_steps *out, struct umx_error *err)
{
    struct umx_text lines = {0};

    struct umx_index seen;
    size_t different = 0;

    /* Two pairs may have the same to say of a row. */
    umx_index_begin(&seen, out->arena);
    for (size_t i = 0; i < out->rejected_count; i++) {
        if (umx_index_find(&seen, out->rejected[i]) != NULL)
            continue;
        umx_index_add(&seen, out->rejected[i], out->rejected[i]);
        umx_text_addf(&lines, "%s\n", out->rejected[i]);
        different++;
    }
    char count[48];
    snprintf(count, sizeof count, "%zu row%s of the input", different, different == 1 ? "" : "s");
    umx_text_join(&lines, different, UMX_ERROR_LINES_MAX);
    int rc = umx_fail(err, UMX_ERR_INPUT_ROWS, count, "%s", umx_text_string(&lines));
    umx_text_free(&lines);
    return rc;
}

static bool among(const struct umx_pair *pairs, size_t count, bool lync, const char *forest)
{
    for (size_t i = 0; i < count; i++)
        if (umx_text_equal(lync ? pairs[i].lync : pairs[i].exchange, forest))
            return true;
    return false;
}

/* A person of a forest that the plan has nothing to do with would be left out by every pair, silently. */
static int check_people(const struct umx_options *options, const struct umx_pair *pairs, size_t count,
                        struct umx_steps *out, struct umx_error *err)
{
    size_t given = options->input != NULL ? options->input->n_user : 0;

    for (size_t i = 0; i < given; i++) {
        const Umx__InputUser *row = options->input->user[i];
        const char *exchange = umx_or_empty(row->forest), *lync = umx_or_empty(row->lync_forest);
        bool both = *exchange != '\0' && *lync != '\0', paired = false;
        if (*exchange != '\0' && !among(pairs, count, false, exchange))
            umx_steps_reject(out, "user", row->row, "forest %s is not in the plan", exchange);
        else if (*lync != '\0' && !among(pairs, count, true, lync))
            umx_steps_reject(out, "user", row->row, "lync_forest %s is not in the plan", lync);
        for (size_t k = 0; k < count; k++) {
            paired = paired || (umx_text_equal(pairs[k].exchange, exchange) && umx_text_equal(pairs[k].lync, lync));
            if (*exchange == '\0' && !umx_text_equal(pairs[k].exchange, pairs[0].exchange)) {
                umx_steps_reject(out, "user", row->row, "forest is missing: the plan has several with Exchange");
                break;
            }
        }
        if (both && !paired && out->rejected_count == 0)
            umx_steps_reject(out, "user", row->row, "the plan has no pair %s:%s", exchange, lync);
    }
    return out->rejected_count > 0 ? refuse_rows(out, err) : 0;
}

static int plan_phase(const struct umx_phase *phase, struct umx_world *world, const struct umx_pair *pairs,
                      size_t pair_count, const struct umx_options *options, struct umx_steps *out,
                      struct umx_error *err)
{
    const Umx__World *records = umx_world_records(world);
    size_t first = out->count;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < pair_count; i++) {
        size_t begin = out->count;
        rc = require_read(umx_find_forest(records, pairs[i].exchange), phase->exchange_tables, err);
        if (rc == 0)
            rc = require_read(umx_find_forest(records, pairs[i].lync), phase->lync_tables, err);
        if (rc == 0)
            rc = phase->plan(records, &pairs[i], options, out, err);
        if (rc == 0)
            rc = settle(world, out, begin, err);
    }
    if (rc == 0 && out->rejected_count > 0)
        rc = refuse_rows(out, err);
    if (rc == 0 && phase->finish != NULL && !out->failed) {
        size_t begin = out->count;
        rc = phase->finish(records, pairs, pair_count, options, first, out, err);
        if (rc == 0)
            rc = settle(world, out, begin, err);
    }
    return rc;
}

/* Restarts that no later phase of the plan can ask for any more. */
static int plan_restarts(const bool chosen[UMX_PHASE_COUNT], size_t at, struct umx_world *world,
                         const struct umx_options *options, struct umx_steps *out, struct umx_error *err)
{
    int rc = 0;

    for (enum umx_restart_kind kind = UMX_RESTART_UM; rc == 0 && kind <= UMX_RESTART_FRONT_END; kind++) {
        size_t begin = out->count;
        bool later = false;
        for (size_t p = at + 1; p < UMX_PHASE_COUNT; p++)
            later = later || (chosen[p] && umx_restart_asks(&umx_phases()[p], kind));
        if (later)
            continue;
        umx_restart_add(umx_world_records(world), options, kind, out);
        rc = settle(world, out, begin, err);
    }
    return rc;
}

int umx_phases_plan(const struct umx_world *world, const struct umx_phase *const *wanted, size_t phase_count,
                    const struct umx_pair *pairs, size_t pair_count, const struct umx_options *options,
                    struct umx_steps *out, struct umx_error *err)
{
    struct umx_world *next = umx_world_copy(world);
    struct umx_options whole = options != NULL ? *options : (struct umx_options){0};
    bool chosen[UMX_PHASE_COUNT] = {false};
    int rc = next != NULL ? umx_options_check(options, wanted, phase_count, err)
                          : umx_fail(err, UMX_ERR_MEMORY, "world", NULL);

    if (rc == 0)
        rc = choose_pairs(umx_world_records(world), pairs, pair_count, out->arena, &pairs, &pair_count, err);
    whole.pairs = pairs;
    whole.pair_count = pair_count;
    whole.before = umx_world_records(world);
    if (rc == 0 && pair_count == 0)
        rc = umx_fail(err, UMX_ERR_PAIR_UNKNOWN, "pairs", "the world has no pair of an Exchange and a Lync forest");
    for (size_t p = 0; p < UMX_PHASE_COUNT; p++) {
        for (size_t i = 0; wanted != NULL && i < phase_count; i++)
            chosen[p] = chosen[p] || wanted[i] == &umx_phases()[p];
        if (wanted == NULL)
            chosen[p] = umx_phases()[p].plan != NULL;
    }
    static const char *const of_people[] = {"sip-addresses", "enterprise-voice", "um-mailboxes"};
    bool people = false;
    for (size_t i = 0; i < sizeof of_people / sizeof of_people[0]; i++)
        people = people || chosen[umx_phase(of_people[i])->number - 1];
    if (rc == 0 && people)
        rc = check_people(&whole, pairs, pair_count, out, err);
    for (size_t p = 0; rc == 0 && p < UMX_PHASE_COUNT; p++)
        if (chosen[p]) {
            rc = plan_phase(&umx_phases()[p], next, pairs, pair_count, &whole, out, err);
            if (rc == 0 && !out->failed)
                rc = plan_restarts(chosen, p, next, &whole, out, err);
        }
    if (rc == 0 && out->failed)
        rc = umx_fail(err, UMX_ERR_MEMORY, "plan", NULL);
    umx_world_free(next);
    return rc;
}

/* ---- proposals */

int umx_phases_propose(const Umx__World *world, const struct umx_phase *const *wanted, size_t phase_count,
                       const struct umx_pair *pairs, size_t pair_count, const struct umx_options *options,
                       struct umx_proposal *out, struct umx_error *err)
{
    int rc = umx_options_check(options, NULL, 0, err);

    out->input = umx_reflect_new(&umx__input__descriptor, out->arena);
    if (rc == 0 && out->input == NULL)
        rc = umx_fail(err, UMX_ERR_MEMORY, "proposal", NULL);
    if (rc == 0)
        rc = choose_pairs(world, pairs, pair_count, out->arena, &pairs, &pair_count, err);
    for (size_t p = 0; rc == 0 && p < (wanted != NULL ? phase_count : UMX_PHASE_COUNT); p++) {
        const struct umx_phase *phase = wanted != NULL ? wanted[p] : &umx_phases()[p];
        if (phase->propose == NULL && wanted != NULL)
            rc = umx_fail(err, UMX_ERR_PHASE_NO_ROWS, phase->slug, NULL);
        for (size_t i = 0; rc == 0 && phase->propose != NULL && i < pair_count; i++)
            rc = phase->propose(world, &pairs[i], options, out, err);
    }
    return rc == 0 && out->failed ? umx_fail(err, UMX_ERR_MEMORY, "proposal", NULL) : rc;
}
