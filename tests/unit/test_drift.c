/* Drift: a phase that was seen done, then not; what differs and since when; taken back on purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "controller/drift.h"
#include "store/state.h"
#include "worlds.h"

struct place {
    char folder[64];
    struct umx_controller controller;
};

static struct place *place_make(void)
{
    struct place *place = calloc(1, sizeof *place);
    char path[100];

    assert_non_null(place);
    snprintf(place->folder, sizeof place->folder, "/tmp/umx-drift-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(path, sizeof path, "%s/state.db", place->folder);
    assert_int_equal(umx_state_open(path, &place->controller.state, NULL), 0);
    return place;
}

static void place_end(struct place *place)
{
    static const char *const files[] = {"state.db", "state.db-wal", "state.db-shm", "state.db.lock"};

    umx_state_close(place->controller.state);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[100];
        snprintf(path, sizeof path, "%s/%s", place->folder, files[i]);
        unlink(path);
    }
    rmdir(place->folder);
    free(place);
}

/* The state of phase `forests` as the status operation would tell it. */
static Umx__PhaseState *told(struct place *place, struct umx_world *world, struct umx_arena *arena)
{
    const struct umx_phase *phase = umx_phase("forests");
    const Umx__World *records = umx_world_records(world);
    struct umx_findings findings = {.arena = arena};
    struct umx_options options = {0};
    size_t pairs = 0;
    const struct umx_pair *all = umx_phase_pairs(records, arena, &pairs);

    assert_int_equal(pairs, 1);
    assert_int_equal(umx_phases_check(records, &phase, 1, all, 1, &options, &findings, NULL), 0);
    Umx__PhaseState *state = umx_phase_state(phase, &all[0], &findings, arena);
    assert_non_null(state);
    assert_int_equal(umx_drift_apply(&place->controller, records, &findings, state, arena, NULL), 0);
    return state;
}

static void test_drift(void **state)
{
    struct place *place = place_make();
    struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
    struct umx_world *world = world_pair();
    Umx__World *records = umx_world_edit(world);
    const int64_t then = records->taken_at;
    (void)state;

    Umx__PhaseState *seen = told(place, world, arena);
    assert_int_equal(seen->state, UMX__PHASE_STATE__STATE__DONE);
    assert_false(seen->has_done_at); /* nobody has looked before */
    assert_int_equal(umx_drift_note(&place->controller, records, NULL), 0);
    seen = told(place, world, arena);
    assert_true(seen->has_done_at);
    assert_int_equal(seen->done_at, then);

    w_remove_trusts(world, records->forest[0]->forest);
    w_remove_proofs(world, UMX__PROOF__KIND__TRUST);
    records->taken_at = then + UMX_HOUR;
    assert_int_equal(umx_drift_note(&place->controller, records, NULL), 0);
    records->taken_at = then + 2 * UMX_HOUR;
    assert_int_equal(umx_drift_note(&place->controller, records, NULL), 0); /* since the first time, not the last */
    seen = told(place, world, arena);
    assert_int_equal(seen->state, UMX__PHASE_STATE__STATE__DRIFTED);
    assert_int_equal(seen->done_at, then);
    assert_int_equal(seen->drifted_at, then + UMX_HOUR);
    assert_non_null(strstr(seen->drift, "forests/"));
    assert_non_null(strstr(seen->drift, "was "));

    /* Taken back on purpose: nobody drifted. */
    Umx__Plan undo = UMX__PLAN__INIT;
    Umx__Pair pair = UMX__PAIR__INIT, *pairs[] = {&pair};
    Umx__PlanStep step = UMX__PLAN_STEP__INIT, *steps[] = {&step};
    pair.exchange = seen->exchange;
    pair.lync = seen->lync;
    step.phase = seen->phase;
    undo.pair = pairs;
    undo.n_pair = 1;
    undo.step = steps;
    undo.n_step = 1;
    assert_int_equal(umx_drift_forget(&place->controller, &undo, NULL), 0);
    seen = told(place, world, arena);
    assert_int_not_equal(seen->state, UMX__PHASE_STATE__STATE__DRIFTED);
    assert_false(seen->has_done_at);
    assert_int_equal(umx_drift_note(&place->controller, records, NULL), 0);
    assert_int_not_equal(told(place, world, arena)->state, UMX__PHASE_STATE__STATE__DRIFTED);

    umx_world_free(world);
    umx_arena_free(arena);
    place_end(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drift)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
