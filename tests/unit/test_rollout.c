/* An update of the agents as a state machine: waves, health, ends, and what a controller makes of it that was killed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/reflect.h"
#include "controller/rollout.h"
#include "releases.h"

enum { MOST = 70, ENTRIES = 1000 };

#define ID "0123456789abcdef0123456789abcdef"

/* A fleet as the controller sees it, and all that was journaled. */
static struct releases made;
static char release[UMX_RELEASE_TEXT_MAX];
static struct umx_rollout rollout;
static struct umx_rollout_agent agents[MOST];
static size_t agent_count;
static int64_t now;
static struct {
    uint8_t *bytes;
    size_t length;
    int64_t at;
} entries[ENTRIES];
static size_t entry_count;
static int offers[MOST], confirms[MOST];
static bool full; /* the journal takes nothing */

static int set_up(void **state)
{
    (void)state;
    releases_open(&made);
    releases_sign(&made, "umx-agent", "2.0", "deb", "amd64", "package", 7, false, release);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    releases_close(&made);
    return 0;
}

static void forget_entries(void)
{
    while (entry_count > 0)
        free(entries[--entry_count].bytes);
}

static int note(void *user, Umx__FleetUpdate *what, struct umx_error *err)
{
    (void)user;
    if (full)
        return umx_fail(err, UMX_ERR_FILE_UNWRITABLE, "journal", NULL);
    assert_true(entry_count < ENTRIES);
    assert_int_equal(umx_reflect_pack(&what->base, &entries[entry_count].bytes, &entries[entry_count].length, err), 0);
    entries[entry_count++].at = now;
    return umx_rollout_fold(&rollout, what, now, "umx://lab/operator/S-1", err);
}

static size_t index_of(const char *server)
{
    for (size_t i = 0; i < agent_count; i++)
        if (strcmp(agents[i].server, server) == 0)
            return i;
    fail_msg("%s", server);
    return 0;
}

static void count_offer(void *user, const char *server)
{
    (void)user;
    offers[index_of(server)]++;
}

static void count_confirm(void *user, const char *server)
{
    (void)user;
    confirms[index_of(server)]++;
}

static const struct umx_rollout_sink sink = {.note = note, .offer = count_offer, .confirm = count_confirm};

static void step(void)
{
    assert_int_equal(umx_rollout_step(&rollout, agents, agent_count, now, &sink, NULL), 0);
}

/* A controller was killed: what is known comes from the entries alone. */
static void begin_again(void)
{
    umx_rollout_free(&rollout);
    for (size_t i = 0; i < entry_count; i++) {
        struct umx_arena *arena = umx_arena_new(1 << 20);
        ProtobufCMessage *what = NULL;
        assert_int_equal(
            umx_reflect_unpack(&umx__fleet_update__descriptor, entries[i].bytes, entries[i].length, arena, &what, NULL),
            0);
        assert_int_equal(umx_rollout_fold(&rollout, (Umx__FleetUpdate *)what, entries[i].at, "x", NULL), 0);
        umx_arena_free(arena);
    }
}

static void fleet_of(size_t count)
{
    memset(agents, 0, sizeof agents);
    memset(offers, 0, sizeof offers);
    memset(confirms, 0, sizeof confirms);
    forget_entries();
    umx_rollout_free(&rollout);
    full = false;
    now = 1000 * UMX_DAY;
    agent_count = count;
    for (size_t i = 0; i < count; i++) {
        struct umx_rollout_agent *agent = &agents[i];
        snprintf(agent->server, sizeof agent->server, "s%02zu.test", i);
        snprintf(agent->forest, sizeof agent->forest, "f%zu", i % 2);
        snprintf(agent->version, sizeof agent->version, "1.0");
        snprintf(agent->kind, sizeof agent->kind, "deb");
        snprintf(agent->architecture, sizeof agent->architecture, "amd64");
        agent->connected = agent->reported = true;
        agent->connected_at = now - UMX_HOUR;
    }
}

static void decide(Umx__FleetUpdate__Event event)
{
    Umx__FleetUpdate what = UMX__FLEET_UPDATE__INIT;
    char id[] = ID;

    what.id = id;
    what.has_event = 1;
    what.event = event;
    assert_int_equal(note(NULL, &what, NULL), 0);
}

