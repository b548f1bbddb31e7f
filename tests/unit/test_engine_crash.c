/*
 * The crash property: a controller killed at any pass of any crash point, during apply and during undo, is opened again
 * over the same directory and journal, goes on, and ends where an undisturbed one ends, with every change made exactly
 * once and an intact journal.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/crash.h"
#include "engine_actions.h"

#define STATE(word) UMX__PLAN_SUMMARY__STATE__##word

/* A sanitizer makes each of the some 300 starts slow: it sees every point, and every fourth of its passes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STRIDE = 4 };
#else
enum { STRIDE = 1 };
#endif
enum { PASSES_MAX = 60 };

/* What an operator does until the plan is completed, from whatever state it is in. */
static bool drive(struct stage *s, const char *name)
{
    for (int turn = 0; turn < 12; turn++) {
        for (int forest = 0; forest < 2; forest++)
            if (s->fake->frozen[forest] && stage_state(s, name) == STATE(SUSPENDED))
                fake_thaw(s->fake, forest);
        switch (stage_wait(s, name, true)) {
        case STATE(COMPLETED):
            return true;
        case STATE(DRAFT):
        case STATE(SUBMITTED):
            if (stage_approve(s, name) != 0)
                return false;
            break;
        case STATE(APPROVED):
            if (stage_start(s, name) != 0)
                return false;
            break;
        case STATE(SUSPENDED):
        case STATE(FAILED):
            if (stage_resume(s, name) != 0 && s->err.id != UMX_ERR_STEP_UNCERTAIN)
                return false;
            break;
        default:
            return false;
        }
    }
    return false;
}

static bool exists(struct stage *s, const char *name)
{
    return stage_state(s, name) != 0;
}

/* Plan, apply, undo: each part only when it is not there yet. */
static bool scenario(struct stage *s)
{
    if (!exists(s, "p") && store_every_kind(s, "p") != 0)
        return false;
    if (!drive(s, "p"))
        return false;
    if (!exists(s, "p-undo") && stage_undo(s, "p", NULL) != 0)
        return false;
    return drive(s, "p-undo");
}

/* All that is needed to see why, without another run: both plans, step by step, and every entry. */
static void print_stage(const char *who, struct stage *s)
{
    static const char *const names[] = {"p", "p-undo"};
    struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
    Umx__Journal **entries = NULL;
    struct umx_text text = {0};
    struct umx_error none = {0};
    size_t count = 0;

    umx_text_addf(&text, "%s, process %d in %s, the last error is UMX-%d %s: %s\n", who, (int)getpid(), s->path,
                  (int)s->err.id, s->err.what, umx_error_why(&s->err));
    for (size_t i = 0; i < 2; i++) {
        umx_text_addf(&text, "plan %s: state %d, steps", names[i], (int)stage_state(s, names[i]));
        for (int k = 1; k <= 12; k++) {
            char id[8];
            snprintf(id, sizeof id, "s%d", k);
            umx_text_addf(&text, " %d", (int)stage_step(s, names[i], id));
        }
        umx_text_adds(&text, "\n");
    }
    if (umx_journal_read(s->journal, NULL, 0, 0, arena, &entries, &count, &none) != 0)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        umx_reflect_json(&entries[i]->base, &text);
        umx_text_adds(&text, "\n");
    }
    fputs(umx_text_string(&text), stderr); /* print_error() keeps 1024 characters */
    umx_text_free(&text);
    umx_arena_free(arena);
}

static int child(const char *path)
{
    struct stage *s = stage_make(path, UMX_POLICY_BOTH_SIDES);
    bool good = scenario(s);

    if (!good)
        print_stage("child", s);
    stage_end(s, false);
    return good ? 0 : 3;
}

