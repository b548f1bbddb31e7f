/*
 * Plans of one phase in the unit tests: planned twice, applied, checked again. And records that worlds.h has not.
 */
#ifndef UMX_TESTS_PLANS_H
#define UMX_TESTS_PLANS_H

#include <stdlib.h>

#include "worlds.h"

#define W_POLICIES "CN=UM Mailbox Policies," W_ORG

/* An agent whose machine reported its product and version. */
static inline void w_shell(struct umx_world *world, const char *forest, const char *server,
                           Umx__Server__Product product, int major, int minor)
{
    Umx__Server s = UMX__SERVER__INIT;

    w_agent(world, forest, server, "connected");
    s.server = w_s(server);
    s.forest = w_s(forest);
    s.has_product = s.has_version_major = s.has_version_minor = 1;
    s.product = product;
    s.version_major = major;
    s.version_minor = minor;
    w_add(world, &s.base);
}

static inline void w_policy(struct umx_world *world, const char *forest, const char *name, const char *plan_dn)
{
    Umx__MailboxPolicy p = UMX__MAILBOX_POLICY__INIT;
    struct umx_text dn = {0};

    umx_text_adds(&dn, "CN=");
    umx_text_add_rdn(&dn, name);
    umx_text_adds(&dn, "," W_POLICIES);
    p.forest = w_s(forest);
    p.dn = w_s(umx_text_string(&dn));
    p.name = w_s(name);
    p.dial_plan_dn = w_s(plan_dn);
    w_add(world, &p.base);
    umx_text_free(&dn);
}

static inline void w_attendant(struct umx_world *world, const char *name, const char *plan_dn, char *number,
                               bool enabled)
{
    Umx__AutoAttendant a = UMX__AUTO_ATTENDANT__INIT;
    char dn[256];

    a.forest = w_s(W_EX);
    a.dn = w_text(dn, sizeof dn, "CN=%s,CN=UM AutoAttendant Container," W_ORG, name);
    a.name = w_s(name);
    a.dial_plan_dn = w_s(plan_dn);
    a.n_number = number != NULL;
    a.number = &number;
    a.has_enabled = 1;
    a.enabled = enabled;
    w_add(world, &a.base);
}

static inline void w_media(struct umx_world *world, const char *forest, const char *identity, const char *level)
{
    Umx__LyncPolicy p = UMX__LYNC_POLICY__INIT;
    char *value[] = {w_s(level)};

    p.forest = w_s(forest);
    p.kind = w_s("media");
    p.identity = w_s(identity);
    p.n_value = 1;
    p.value = value;
    w_add(world, &p.base);
}

static inline bool w_noted(const struct w_run *run, const char *text)
{
    for (size_t i = 0; i < run->steps.note_count; i++)
        if (strstr(run->steps.notes[i], text) != NULL)
            return true;
    return false;
}

static inline const Umx__PlanStep *w_step(const struct w_run *run, Umx__Change__Kind kind, const char *target)
{
    for (size_t i = 0; i < run->steps.count; i++)
        if (run->steps.items[i]->kind == kind && strstr(run->steps.items[i]->target, target) != NULL)
            return run->steps.items[i];
    return NULL;
}

/* The phase planned for all pairs with rows. */
static inline int w_plan_rows(struct w_run *run, struct umx_world *world, const char *slug, const char *const *options,
                              const Umx__Input *input)
{
    const struct umx_phase *phase = umx_phase(slug);

    w_begin(run, options);
    run->options.input = input;
    return umx_phases_plan(world, &phase, 1, NULL, 0, &run->options, &run->steps, &run->err);
}

/* Plans; applies the steps to a copy, which is returned; nothing may be left to plan there, and no core check may
 * fail there. Each step says who approves it, what it does and how it is undone, and depends on earlier ones only.
 * Without rows, a phase that still has steps must not look done. */
static inline struct umx_world *w_plan_twice(struct w_run *run, struct umx_world *world, const char *slug,
                                             const char *const *options, const Umx__Input *input)
{
    const struct umx_phase *phase = umx_phase(slug);
    struct umx_world *next = umx_world_copy(world);
    struct w_run again, checked;
    struct umx_error err = {0};
    int rc = w_plan_rows(run, world, slug, options, input);

    if (rc != 0)
        fail_msg("%s: %s", run->err.what, umx_error_why(&run->err));
    for (size_t i = 0; i < run->steps.count; i++) {
        const Umx__PlanStep *step = run->steps.items[i];
        assert_true(step->groups != NULL && step->groups[0] != '\0');
        assert_true(step->undo != NULL && step->summary != NULL && step->target != NULL);
        for (size_t d = 0; d < step->n_depends; d++)
            assert_true(strtol(step->depends[d] + 1, NULL, 10) <= (long)i);
        if (step->kind == UMX__CHANGE__KIND__ACTION) {
            const Umx__ActionChange *action = step->change->action;
            assert_true(action->server != NULL && action->n_item > 0);
            assert_true(action->undo_action == NULL || action->n_undo_item == action->n_item);
        }
        assert_int_equal(umx_phase_apply(next, step, &err), 0);
    }
    rc = w_plan_rows(&again, next, slug, options, input);
    if (rc != 0)
        fail_msg("second plan: %s: %s", again.err.what, umx_error_why(&again.err));
    for (size_t i = 0; i < again.steps.count; i++)
        print_message("left over: %s\n", again.steps.items[i]->summary);
    assert_int_equal(again.steps.count, 0);
    w_end(&again);
    w_check(&checked, next, slug, options);
    for (size_t i = 0; i < checked.findings.count; i++) {
        const Umx__Finding *f = checked.findings.items[i];
        for (const struct umx_phase_check *check = phase->checks; check->id != NULL; check++)
            if (check->core && strcmp(check->id, f->id) == 0 && run->steps.count > 0 && f->status == W_FAIL)
                fail_msg("after the plan %s %s: %s", f->id, f->target, f->actual);
    }
    w_end(&checked);
    w_check(&checked, world, slug, options);
    bool open = false;
    for (size_t i = 0; i < checked.findings.count; i++)
        open = open || checked.findings.items[i]->status == W_FAIL || checked.findings.items[i]->status == W_UNKNOWN;
    if (run->steps.count > 0 && input == NULL && !open)
        fail_msg("%s has steps, and every check passes", slug);
    w_end(&checked);
    return next;
}

/* The value of a string in an item of an action, by plain search: names and values of the tests need no escapes. */
static inline void w_item(const Umx__PlanStep *step, size_t index, const char *name, const char *value)
{
    char wanted[300];

    assert_non_null(step);
    assert_non_null(step->change->action);
    assert_true(index < step->change->action->n_item);
    w_text(wanted, sizeof wanted, "\"%s\":\"%s\"", name, value);
    if (strstr(step->change->action->item[index], wanted) == NULL)
        fail_msg("%s is not in %s", wanted, step->change->action->item[index]);
}

#endif
