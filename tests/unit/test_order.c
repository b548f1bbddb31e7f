/* Steps follow what makes the things that they name, across forests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/world.h"
#include "phases/build.h"
#include "phases/order.h"
#include "worlds.h"

#define HAMBURG "CN=Hamburg," W_PLANS
#define CONTEXT "Hamburg." W_EX

static Umx__PlanStep *action(struct umx_steps *out, const char *forest, const char *name, const char *field,
                             const char *value)
{
    Umx__PlanStep *step =
        umx_step_action(out, "lync-dial-plans", UMX__FOREST__SIDE__LYNC, forest, "fe1.lync.test", name, "shell");
    umx_step_item(out, step, umx_item(out, field, value, NULL), NULL);
    return step;
}

static void test_names(void **state)
{
    struct umx_steps out = {.arena = umx_arena_new(4 * 1024 * 1024)};
    struct umx_world *world = world_pair();
    Umx__DialPlan plan = UMX__DIAL_PLAN__INIT, changed = UMX__DIAL_PLAN__INIT;
    Umx__AutoAttendant attendant = UMX__AUTO_ATTENDANT__INIT;
    Umx__LyncDialPlan lync = UMX__LYNC_DIAL_PLAN__INIT;
    char *numbers[] = {w_s("+494012345610")};
    (void)state;

    /* s1 changes a plan that is there; s2 makes one, s3 an attendant of it. */
    changed.forest = plan.forest = attendant.forest = w_s(W_EX);
    changed.dn = w_s("CN=Berlin," W_PLANS);
    changed.phone_context = w_s("Berlin." W_EX);
    umx_step_promise(&out, action(&out, W_EX, "set-um-dial-plan", "name", "Berlin"), umx_world_records(world),
                     &changed.base);
    plan.dn = w_s(HAMBURG);
    plan.phone_context = w_s(CONTEXT);
    umx_step_promise(&out, action(&out, W_EX, "new-um-dial-plan", "name", "Hamburg"), umx_world_records(world),
                     &plan.base);
    attendant.dn = w_s("CN=Hello,CN=UM AutoAttendant Container");
    attendant.dial_plan_dn = w_s(HAMBURG);
    attendant.n_number = 1;
    attendant.number = numbers;
    umx_step_promise(&out, action(&out, W_EX, "new-um-auto-attendant", "name", "Hello"), umx_world_records(world),
                     &attendant.base);
    /* s4 makes the Lync plan of that name, s5 gives it to somebody. */
    Umx__PlanStep *made = action(&out, W_LY, "new-cs-dial-plan", "simple_name", CONTEXT);
    lync.forest = w_s(W_LY);
    lync.identity = w_s("Tag:Hamburg");
    umx_step_promise(&out, made, umx_world_records(world), &lync.base);
    Umx__PlanStep *given = action(&out, W_LY, "grant-cs-dial-plan", "policy", "tag:hamburg");
    /* Contacts are written to the directory. */
    Umx__PlanStep *access =
        umx_step_write(&out, "ocsumutil", UMX__FOREST__SIDE__LYNC, W_LY, UMX__CHANGE__KIND__ADD, "CN=a", NULL);
    umx_step_attribute(&out, access, "otherIpPhone", "sip:a@lync.test;opaque=app:exum:" CONTEXT);
    Umx__PlanStep *greeter =
        umx_step_write(&out, "ocsumutil", UMX__FOREST__SIDE__LYNC, W_LY, UMX__CHANGE__KIND__ADD, "CN=b", NULL);
    umx_step_attribute(&out, greeter, "msRTCSIP-Line", "tel:+494012345610");
    /* Names that only look alike, and a plan that this plan does not make. */
    Umx__PlanStep *other = action(&out, W_LY, "new-cs-dial-plan", "simple_name", "New-" CONTEXT);
    Umx__PlanStep *longer = action(&out, W_LY, "set-cs-user", "line", "tel:+4940123456101");
    Umx__PlanStep *known = action(&out, W_LY, "new-cs-dial-plan", "simple_name", "Berlin." W_EX);

    umx_order_by_names(&out, 0);
    assert_false(out.failed);
    assert_int_equal(out.items[0]->n_depends, 0);
    assert_int_equal(out.items[1]->n_depends, 0);
    assert_int_equal(out.items[2]->n_depends, 1);
    assert_string_equal(out.items[2]->depends[0], "s2");
    assert_int_equal(made->n_depends, 1);
    assert_string_equal(made->depends[0], "s2");
    assert_int_equal(given->n_depends, 1);
    assert_string_equal(given->depends[0], "s4");
    assert_int_equal(access->n_depends, 1);
    assert_string_equal(access->depends[0], "s2");
    assert_int_equal(greeter->n_depends, 1);
    assert_string_equal(greeter->depends[0], "s3");
    assert_int_equal(other->n_depends + longer->n_depends + known->n_depends, 0);
    umx_order_by_names(&out, 0); /* saying it again changes nothing */
    assert_int_equal(access->n_depends, 1);
    umx_world_free(world);
    umx_arena_free(out.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