static void begin(int32_t canary, int32_t percent, bool downgrade)
{
    Umx__FleetUpdate what = UMX__FLEET_UPDATE__INIT;
    char id[] = ID, *servers[MOST], *forests[MOST];
    int32_t waves[MOST];

    for (size_t i = 0; i < agent_count; i++) {
        servers[i] = agents[i].server;
        forests[i] = agents[i].forest;
    }
    umx_rollout_waves(agent_count, canary, percent, waves);
    what.id = id;
    what.has_event = what.has_downgrade = what.has_trial = 1;
    what.event = UMX__FLEET_UPDATE__EVENT__BEGUN;
    what.release = release;
    what.downgrade = downgrade;
    what.trial = 60;
    what.servers = servers;
    what.forests = forests;
    what.waves = waves;
    what.n_servers = what.n_forests = what.n_waves = agent_count;
    assert_int_equal(note(NULL, &what, NULL), 0);
}

/* ---- a server's agent */

static void says(size_t i, Umx__UpdateState__State state, const char *reason)
{
    snprintf(agents[i].update, sizeof agents[i].update, ID);
    agents[i].update_state = state;
    snprintf(agents[i].reason, sizeof agents[i].reason, "%s", reason);
}

/* Its program began anew. */
static void comes_back(size_t i, const char *version)
{
    now += UMX_SECOND;
    agents[i].connected = true;
    agents[i].connected_at = now;
    agents[i].reported = true;
    agents[i].update[0] = '\0';
    snprintf(agents[i].version, sizeof agents[i].version, "%s", version);
}

/* All that a good server goes through. */
static void succeed(size_t i)
{
    says(i, UMX__UPDATE_STATE__STATE__WANTED, "");
    step();
    says(i, UMX__UPDATE_STATE__STATE__STAGED, "");
    step();
    comes_back(i, "2.0");
    agents[i].reported = false;
    says(i, UMX__UPDATE_STATE__STATE__TRIAL, "");
    step();
    assert_int_equal(confirms[i], 0); /* it has told nothing yet */
    agents[i].reported = true;
    step();
    assert_int_equal(confirms[i], 1);
    says(i, UMX__UPDATE_STATE__STATE__INSTALLED, "");
    step();
    assert_int_equal(rollout.servers[i].state, UMX__FLEET_UPDATE__STATE__UPDATED);
}

static Umx__FleetUpdate__State state_of(size_t i)
{
    return rollout.servers[i].state;
}

/* ---- tests */

static void test_waves(void **state)
{
    int32_t waves[MOST];

    (void)state;
    umx_rollout_waves(10, 1, 25, waves);
    const int32_t expected[] = {0, 1, 1, 1, 2, 2, 2, 3, 3, 3};
    assert_memory_equal(waves, expected, sizeof expected);
    umx_rollout_waves(3, 5, 25, waves); /* fewer than canaries */
    const int32_t all[] = {0, 0, 0};
    assert_memory_equal(waves, all, sizeof all);
    umx_rollout_waves(3, 1, 1, waves);
    const int32_t single[] = {0, 1, 2};
    assert_memory_equal(waves, single, sizeof single);
    /* Any fleet, any options: waves rise by one, the first has the canaries, no other one is larger than its share. */
    for (size_t count = 1; count <= MOST; count++)
        for (int32_t percent = 1; percent <= 100; percent += 9)
            for (int32_t canary = 1; canary <= 5; canary++) {
                size_t sizes[MOST] = {0};
                umx_rollout_waves(count, canary, percent, waves);
                assert_int_equal(waves[0], 0);
                for (size_t i = 0; i < count; i++) {
                    sizes[waves[i]]++;
                    assert_true(i == 0 || waves[i] == waves[i - 1] || waves[i] == waves[i - 1] + 1);
                }
                assert_int_equal(sizes[0], (size_t)canary < count ? (size_t)canary : count);
                for (size_t w = 1; w < MOST; w++)
                    assert_true(sizes[w] == 0 || sizes[w] <= (count * (size_t)percent + 99) / 100);
            }
}