/* True when the child was killed at that pass. */
static bool run_child(const char *path, const char *point, int pass)
{
    char variable[128];
    pid_t pid = fork();

    snprintf(variable, sizeof variable, "%s:%d", point, pass);
    if (pid == 0) {
        setenv("UMX_CRASH_POINT", variable, 1);
        execl("/proc/self/exe", "test_engine_crash", "--child", path, (char *)NULL);
        _exit(4);
    }
    int status = 0;
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        fprintf(stderr, "%s in %s: wait status %#x\n", variable, path, (unsigned)status);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

/* Effects of each step that the journal knows: exactly one. */
static void check_journal(struct stage *s, const char *name)
{
    struct umx_arena *arena = umx_arena_new(64 * 1024 * 1024);
    Umx__Journal **entries = NULL;
    size_t count = 0;
    int effects[16] = {0}, intents[16] = {0};
    int64_t total, bad;
    bool intact;

    assert_int_equal(umx_engine_verify(s->engine, &total, &intact, &bad, NULL, &s->err), 0);
    assert_true(intact);
    assert_int_equal(umx_journal_read(s->journal, name, 0, 0, arena, &entries, &count, &s->err), 0);
    for (size_t i = 0; i < count; i++) {
        const Umx__Journal *entry = entries[i];
        int step = entry->step != NULL ? atoi(entry->step + 1) : 0;
        assert_true(step < 16);
        if (i > 0)
            assert_true(entries[i - 1]->written_at <= entry->written_at);
        intents[step] += entry->kind == UMX__JOURNAL__KIND__INTENT ? 1 : 0;
        effects[step] += entry->kind == UMX__JOURNAL__KIND__EFFECT || (entry->kind == UMX__JOURNAL__KIND__SETTLED &&
                                                                       entry->outcome == UMX__INTENT__OUTCOME__OURS)
                             ? 1
                             : 0;
        if (effects[step] > 0)
            assert_true(intents[step] > 0); /* intent came first */
    }
    for (int step = 1; step < 16; step++) {
        assert_true(effects[step] <= 1);
        assert_true(intents[step] <= 4);
    }
    umx_arena_free(arena);
}

/* The whole directory, but for GUIDs: what differs from an undisturbed run is a defect. */
static char *picture(const struct fake *fake)
{
    struct umx_text text = {0};

    umx_text_addf(&text, "applies %d items %d batches %d restarts %d\n", fake->applies, fake->items_done,
                  fake->batch_count, fake->restarts);
    for (int i = 0; i < fake->user_count; i++)
        umx_text_addf(&text, "%s %s writes %d\n", fake->users[i].sip_address, fake->users[i].line,
                      fake->users[i].writes);
    for (int f = 0; f < 2; f++)
        for (int i = 0; i < fake->object_count; i++) {
            const struct fake_object *object = &fake->objects[i];
            if (object->forest != f)
                continue;
            umx_text_addf(&text, "%s exists %d writes %d entries %d:", object->dn, object->exists, object->writes,
                          object->entry_count);
            for (int k = 0; k < object->attribute_count; k++)
                umx_text_addf(&text, " %s=%s", object->attributes[k].name,
                              object->attributes[k].count > 0 ? object->attributes[k].values[0] : "");
            umx_text_adds(&text, "\n");
        }
    return text.data;
}

static char *undisturbed(void)
{
    struct stage *s = stage_make(NULL, UMX_POLICY_BOTH_SIDES);

    assert_true(scenario(s));
    check_journal(s, "p");
    check_journal(s, "p-undo");
    char *text = picture(s->fake);
    stage_end(s, true);
    return text;
}

/* A fresh folder whose first writes in the Exchange and the Lync forest go wrong in these ways. */
static void prepare(char *path, size_t size, const enum fake_fault *faults)
{
    struct stage *empty = stage_make(NULL, UMX_POLICY_BOTH_SIDES);

    snprintf(path, size, "%s", empty->path);
    empty->fake->fault[0] = faults[0];
    empty->fake->fault[1] = faults[1];
    stage_end(empty, false);
}

/* Goes on in a new controller over what the killed one left, and compares. */
static void check_after(const char *path, const char *point, int pass, const char *expected)
{
    struct stage *s = stage_make(path, UMX_POLICY_BOTH_SIDES);
    bool good = scenario(s);
    char *found = picture(s->fake);

    if (!good || strcmp(found, expected) != 0) {
        fprintf(stderr, "%s pass %d\nexpected\n%s\nfound\n%s\n", point, pass, expected, found);
        print_stage("parent", s);
    }
    assert_true(good);
    assert_string_equal(found, expected);
    check_journal(s, "p");
    check_journal(s, "p-undo");
    free(found);
    stage_end(s, true);
}

/* Kills at every pass of every point; the number of points reached. */
static int walk(const enum fake_fault *faults)
{
    char *expected = undisturbed();
    char path[200];
    int kills = 0, reached = 0;

    for (int row = 0; row < UMX_CRASH_COUNT; row++) {
        const char *point = umx_crash_rows[row].name;
        if (strcmp(umx_crash_rows[row].program, "controller") != 0 || strncmp(point, "engine:", 7) != 0)
            continue; /* every commit of the journal is one of the engine's points */
        for (int pass = 1; pass <= PASSES_MAX; pass += STRIDE) {
            prepare(path, sizeof path, faults);
            bool killed = run_child(path, point, pass);
            check_after(path, point, pass, expected);
            if (!killed)
                break;
            kills++;
            reached += pass == 1 ? 1 : 0;
            assert_true(pass + STRIDE <= PASSES_MAX);
        }
    }
    free(expected);
    print_message("%d kills at %d crash points\n", kills, reached);
    return reached;
}

static void test_every_crash_point(void **state)
{
    const enum fake_fault well[2] = {FAKE_WELL, FAKE_WELL};
    (void)state;

    /* created, submitted, approval, started, intent, effect, verified, confirmed, completed, apply, act, collect */
    assert_int_equal(walk(well), 24);
}

/* A refusal in one forest, a domain controller that freezes with the write in the other: the points of trouble too. */
static void test_every_crash_point_in_trouble(void **state)
{
    const enum fake_fault trouble[2] = {FAKE_REFUSES, FAKE_FREEZES};
    (void)state;

    /* and uncertain, settled, failed-step, skipped-step, failed or suspended, resumed */
    assert_true(walk(trouble) >= 30);
}

/* The points that only trouble reaches: recovery after a crash is killed too, and a frozen forest's uncertainty. */
static void test_crash_while_recovering(void **state)
{
    static const char *const second[] = {"engine:recovered:before", "engine:recovered:after", "engine:settled:before",
                                         "engine:settled:after"};
    char *expected = undisturbed();
    int kills = 0;
    (void)state;

    for (size_t i = 0; i < sizeof second / sizeof *second; i++) {
        const enum fake_fault well[2] = {FAKE_WELL, FAKE_WELL};
        char path[200];
        prepare(path, sizeof path, well);
        assert_true(run_child(path, "engine:apply:after", 2));
        kills += run_child(path, second[i], 1) ? 1 : 0;
        check_after(path, second[i], 1, expected);
    }
    assert_int_equal(kills, 4);
    free(expected);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_crash_point),
        cmocka_unit_test(test_every_crash_point_in_trouble),
        cmocka_unit_test(test_crash_while_recovering),
    };

    umx_log_set_level(UMX_LOG_ERROR);
    if (argc == 3 && strcmp(argv[1], "--child") == 0)
        return child(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
