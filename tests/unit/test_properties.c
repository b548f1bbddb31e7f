/*
 * What holds in every world: checks answer; a phase that has steps does not look done; what the steps promise is in the
 * world that they predict; planning there again finds nothing; what the plan wrote and the engine's inverse took back
 * is as it was, but for what docs/undo.md names; all of it ends soon. Seeds are printed with a failure: UMX_SEED=N
 * tests/test_properties runs that world alone, UMX_WORLDS=N more of them.
 */
#include <stdlib.h>
#include <time.h>

#include "random_rows.h"
#include "same_worlds.h"
#include "world_directory.h"

enum { WORLDS = 120, FIRST_SEED = 20130000 };

/* A plan may be refused for what people have to decide or mend first. */
static bool refusal(int rc)
{
    return rc == UMX_E_CONFLICT || rc == UMX_E_ARGUMENT || rc == UMX_E_PARTIAL;
}

static const struct {
    const char *slug;
    unsigned percent;
    const char *text;
} settings[] = {
    {"lync-dial-plans", 100, "lync-dial-plans.prefix=+4930"},
    {"exchucutil", 35, "exchucutil.mode=faithful"},
    {"um-mailboxes", 50, "um-mailboxes.sync=umx"},
    {"um-mailboxes", 30, "sip-addresses.replace=yes"},
};

struct wish {
    uint64_t seed;
    struct umx_world *world;
    Umx__Input *input; /* NULL: no rows */
    const struct umx_phase *const *phases;
    size_t count; /* 0: all */
    const char *what;
};

static bool wanted(const struct wish *wish, const char *slug)
{
    bool has = wish->count == 0;

    for (size_t i = 0; i < wish->count; i++)
        has = has || strcmp(wish->phases[i]->slug, slug) == 0;
    return has;
}

static int plan(struct w_run *run, const struct wish *wish, struct umx_world *world)
{
    struct rw rw = {.seed = wish->seed ^ 0x0b71};
    const char *texts[5] = {NULL};
    size_t count = 0;

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (rw_chance(&rw, settings[i].percent) && wanted(wish, settings[i].slug))
            texts[count++] = settings[i].text;
    w_begin(run, texts);
    run->options.input = wish->input;
    return umx_phases_plan(world, wish->count > 0 ? wish->phases : NULL, wish->count, NULL, 0, &run->options,
                           &run->steps, &run->err);
}

static void apply_all(uint64_t seed, const char *what, const struct w_run *run, struct umx_world *next)
{
    for (size_t i = 0; i < run->steps.count; i++) {
        const Umx__PlanStep *step = run->steps.items[i];
        struct umx_error err = {0};
        struct umx_text lines = {0};
        if (step->summary == NULL || step->target == NULL || step->undo == NULL || step->groups == NULL)
            fail_msg("seed %llu, %s: %s lacks a text", (unsigned long long)seed, what, step->id);
        if (umx_phase_apply(next, step, &err) != 0)
            fail_msg("seed %llu, %s: %s: %s", (unsigned long long)seed, what, step->summary, umx_error_why(&err));
        if (umx_records_differences(umx_world_records(next), step->predicted, step->removed, &lines) != 0)
            fail_msg("seed %llu, %s: after %s: %s", (unsigned long long)seed, what, step->summary,
                     umx_text_string(&lines));
        umx_text_free(&lines);
    }
}

/* Whether some answer of the phase is not good. */
static bool open_questions(struct umx_world *world, const struct umx_phase *phase, uint64_t seed)
{
    struct w_run run;
    bool open = false;

    w_begin(&run, NULL);
    int rc = umx_phases_check(umx_world_records(world), &phase, 1, NULL, 0, &run.options, &run.findings, &run.err);
    if (rc != 0)
        fail_msg("seed %llu, checks of %s: %s", (unsigned long long)seed, phase->slug, umx_error_why(&run.err));
    for (size_t i = 0; i < run.findings.count; i++) {
        const Umx__Finding *f = run.findings.items[i];
        if (f->actual == NULL || f->target == NULL || f->forest == NULL)
            fail_msg("seed %llu: %s lacks a text", (unsigned long long)seed, f->id);
        open = open || (f->status != W_PASS && f->status != W_NOT_APPLICABLE);
        if ((f->status == W_FAIL || f->status == W_WARN || f->status == W_UNKNOWN) && f->remedy == NULL)
            fail_msg("seed %llu: %s %s has no remedy", (unsigned long long)seed, f->id, f->target);
    }
    w_end(&run);
    return open;
}

/* A gate whose outcome nobody can foretell (servers that setup will make): it asks again until the world shows it. */
static bool open_end(const Umx__PlanStep *step)
{
    return step->kind == UMX__CHANGE__KIND__GATE && step->predicted == NULL && step->removed == NULL;
}

static size_t open_ends(const struct w_run *run)
{
    size_t count = 0;

    for (size_t i = 0; i < run->steps.count; i++)
        count += open_end(run->steps.items[i]);
    return count;
}

/* The plan of a wish, without the rows that it rejects; false: people have to decide or mend something first. */
static bool plan_wish(struct w_run *run, const struct wish *wish)
{
    int rc = plan(run, wish, wish->world);

    for (int tries = 0; rc != 0 && wish->input != NULL && tries < 8 && rows_drop(wish->input, &run->steps); tries++) {
        w_end(run);
        rc = plan(run, wish, wish->world);
    }
    if (rc != 0 && !refusal(rc))
        fail_msg("%s: %s", wish->what, umx_error_why(&run->err));
    return rc == 0;
}