static void test_order_takes_turns_among_forests(void **state)
{
    (void)state;
    fleet_of(6);
    for (size_t i = 0; i < 4; i++)
        snprintf(agents[i].forest, sizeof agents[i].forest, "a");
    umx_rollout_order(agents, 6);
    const char *const expected[] = {"s00.test", "s04.test", "s05.test", "s01.test", "s02.test", "s03.test"};
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(agents[i].server, expected[i]);
}

static void test_wave_waits_for_the_one_before(void **state)
{
    (void)state;
    fleet_of(4);
    begin(1, 50, false);
    step();
    assert_int_equal(offers[0], 1);
    for (int i = 0; i < 5; i++)
        step();
    assert_int_equal(offers[0] + offers[1] + offers[2] + offers[3], 1);
    succeed(0);
    step();
    assert_int_equal(rollout.wave, 1);
    assert_int_equal(offers[1], 1);
    assert_int_equal(offers[2], 1);
    assert_int_equal(offers[3], 0);
    succeed(1);
    step();
    assert_int_equal(offers[3], 0); /* the other one of its wave is not back */
    succeed(2);
    step();
    assert_int_equal(offers[3], 1);
    succeed(3);
    step();
    assert_int_equal(rollout.state, UMX_ROLLOUT_COMPLETED);
    assert_true(umx_rollout_idle(&rollout));
}

static void test_bad_ends_halt(void **state)
{
    static const struct {
        Umx__UpdateState__State said;
        Umx__FleetUpdate__State end;
    } ends[] = {{UMX__UPDATE_STATE__STATE__RETURNED, UMX__FLEET_UPDATE__STATE__RETURNED},
                {UMX__UPDATE_STATE__STATE__REFUSED, UMX__FLEET_UPDATE__STATE__REFUSED},
                {UMX__UPDATE_STATE__STATE__FAILED, UMX__FLEET_UPDATE__STATE__FAILED}};

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        fleet_of(3);
        begin(1, 50, false);
        step();
        says(0, ends[i].said, "because");
        step();
        assert_int_equal(state_of(0), ends[i].end);
        assert_int_equal(rollout.state, UMX_ROLLOUT_HALTED);
        assert_string_equal(rollout.reason, "s00.test: because");
        step();
        assert_int_equal(offers[1] + offers[2], 0);
        begin_again(); /* and it stays so */
        step();
        assert_int_equal(rollout.state, UMX_ROLLOUT_HALTED);
        assert_int_equal(offers[1] + offers[2], 0);
        decide(UMX__FLEET_UPDATE__EVENT__RESUMED); /* somebody looked */
        step();
        step();
        assert_int_equal(offers[1] + offers[2], 2);
        says(1, UMX__UPDATE_STATE__STATE__RETURNED, "again");
        step();
        assert_int_equal(rollout.state, UMX_ROLLOUT_HALTED); /* another one */
    }
}

static void test_agent_that_never_comes_back(void **state)
{
    (void)state;
    fleet_of(2);
    begin(1, 50, false);
    step();
    says(0, UMX__UPDATE_STATE__STATE__STAGED, "");
    step();
    agents[0].connected = false;
    step();
    now += UMX_ROLLOUT_LOST + 120 * UMX_SECOND;
    step();
    assert_int_equal(state_of(0), UMX__FLEET_UPDATE__STATE__UPDATING);
    now += UMX_SECOND;
    step();
    assert_int_equal(state_of(0), UMX__FLEET_UPDATE__STATE__LOST);
    assert_int_equal(rollout.state, UMX_ROLLOUT_HALTED);
}

