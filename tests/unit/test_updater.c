/* Both halves on a server: what the agent takes from a controller, and what the updater makes of it. The installer is a
 * stand-in: a script that copies packages to and from a file named `installed`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/update.h"
#include "base/clock.h"
#include "releases.h"

#define ID "0123456789abcdef0123456789abcdef"
#define OTHER_ID "fedcba9876543210fedcba9876543210"

static const char installer[] =
    "#!/bin/sh\n"
    "here=$(dirname \"$0\")\n"
    "echo \"$1 $3\" >>\"$here/log\"\n"
    "[ ! -e \"$here/fail-$1\" ] || exit 7\n"
    "[ ! -e \"$here/fail-once-$1\" ] || { rm \"$here/fail-once-$1\"; exit 7; }\n"
    "[ ! -e \"$here/take-agent-$1\" ] || { mv \"$here/take-agent-$1\" \"$here/agent-is-gone\"; exit 7; }\n"
    "case $1 in\n"
    "  keep) cp \"$here/installed\" \"$2\" ;;\n"
    "  install) cp \"$2\" \"$here/installed\"\n"
    "    [ ! -e \"$here/confirm\" ] || cp \"$here/confirm\" \"$here/state/update/confirmed\" ;;\n"
    "  return) cp \"$2\" \"$here/installed\" ;;\n"
    "esac\n";

static struct releases made;
static char directory[] = "/tmp/umx-updater-XXXXXX";
static struct umx_agent_config config;
static struct umx_update update;
static atomic_bool stop;

static const char *below(const char *name)
{
    static char path[4][160];
    static int next;

    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", directory, name);
    return path[next];
}

/* What the system would be asked, the linker puts here: whether the agent is registered, and that the updater is
 * started.
 */
static int woken, gone_after = -1; /* questions; -1: never */

bool __wrap_umx_updater_registered(void);
bool __wrap_umx_updater_registered(void)
{
    bool there = gone_after != 0 && access(below("agent-is-gone"), F_OK) != 0;

    if (gone_after > 0)
        gone_after--;
    return there;
}