static void plan_again(const struct wish *wish, const struct w_run *first, struct umx_world *next)
{
    struct w_run second;
    int rc = plan(&second, wish, next);

    /* A row that removes a contact names nobody any more, as a mistyped one would. */
    if (rc != 0 && wish->input != NULL && wish->input->n_contact > 0 && rows_drop_gone(wish->input, &second.steps)) {
        w_end(&second);
        if (wish->input->n_contact == 0)
            return; /* without rows another plan is asked for */
        rc = plan(&second, wish, next);
    }
    if (rc != 0)
        fail_msg("%s, again: %s %s", wish->what, second.err.what, umx_error_why(&second.err));
    for (size_t i = 0; i < second.steps.count; i++)
        if (!open_end(second.steps.items[i]))
            fail_msg("%s, again: %s (%s)", wish->what, second.steps.items[i]->summary, second.steps.items[i]->phase);
    if (open_ends(&second) > open_ends(first))
        fail_msg("%s: %zu gates without a promise, then %zu", wish->what, open_ends(first), open_ends(&second));
    w_end(&second);
}

static void undo_again(const struct wish *wish, const struct w_run *run)
{
    struct umx_error err = {0};
    struct umx_inverse inverse;
    struct wd wd;

    wd_begin(&wd, wish->world, wish->what);
    wd_carry_out(&wd, &run->steps);
    wd_undo(&wd, &inverse, &err);
    Umx__World *for_good = same_for_good(&wd.plan, &inverse, wd.arena);
    same_push(wd.arena, for_good, wd.revealed);
    same_worlds(wish->what, umx_world_records(wish->world), umx_world_records(wd.world), for_good);
    umx_text_free(&inverse.foreign);
    wd_end(&wd);
}

static void hold(const struct wish *wish, size_t *planned)
{
    struct umx_world *next = umx_world_copy(wish->world);
    struct w_run first;

    if (plan_wish(&first, wish)) {
        *planned += first.steps.count;
        if (wish->count == 1 && wish->input == NULL && first.steps.count > 0 &&
            !open_questions(wish->world, wish->phases[0], wish->seed))
            fail_msg("%s: %zu steps, and every check passes: %s", wish->what, first.steps.count,
                     first.steps.items[0]->summary);
        apply_all(wish->seed, wish->what, &first, next);
        plan_again(wish, &first, next);
        undo_again(wish, &first);
    }
    w_end(&first);
    umx_world_free(next);
}

static size_t from_environment(const char *name, size_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? (size_t)strtoull(text, NULL, 10) : otherwise;
}

static void one_world(uint64_t seed, size_t *planned)
{
    struct umx_world *world = random_world(seed);
    char what[96];

    for (int p = 0; p <= UMX_PHASE_COUNT; p++) {
        const struct umx_phase *phase = p < UMX_PHASE_COUNT ? &umx_phases()[p] : NULL;
        for (int rows = 0; rows < (phase == NULL || phase->rows != NULL ? 2 : 1); rows++) {
            struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
            struct wish wish = {.seed = seed, .world = world, .phases = &phase, .count = phase != NULL, .what = what};
            snprintf(what, sizeof what, "seed %llu, %s%s", (unsigned long long)seed,
                     phase != NULL ? phase->slug : "all phases", rows ? " with rows" : "");
            if (rows)
                wish.input = random_rows(seed, world, arena);
            if (phase != NULL && !rows)
                open_questions(world, phase, seed);
            hold(&wish, &planned[p]);
            umx_arena_free(arena);
        }
    }
    umx_world_free(world);
}

/* Whatever is missing, checks answer, and planning ends in a plan or a reason. */
static void test_damaged_worlds(void **state)
{
    size_t first = from_environment("UMX_SEED", FIRST_SEED);
    size_t count = getenv("UMX_SEED") != NULL ? 1 : from_environment("UMX_WORLDS", WORLDS);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        struct umx_world *world = random_world(first + i);
        struct w_run run;
        rw_damage(first + i, world);
        if (count == 1)
            print_message("damaged world of seed %zu\n", first);
        for (int p = 0; p < UMX_PHASE_COUNT; p++) {
            const struct umx_phase *phase = &umx_phases()[p];
            open_questions(world, phase, first + i);
            w_begin(&run, NULL);
            int rc = umx_phases_plan(world, &phase, 1, NULL, 0, &run.options, &run.steps, &run.err);
            if (rc != 0 && umx_error_why(&run.err)[0] == '\0')
                fail_msg("seed %zu, %s: refused without a reason", first + i, phase->slug);
            w_end(&run);
        }
        umx_world_free(world);
    }
}

static void test_worlds(void **state)
{
    size_t planned[UMX_PHASE_COUNT + 1] = {0};
    size_t first = from_environment("UMX_SEED", FIRST_SEED);
    size_t count = getenv("UMX_SEED") != NULL ? 1 : from_environment("UMX_WORLDS", WORLDS);
    clock_t begun = clock(); /* processor time: the machine may have much else to do */

    (void)state;
    for (size_t i = 0; i < count; i++)
        one_world(first + i, planned);
    double seconds = (double)(clock() - begun) / CLOCKS_PER_SEC;
    print_message("%zu worlds from seed %zu in %.1f s; steps:", count, first, seconds);
    for (int p = 0; p <= UMX_PHASE_COUNT; p++)
        print_message(" %s %zu", p < UMX_PHASE_COUNT ? umx_phases()[p].slug : "all", planned[p]);
    print_message("\n");
    assert_true(seconds < (double)count + 10);
    if (count >= WORLDS)
        for (int p = 0; p < UMX_PHASE_COUNT; p++)
            if (planned[p] == 0)
                fail_msg("no world gave %s a step", umx_phases()[p].slug);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_worlds), cmocka_unit_test(test_damaged_worlds)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