/* Back and attached is not enough: it has to report, and with no more trouble than before. */
static void test_health(void **state)
{
    (void)state;
    fleet_of(2);
    agents[0].troubled = 1;
    begin(1, 50, false);
    step();
    comes_back(0, "2.0");
    agents[0].troubled = 2;
    says(0, UMX__UPDATE_STATE__STATE__TRIAL, "");
    step();
    assert_int_equal(confirms[0], 0);
    agents[0].troubled = 1; /* as before the update */
    step();
    assert_int_equal(confirms[0], 1);
    step();
    assert_int_equal(confirms[0], 1); /* not with every look */
    now += UMX_ROLLOUT_AGAIN;
    step();
    assert_int_equal(confirms[0], 2);
    /* The old version with the claim to be in its trial is not confirmed. */
    fleet_of(2);
    begin(1, 50, false);
    step();
    says(0, UMX__UPDATE_STATE__STATE__TRIAL, "");
    step();
    assert_int_equal(confirms[0], 0);
    says(0, UMX__UPDATE_STATE__STATE__INSTALLED, "");
    step();
    assert_int_equal(state_of(0), UMX__FLEET_UPDATE__STATE__UPDATING);
}

static void test_servers_that_are_skipped(void **state)
{
    (void)state;
    fleet_of(6);
    snprintf(agents[0].version, sizeof agents[0].version, "2.0");
    snprintf(agents[1].version, sizeof agents[1].version, "3.0");
    agents[2].kind[0] = '\0';
    snprintf(agents[3].architecture, sizeof agents[3].architecture, "arm64");
    agents[4].connected = false;
    begin(6, 100, false);
    step();
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(state_of(i), UMX__FLEET_UPDATE__STATE__SKIPPED);
    assert_string_equal(rollout.servers[0].reason, "it has this version");
    assert_int_equal(state_of(4), UMX__FLEET_UPDATE__STATE__WAITING); /* it may be back in a moment */
    assert_int_equal(offers[5], 1);
    succeed(5);
    assert_int_equal(rollout.state, UMX_ROLLOUT_RUNNING);
    now += UMX_ROLLOUT_ABSENT;
    step();
    assert_int_equal(state_of(4), UMX__FLEET_UPDATE__STATE__SKIPPED);
    step();
    assert_int_equal(rollout.state, UMX_ROLLOUT_COMPLETED); /* who was skipped halts nothing */
}

/* A downgrade needs both words here too; the agent asks for them again. */
static void test_downgrade(void **state)
{
    char kept[UMX_RELEASE_TEXT_MAX];

    (void)state;
    fleet_of(1);
    snprintf(agents[0].version, sizeof agents[0].version, "3.0");
    begin(1, 100, true);
    step();
    assert_int_equal(state_of(0), UMX__FLEET_UPDATE__STATE__SKIPPED);
    memcpy(kept, release, sizeof kept);
    releases_sign(&made, "umx-agent", "2.0", "deb", "amd64", "package", 7, true, release);
    fleet_of(1);
    snprintf(agents[0].version, sizeof agents[0].version, "3.0");
    begin(1, 100, true);
    step();
    assert_int_equal(offers[0], 1);
    memcpy(release, kept, sizeof kept);
}

static void test_pause_and_stop(void **state)
{
    (void)state;
    fleet_of(3);
    begin(1, 50, false);
    step();
    decide(UMX__FLEET_UPDATE__EVENT__PAUSED);
    succeed(0); /* what was begun comes to its end */
    step();
    assert_int_equal(offers[1] + offers[2], 0);
    begin_again();
    step();
    assert_int_equal(rollout.state, UMX_ROLLOUT_PAUSED);
    decide(UMX__FLEET_UPDATE__EVENT__RESUMED);
    step();
    step();
    assert_int_equal(offers[1], 1);
    decide(UMX__FLEET_UPDATE__EVENT__STOPPED);
    assert_false(umx_rollout_idle(&rollout));
    succeed(1);
    succeed(2);
    step();
    assert_int_equal(rollout.state, UMX_ROLLOUT_STOPPED);
    assert_true(umx_rollout_idle(&rollout));
}

/* After every single entry the controller is killed: all servers end as without it, and none is offered to before its
 * time. */