void __wrap_umx_updater_wake(void);
void __wrap_umx_updater_wake(void)
{
    woken++;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(below(name), "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

/* Its first line; "" when there is none. */
static const char *file_text(const char *name)
{
    static char text[4096];
    FILE *file = fopen(below(name), "r");
    size_t got = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;

    text[got] = '\0';
    if (file != NULL)
        fclose(file);
    return text;
}

static int set_up(void **state)
{
    (void)state;
    releases_open(&made);
    assert_non_null(mkdtemp(directory));
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    releases_close(&made);
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command);
}

static int set_up_one(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s/*", directory);
    assert_int_equal(system(command), 0);
    mkdir(below("state"), 0700);
    write_file("release.pub", made.public_key);
    write_file("installed", "old");
    write_file("installer", installer);
    chmod(below("installer"), 0755);
    config = (struct umx_agent_config){0};
    snprintf(config.state, sizeof config.state, "%s", below("state"));
    snprintf(config.updater, sizeof config.updater, "%s", below("updater"));
    snprintf(config.installer, sizeof config.installer, "%s", below("installer"));
    snprintf(config.release_key, sizeof config.release_key, "%s", below("release.pub"));
    atomic_store(&stop, false);
    umx_update_end(&update); /* of the last set-up, where a test makes several */
    assert_int_equal(umx_update_begin(&update, &config, NULL), 0);
    return 0;
}

static int tear_down_one(void **state)
{
    (void)state;
    umx_update_end(&update);
    return 0;
}

static void begin_again(void)
{
    umx_update_end(&update);
    assert_int_equal(umx_update_begin(&update, &config, NULL), 0);
    umx_update_attached(&update);
}

/* ---- the controller, as the agent meets it */

static char release[UMX_RELEASE_TEXT_MAX];

static void sign(const char *version, const char *bytes, bool downgrade)
{
    releases_sign(&made, "umx-agent", version, "deb", umx_release_architecture(), bytes, strlen(bytes), downgrade,
                  release);
}

static void offer(const char *id, int trial, bool downgrade)
{
    Umx__UpdateOffer message = UMX__UPDATE_OFFER__INIT;
    char said[UMX_UPDATE_ID];

    snprintf(said, sizeof said, "%s", id);
    message.id = said;
    message.release = release;
    message.has_trial = message.has_downgrade = 1;
    message.trial = trial;
    message.downgrade = downgrade;
    umx_update_offer(&update, &message);
}

static void part(const char *id, int64_t offset, const char *bytes, size_t length)
{
    Umx__UpdatePart message = UMX__UPDATE_PART__INIT;
    char said[UMX_UPDATE_ID];
    uint8_t data[256];

    snprintf(said, sizeof said, "%s", id);
    memcpy(data, bytes, length);
    message.id = said;
    message.has_offset = message.has_data = 1;
    message.offset = offset;
    message.data = (ProtobufCBinaryData){.len = length, .data = data};
    umx_update_part(&update, &message);
}

/* What the agent says now. */
static Umx__UpdateState said(void)
{
    Umx__UpdateState state = UMX__UPDATE_STATE__INIT;

    umx_update_look(&update);
    assert_true(umx_update_say(&update, &state));
    umx_update_said(&update);
    return state;
}

static void assert_said(Umx__UpdateState__State state)
{
    assert_int_equal(said().state, state);
}

/* Offers and hands over, in pieces of three bytes. */
static void stage(const char *id, const char *version, const char *bytes, int trial)
{
    size_t length = strlen(bytes);

    sign(version, bytes, false);
    offer(id, trial, false);
    for (size_t at = 0; at < length; at += 3) {
        Umx__UpdateState state = said();
        assert_int_equal(state.state, UMX__UPDATE_STATE__STATE__WANTED);
        assert_int_equal(state.offset, (int64_t)at);
        part(id, (int64_t)at, bytes + at, length - at < 3 ? length - at : 3);
    }
}

static struct umx_updater_status run(void)
{
    struct umx_updater_status status;

    assert_int_equal(umx_updater_run(&config, &stop, NULL), 0);
    assert_int_equal(umx_updater_status_read(config.updater, &status, NULL), 0);
    return status;
}

static const char *error_of(Umx__UpdateState state)
{
    return state.error != NULL ? state.error : "";
}

/* ---- the agent */

static void test_package_is_staged(void **state)
{
    (void)state;
    assert_string_equal(umx_update_kind(&update), "deb");
    stage(ID, "9.0", "new package", 5);
    assert_said(UMX__UPDATE_STATE__STATE__STAGED);
    assert_string_equal(file_text("state/update/package"), "new package");
    assert_non_null(strstr(file_text("state/update/request"), "id " ID "\ntrial 5\ndowngrade no\n"));
    offer(ID, 5, false); /* said twice, done once */
    assert_said(UMX__UPDATE_STATE__STATE__STAGED);
}

/* Bytes that are not those that were asked for change nothing; more than there are, neither. */
static void test_parts_out_of_order(void **state)
{
    (void)state;
    sign("9.0", "new package", false);
    offer(ID, 5, false);
    part(ID, 3, "pac", 3);
    assert_int_equal(said().offset, 0);
    part(OTHER_ID, 0, "new", 3);
    part(ID, 0, "new", 3);
    assert_int_equal(said().offset, 3);
    part(ID, 0, "new", 3);
    assert_int_equal(said().offset, 3);
    part(ID, 3, " package and much more", 22);
    assert_int_equal(said().offset, 3);
    part(ID, 3, "", 0);
    assert_int_equal(said().offset, 3);
    part(ID, 3, " package", 8);
    assert_said(UMX__UPDATE_STATE__STATE__STAGED);
}

/* Killed on the way: what came is kept, when the same release is offered again. */
static void test_reception_goes_on(void **state)
{
    (void)state;
    sign("9.0", "new package", false);
    offer(ID, 5, false);
    part(ID, 0, "new p", 5);
    begin_again();
    offer(ID, 5, false);
    assert_int_equal(said().offset, 5);
    part(ID, 5, "ackage", 6);
    assert_said(UMX__UPDATE_STATE__STATE__STAGED);
    begin_again();
    sign("9.1", "new package", false); /* another release: from its beginning */
    offer(OTHER_ID, 5, false);
    assert_int_equal(said().offset, 0);
}

static void test_spoiled_package(void **state)
{
    Umx__UpdateState now;

    (void)state;
    sign("9.0", "new package", false);
    offer(ID, 5, false);
    part(ID, 0, "NEW PACKAGE", 11);
    assert_int_equal(said().offset, 0); /* once more */
    part(ID, 0, "new packagE", 11);
    now = said();
    assert_int_equal(now.state, UMX__UPDATE_STATE__STATE__REFUSED);
    assert_string_equal(error_of(now), "UMX-1017");
    assert_int_not_equal(access(below("state/update/request"), F_OK), 0);
    part(ID, 0, "new package", 11); /* it is over */
    assert_int_not_equal(access(below("state/update/package.part"), F_OK), 0);
    offer(ID, 5, false);
    assert_said(UMX__UPDATE_STATE__STATE__REFUSED);
}

static void assert_offer_refused(const char *error)
{
    Umx__UpdateState now = said();

    assert_int_equal(now.state, UMX__UPDATE_STATE__STATE__REFUSED);
    assert_string_equal(error_of(now), error);
    assert_int_not_equal(access(below("state/update/package.part"), F_OK), 0);
}

static void test_offers_that_are_refused(void **state)
{
    struct releases other;

    (void)state;
    releases_open(&other);
    releases_sign(&other, "umx-agent", "9.0", "deb", "amd64", "new", 3, false, release);
    offer(ID, 5, false);
    assert_offer_refused("UMX-1016");
    releases_close(&other);
    snprintf(release, sizeof release, "nonsense");
    offer(OTHER_ID, 5, false);
    assert_offer_refused("UMX-1015");
    sign("0.0.1", "new", true); /* signed as one that may, but nobody asked */
    offer(ID, 5, false);
    assert_offer_refused("UMX-1018");
    sign("0.0.1", "new", false); /* asked for, but not signed as one that may */
    offer(OTHER_ID, 5, true);
    assert_offer_refused("UMX-1018");
    releases_sign(&made, "umx-agent", "9.0", "msi", "amd64", "new", 3, false, release);
    offer(ID, 5, false);
    assert_offer_refused("UMX-1019");
    sign("0.0.1", "new", true);
    offer(OTHER_ID, 5, true);
    assert_said(UMX__UPDATE_STATE__STATE__WANTED);
}

static void test_without_a_key_nothing_is_taken(void **state)
{
    (void)state;
    config.release_key[0] = '\0';
    begin_again();
    assert_null(umx_update_kind(&update));
    sign("9.0", "new", false);
    offer(ID, 5, false);
    assert_offer_refused("UMX-1717");
}

/* ---- the updater */

static void test_confirmed_version_stays(void **state)
{
    (void)state;
    stage(ID, "9.0", "new package", 30);
    write_file("confirm", ID);
    struct umx_updater_status status = run();
    assert_int_equal(status.state, UMX_UPDATER_INSTALLED);
    assert_string_equal(status.version, "9.0");
    assert_string_equal(status.previous, UMX_VERSION);
    assert_string_equal(file_text("installed"), "new package");
    assert_string_equal(file_text("log"), "keep " UMX_VERSION "\ninstall 9.0\n");
    assert_int_not_equal(access(below("state/update/request"), F_OK), 0);
    assert_int_not_equal(access(below("updater/updater"), F_OK), 0);
    begin_again();
    assert_said(UMX__UPDATE_STATE__STATE__INSTALLED);
    assert_int_equal(run().state, UMX_UPDATER_INSTALLED); /* nothing more to do */
    assert_string_equal(file_text("log"), "keep " UMX_VERSION "\ninstall 9.0\n");
}

static void test_unconfirmed_version_goes(void **state)
{
    Umx__UpdateState now;

    (void)state;
    stage(ID, "9.0", "new package", 1);
    write_file("confirm", OTHER_ID "\n"); /* of another update */
    assert_int_equal(run().state, UMX_UPDATER_RETURNED);
    assert_string_equal(file_text("installed"), "old");
    assert_string_equal(file_text("log"), "keep " UMX_VERSION "\ninstall 9.0\nreturn " UMX_VERSION "\n");
    now = said();
    assert_int_equal(now.state, UMX__UPDATE_STATE__STATE__RETURNED);
    assert_string_equal(now.reason, "the new version was not confirmed within 1 s");
}

static void test_failing_installer(void **state)
{
    (void)state;
    write_file("fail-install", "");
    stage(ID, "9.0", "new package", 30);
    assert_int_equal(run().state, UMX_UPDATER_RETURNED);
    assert_string_equal(file_text("installed"), "old");
    write_file("fail-keep", ""); /* without the old version nothing is begun */
    stage(OTHER_ID, "9.1", "new package", 30);
    assert_int_equal(run().state, UMX_UPDATER_REFUSED);
}

/* Another installation, say, was at work. */
static void test_failing_return_is_tried_again(void **state)
{
    (void)state;
    write_file("fail-install", "");
    write_file("fail-once-return", "");
    stage(ID, "9.0", "new package", 30);
    struct umx_updater_status status = run();
    assert_int_equal(status.state, UMX_UPDATER_RETURNED);
    assert_string_equal(status.reason, "install ended with code 7");
    assert_string_equal(file_text("log"),
                        "keep " UMX_VERSION "\ninstall 9.0\nreturn " UMX_VERSION "\nreturn " UMX_VERSION "\n");
}

/* As an updater left it that was killed. */
static void leave(enum umx_updater_state at, int64_t until, const char *installed)
{
    struct umx_updater_status status = {.state = at,
                                        .id = ID,
                                        .version = "9.0",
                                        .previous = UMX_VERSION,
                                        .trial = 1,
                                        .until = until,
                                        .reason = "it is bad; and returning failed: twice"};

    set_up_one(NULL);
    mkdir(below("state/update"), 0700);
    mkdir(below("updater"), 0700);
    write_file("updater/package.deb", "new package");
    write_file("updater/previous.deb", "kept");
    write_file("installed", installed);
    write_file("state/update/request", "id " ID "\ntrial 1\n");
    assert_int_equal(umx_updater_status_write(config.updater, &status, NULL), 0);
}

static void test_failing_return_is_given_up_after_hours(void **state)
{
    (void)state;
    leave(UMX_UPDATER_RETURNING, umx_clock_now() - 1, "half");
    write_file("fail-return", "");
    struct umx_updater_status status = run();
    assert_int_equal(status.state, UMX_UPDATER_FAILED);
    assert_string_equal(status.reason, "it is bad; and returning failed: return ended with code 7");
    begin_again();
    assert_said(UMX__UPDATE_STATE__STATE__FAILED);
}

/* Who removes the agent in the middle of a trial is not given the version before. */
static void test_removed_agent_does_not_come_back(void **state)
{
    (void)state;
    leave(UMX_UPDATER_TRIAL, umx_clock_now() + UMX_HOUR, "new package");
    gone_after = 1;
    struct umx_updater_status status = run();
    gone_after = -1;
    assert_int_equal(status.state, UMX_UPDATER_FAILED);
    assert_string_equal(status.reason, "the agent was removed");
    assert_string_equal(file_text("log"), "");
    assert_int_not_equal(access(below("state/update/request"), F_OK), 0);
}

/* But an installation that took it away is the updater's own. */
static void test_agent_that_an_installation_took_away_is_returned(void **state)
{
    (void)state;
    write_file("take-agent-install", "");
    write_file("fail-once-return", "");
    stage(ID, "9.0", "new package", 30);
    assert_int_equal(run().state, UMX_UPDATER_RETURNED);
    assert_string_equal(file_text("installed"), "old");
}

/* The agent's user writes what it likes into its folder: the updater takes none of it for true. */
static void test_updater_trusts_no_agent(void **state)
{
    (void)state;
    stage(ID, "9.0", "new package", 30);
    write_file("state/update/package", "evil package"); /* exchanged after the agent had verified it */
    struct umx_updater_status status = run();
    assert_int_equal(status.state, UMX_UPDATER_REFUSED);
    assert_int_equal(status.error, UMX_ERR_RELEASE_PACKAGE);
    assert_string_equal(file_text("log"), "");
    assert_said(UMX__UPDATE_STATE__STATE__REFUSED);

    stage(OTHER_ID, "9.0", "new package", 30);
    assert_int_equal(unlink(below("state/update/package")), 0);
    assert_int_equal(symlink("/etc/passwd", below("state/update/package")), 0);
    assert_int_equal(run().state, UMX_UPDATER_REFUSED);

    stage(ID, "9.1", "new package", 30);
    releases_sign(&made, "umx-agent", "0.0.1", "deb", umx_release_architecture(), "new package", 11, true, release);
    write_file("state/update/release", release); /* an old one, well signed; the request does not ask for it */
    assert_int_equal(run().error, UMX_ERR_RELEASE_OLDER);
    assert_string_equal(file_text("installed"), "old");

    write_file("state/update/request", "nonsense");
    run();
    assert_int_not_equal(access(below("state/update/request"), F_OK), 0); /* or the path unit would start us for ever */
}

/* Killed at each step, the next run goes on; it never ends between two versions. */
static void test_updater_goes_on_after_a_crash(void **state)
{
    static const struct {
        enum umx_updater_state at;
        const char *installed; /* how far the installer had come */
        bool confirmed;
        enum umx_updater_state end;
        const char *left;
    } cases[] = {
        {UMX_UPDATER_TAKEN, "old", true, UMX_UPDATER_INSTALLED, "new package"},
        {UMX_UPDATER_INSTALLING, "half", true, UMX_UPDATER_INSTALLED, "new package"},
        {UMX_UPDATER_INSTALLING, "half", false, UMX_UPDATER_RETURNED, "kept"},
        {UMX_UPDATER_TRIAL, "new package", true, UMX_UPDATER_INSTALLED, "new package"},
        {UMX_UPDATER_TRIAL, "new package", false, UMX_UPDATER_RETURNED, "kept"},
        {UMX_UPDATER_RETURNING, "half", true, UMX_UPDATER_RETURNED, "kept"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        leave(cases[i].at, umx_clock_now() + UMX_SECOND / 2, cases[i].installed);
        if (cases[i].confirmed) {
            write_file("state/update/confirmed", ID);
            write_file("confirm", ID);
        }
        assert_int_equal(run().state, cases[i].end);
        assert_string_equal(file_text("installed"), cases[i].left);
        assert_int_not_equal(access(below("state/update/request"), F_OK), 0);
    }
    set_up_one(NULL);
}

/* Asked to end in the trial, it leaves the trial to its successor. */
static void test_updater_that_is_stopped(void **state)
{
    (void)state;
    stage(ID, "9.0", "new package", 60);
    atomic_store(&stop, true);
    assert_int_equal(run().state, UMX_UPDATER_TAKEN);
    assert_string_equal(file_text("installed"), "old");
    atomic_store(&stop, false);
    write_file("confirm", ID);
    assert_int_equal(run().state, UMX_UPDATER_INSTALLED);
}

/* It may have ended before its work did, or before it saw what it was woken for. */
static void test_updater_is_woken_until_it_goes_on(void **state)
{
    struct umx_updater_status status = {.state = UMX_UPDATER_TAKEN, .id = ID, .version = "9.0", .previous = "8.0"};
    int64_t now = umx_clock_now();

    (void)state;
    umx_clock_set(now);
    woken = 0;
    umx_update_look(&update);
    assert_int_equal(woken, 0);
    stage(ID, "9.0", "new package", 30);
    assert_int_equal(woken, 1);
    umx_clock_set(now += 4 * UMX_MINUTE);
    umx_update_look(&update);
    assert_int_equal(woken, 1);
    umx_clock_set(now += UMX_MINUTE);
    umx_update_look(&update);
    umx_update_look(&update);
    assert_int_equal(woken, 2);
    mkdir(below("updater"), 0700);
    for (int i = 0; i < 3; i++) { /* each step counts from its own beginning */
        status.state = i == 0 ? UMX_UPDATER_TAKEN : i == 1 ? UMX_UPDATER_TRIAL : UMX_UPDATER_RETURNED;
        assert_int_equal(umx_updater_status_write(config.updater, &status, NULL), 0);
        umx_clock_set(now += 4 * UMX_MINUTE);
        umx_update_look(&update);
        assert_int_equal(woken, 2 + i);
        umx_clock_set(now += 6 * UMX_MINUTE);
        umx_update_look(&update);
        assert_int_equal(woken, i < 2 ? 3 + i : 4); /* at the end there is nothing to wake it for */
    }
    umx_clock_set(0);
}

static void test_confirming(void **state)
{
    Umx__UpdateConfirm message = UMX__UPDATE_CONFIRM__INIT;
    char id[] = ID, other[] = OTHER_ID;
    struct umx_updater_status status = {.state = UMX_UPDATER_TRIAL, .id = ID, .version = "9.0", .previous = "8.0"};

    (void)state;
    mkdir(below("updater"), 0700);
    mkdir(below("state/update"), 0700);
    assert_int_equal(umx_updater_status_write(config.updater, &status, NULL), 0);
    message.id = other;
    umx_update_confirm(&update, &message);
    assert_int_not_equal(access(below("state/update/confirmed"), F_OK), 0);
    message.id = id;
    umx_update_confirm(&update, &message);
    assert_string_equal(file_text("state/update/confirmed"), ID);
    sign("9.1", "other", false); /* one at a time */
    offer(OTHER_ID, 5, false);
    Umx__UpdateState now = said();
    assert_int_equal(now.state, UMX__UPDATE_STATE__STATE__REFUSED);
    assert_string_equal(error_of(now), "UMX-1804");
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up_one, tear_down_one)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(test_package_is_staged),
        ONE(test_parts_out_of_order),
        ONE(test_reception_goes_on),
        ONE(test_spoiled_package),
        ONE(test_offers_that_are_refused),
        ONE(test_without_a_key_nothing_is_taken),
        ONE(test_confirmed_version_stays),
        ONE(test_unconfirmed_version_goes),
        ONE(test_failing_installer),
        ONE(test_failing_return_is_tried_again),
        ONE(test_failing_return_is_given_up_after_hours),
        ONE(test_removed_agent_does_not_come_back),
        ONE(test_agent_that_an_installation_took_away_is_returned),
        ONE(test_updater_trusts_no_agent),
        ONE(test_updater_goes_on_after_a_crash),
        ONE(test_updater_that_is_stopped),
        ONE(test_updater_is_woken_until_it_goes_on),
        ONE(test_confirming),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
