/* Notification of changes of a recorded host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <cmocka.h>

#include "agent/host/watch.h"
#include "base/clock.h"
#include "recorded_host.h"

static struct place place;
static struct umx_host *host;
static struct umx_host_watch *host_watch;

static int set_up(void **state)
{
    struct umx_error err = {0};

    (void)state;
    place = place_make();
    place_write(&place, "host.ini", "[host]\nfqdn = ex1.exchange.test\n");
    place_write(&place, "services.json", "[]");
    host = place_open(&place);
    if (umx_host_watch_open(host, &host_watch, &err) != 0)
        print_error("%s\n", umx_error_why(&err));
    return host_watch != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    umx_host_watch_close(host_watch);
    umx_host_close(host);
    place_remove(&place);
    return 0;
}

static unsigned wait_areas(void)
{
    return umx_host_watch_wait(host_watch, 20 * UMX_SECOND);
}

static void each_file_is_its_area(void **state)
{
    (void)state;
    assert_int_equal(host_watch->blind, 0);
    assert_int_equal(umx_host_watch_wait(host_watch, 20 * UMX_MILLISECOND), 0);
    place_write(&place, "services.json", "[ ]");
    assert_int_equal(wait_areas(), UMX_HOST_SERVICES);
    place_write(&place, "registry.reg", "x");
    place_write(&place, "events.json", "[]");
    assert_int_equal(wait_areas(), UMX_HOST_REGISTRY | UMX_HOST_EVENTS);
    place_write(&place, "administrators.txt", "x");
    assert_int_equal(wait_areas(), UMX_HOST_ADMINISTRATORS);
    place_write(&place, "listeners.json", "[]");
    assert_int_equal(wait_areas(), UMX_HOST_LISTENERS);
    place_write(&place, "topology.json", "{}"); /* a stand-in's own */
    assert_int_equal(wait_areas(), UMX_HOST_SHELL);
    place_write(&place, "host.ini", "[host]\nfqdn = ex1.exchange.test\n");
    place_write(&place, "services.json.new", "half of");
    assert_int_equal(umx_host_watch_wait(host_watch, 300 * UMX_MILLISECOND), 0);
}

static void files_that_are_moved_or_removed_are_seen(void **state)
{
    char from[256], to[256];

    (void)state;
    snprintf(from, sizeof from, "%s/services.json.new", place.path);
    snprintf(to, sizeof to, "%s/services.json", place.path);
    place_write(&place, "services.json.new", "[  ]");
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(wait_areas(), UMX_HOST_SERVICES);
    assert_int_equal(unlink(to), 0);
    assert_int_equal(wait_areas(), UMX_HOST_SERVICES);
}

/* A directory that was not there when the watch began is followed when it comes. */
static void new_directories_are_followed(void **state)
{
    (void)state;
    place_write(&place, "certificates/a.pem", "x");
    assert_int_not_equal(wait_areas() & UMX_HOST_CERTIFICATES, 0);
    while (umx_host_watch_wait(host_watch, 200 * UMX_MILLISECOND) != 0)
        continue;
    place_write(&place, "certificates/b.pem", "x");
    assert_int_equal(wait_areas(), UMX_HOST_CERTIFICATES);
    place_write(&place, "certificates/root/r.pem", "x");
    assert_int_not_equal(wait_areas() & UMX_HOST_CERTIFICATES, 0);
}

static void *wait_long(void *user)
{
    *(unsigned *)user = umx_host_watch_wait(host_watch, 60 * UMX_SECOND);
    return NULL;
}

static void a_wait_can_be_ended(void **state)
{
    pthread_t thread;
    unsigned areas = 1;

    (void)state;
    int64_t begin = umx_clock_monotonic();
    assert_int_equal(pthread_create(&thread, NULL, wait_long, &areas), 0);
    umx_host_watch_wake(host_watch);
    pthread_join(thread, NULL);
    assert_int_equal(areas, 0);
    assert_true(umx_clock_monotonic() - begin < 30 * UMX_SECOND);
    assert_int_equal(umx_host_watch_wait(host_watch, 60 * UMX_SECOND), 0); /* a later one too */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_file_is_its_area, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_that_are_moved_or_removed_are_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(new_directories_are_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wait_can_be_ended, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