static void test_controller_killed_after_each_entry(void **state)
{
    (void)state;
    for (size_t kill = 1; kill < 40; kill++) {
        bool killed = false;
        fleet_of(4);
        begin(1, 50, false);
        for (int round = 0; round < 60 && rollout.state != UMX_ROLLOUT_COMPLETED; round++) {
            now += UMX_SECOND * 3;
            step();
            if (!killed && entry_count >= kill) {
                killed = true;
                begin_again();
                for (size_t i = 0; i < agent_count; i++) { /* every agent attaches anew, and says where it stands */
                    agents[i].connected_at = now;
                    if (agents[i].update_state == UMX__UPDATE_STATE__STATE__WANTED)
                        agents[i].update[0] = '\0';
                }
            }
            for (size_t i = 0; i < agent_count; i++) {
                if (offers[i] == 0)
                    continue;
                for (size_t k = 0; k < i; k++)
                    assert_true(rollout.servers[k].wave == rollout.servers[i].wave ||
                                state_of(k) == UMX__FLEET_UPDATE__STATE__UPDATED);
                if (agents[i].update[0] == '\0') {
                    says(i, UMX__UPDATE_STATE__STATE__WANTED, "");
                } else if (agents[i].update_state == UMX__UPDATE_STATE__STATE__WANTED) {
                    comes_back(i, "2.0");
                    says(i, UMX__UPDATE_STATE__STATE__TRIAL, "");
                } else if (confirms[i] > 0) {
                    says(i, UMX__UPDATE_STATE__STATE__INSTALLED, "");
                }
            }
        }
        assert_int_equal(rollout.state, UMX_ROLLOUT_COMPLETED);
        for (size_t i = 0; i < agent_count; i++)
            assert_int_equal(state_of(i), UMX__FLEET_UPDATE__STATE__UPDATED);
    }
}

/* Nothing is sent that is not in the journal. */
static void test_journal_that_takes_nothing(void **state)
{
    (void)state;
    fleet_of(2);
    begin(1, 50, false);
    full = true;
    assert_int_equal(umx_rollout_step(&rollout, agents, agent_count, now, &sink, NULL), UMX_E_IO);
    assert_int_equal(offers[0], 0);
    assert_int_equal(state_of(0), UMX__FLEET_UPDATE__STATE__WAITING);
    full = false;
    step();
    assert_int_equal(offers[0], 1);
}

static void test_no_more_than_so_many_at_once(void **state)
{
    (void)state;
    fleet_of(MOST);
    begin(MOST, 100, false);
    step();
    int all = 0;
    for (size_t i = 0; i < MOST; i++)
        all += offers[i];
    assert_int_equal(all, (int)UMX_ROLLOUT_AT_ONCE);
}

/* Entries that no controller of ours wrote. */
static void test_strange_entries(void **state)
{
    Umx__FleetUpdate what = UMX__FLEET_UPDATE__INIT;
    char id[] = ID, no_release[] = "nonsense", *servers[] = {agents[0].server};

    (void)state;
    fleet_of(1);
    assert_int_equal(umx_rollout_fold(&rollout, &what, 1, NULL, NULL), 0);
    what.id = id;
    what.has_event = 1;
    what.event = UMX__FLEET_UPDATE__EVENT__BEGUN;
    what.release = no_release;
    what.servers = servers;
    what.n_servers = 1;
    assert_int_equal(umx_rollout_fold(&rollout, &what, 1, NULL, NULL), 0);
    assert_int_equal(rollout.state, UMX_ROLLOUT_NONE);
    what.release = release; /* forests and waves are missing */
    assert_int_equal(umx_rollout_fold(&rollout, &what, 1, NULL, NULL), 0);
    assert_int_equal(rollout.state, UMX_ROLLOUT_NONE);
    step();
}

static void test_end(void **state)
{
    (void)state;
    forget_entries();
    umx_rollout_free(&rollout);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waves),
        cmocka_unit_test(test_order_takes_turns_among_forests),
        cmocka_unit_test(test_wave_waits_for_the_one_before),
        cmocka_unit_test(test_bad_ends_halt),
        cmocka_unit_test(test_agent_that_never_comes_back),
        cmocka_unit_test(test_health),
        cmocka_unit_test(test_servers_that_are_skipped),
        cmocka_unit_test(test_downgrade),
        cmocka_unit_test(test_pause_and_stop),
        cmocka_unit_test(test_controller_killed_after_each_entry),
        cmocka_unit_test(test_journal_that_takes_nothing),
        cmocka_unit_test(test_no_more_than_so_many_at_once),
        cmocka_unit_test(test_strange_entries),
        cmocka_unit_test(test_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
