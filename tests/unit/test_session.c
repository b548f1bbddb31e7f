/* The agent's life against a controller of the test, over real mutual TLS: Hello, reports, changes, queries, actions,
 * refusal, reconnecting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <time.h>

#include "agent/session.h"
#include "pki.h"
#include "recorded_host.h"
#include "umx/v1/agent.pb-c.h"

enum { MESSAGES_MAX = 512 };

static struct pki pki;
static struct pki_leaf controller;
static struct pki_leaf agent;
static struct place place;

/* ---- the controller: notes what comes, answers Hello, accepts reports */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct umx_rpc_server *server;
    struct umx_rpc_stream *stream;
    struct umx_arena *arena;
    Umx__ToController *messages[MESSAGES_MAX];
    int count;
    int attached;
    int detached;
    bool refuse;
    bool forget; /* asks for the rows of every digest */
} peer = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void send_locked(const Umx__ToAgent *message)
{
    uint8_t *bytes = NULL;
    size_t length = 0;

    if (peer.stream != NULL && umx_reflect_pack(&message->base, &bytes, &length, NULL) == 0)
        umx_rpc_stream_send(peer.stream, bytes, length);
    free(bytes);
}

static void say(const Umx__ToAgent *message)
{
    pthread_mutex_lock(&peer.mutex);
    send_locked(message);
    pthread_mutex_unlock(&peer.mutex);
}

static void welcome_locked(void)
{
    static char name[] = "test controller";
    Umx__Welcome welcome = UMX__WELCOME__INIT;
    Umx__ToAgent message = UMX__TO_AGENT__INIT;

    welcome.controller = name;
    welcome.has_report_interval = 1;
    welcome.report_interval = 300;
    message.message_case = UMX__TO_AGENT__MESSAGE_WELCOME;
    message.welcome = &welcome;
    send_locked(&message);
}

static int opened(void *user, struct umx_rpc_stream *stream, const struct umx_identity *who, const char *address,
                  void **state, struct umx_error *err)
{
    (void)user;
    (void)address;
    pthread_mutex_lock(&peer.mutex);
    bool refuse = peer.refuse;
    peer.attached++;
    if (!refuse)
        peer.stream = stream;
    pthread_cond_broadcast(&peer.changed);
    pthread_mutex_unlock(&peer.mutex);
    *state = stream;
    return refuse ? umx_fail(err, UMX_ERR_NOT_PERMITTED, who->uri, "not today") : 0;
}

static void message(void *state, const uint8_t *bytes, size_t length)
{
    ProtobufCMessage *unpacked = NULL;

    (void)state;
    pthread_mutex_lock(&peer.mutex);
    if (peer.count < MESSAGES_MAX &&
        umx_reflect_unpack(&umx__to_controller__descriptor, bytes, length, peer.arena, &unpacked, NULL) == 0) {
        Umx__ToController *got = (Umx__ToController *)unpacked;
        peer.messages[peer.count++] = got;
        if (got->message_case == UMX__TO_CONTROLLER__MESSAGE_HELLO)
            welcome_locked();
        if (got->message_case == UMX__TO_CONTROLLER__MESSAGE_REPORT && got->report->error == NULL &&
            got->report->chunk + 1 == (got->report->chunks != 0 ? got->report->chunks : 1)) {
            Umx__Accepted accepted = UMX__ACCEPTED__INIT;
            Umx__ToAgent answer = UMX__TO_AGENT__INIT;
            accepted.table = got->report->table;
            accepted.has_generation = accepted.has_resend = 1;
            accepted.generation = got->report->generation;
            accepted.resend = got->report->unchanged && peer.forget;
            answer.message_case = UMX__TO_AGENT__MESSAGE_ACCEPTED;
            answer.accepted = &accepted;
            send_locked(&answer);
        }
        pthread_cond_broadcast(&peer.changed);
    }
    pthread_mutex_unlock(&peer.mutex);
}

static void closed(void *state)
{
    pthread_mutex_lock(&peer.mutex);
    if (peer.stream == state)
        peer.stream = NULL;
    peer.detached++;
    pthread_cond_broadcast(&peer.changed);
    pthread_mutex_unlock(&peer.mutex);
}

static struct umx_rpc_server *start_server(int port)
{
    static const struct umx_rpc_method methods[] = {
        {.path = "/umx.v1.Agents/Attach", .stream = {.opened = opened, .message = message, .closed = closed}}};
    struct umx_rpc_server *server = NULL;
    struct umx_error err = {0};
    char address[64];

    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    struct umx_rpc_server_options options = {.address = address,
                                             .tls = pki_tls(&pki, &controller),
                                             .require_certificate = true,
                                             .max_message = UMX_MAX_AGENT_MESSAGE,
                                             .threads = 1,
                                             .methods = methods,
                                             .method_count = 1};
    if (umx_rpc_server_start(&options, &server, &err) != 0)
        print_error("%s: %s\n", err.what, err.why);
    assert_non_null(server);
    return server;
}

/* ---- waiting */

static bool is_report(const Umx__ToController *got, const char *table)
{
    return got->message_case == UMX__TO_CONTROLLER__MESSAGE_REPORT && strcmp(got->report->table, table) == 0;
}

/* Waits for message number `from` or a later one that fits; its number, and what it is. */
static int wait_for(int from, bool (*fits)(const Umx__ToController *got, const void *user), const void *user,
                    int seconds, const Umx__ToController **found)
{
    struct timespec until;
    int number = from;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    *found = NULL;
    pthread_mutex_lock(&peer.mutex);
    for (;;) {
        for (; number < peer.count; number++) {
            if (fits(peer.messages[number], user)) {
                *found = peer.messages[number];
                goto out;
            }
        }
        if (pthread_cond_timedwait(&peer.changed, &peer.mutex, &until) != 0)
            break;
    }
out:
    pthread_mutex_unlock(&peer.mutex);
    return number;
}

static bool of_table(const Umx__ToController *got, const void *user)
{
    return is_report(got, user);
}

static bool rows_of_table(const Umx__ToController *got, const void *user)
{
    return is_report(got, user) && !got->report->unchanged && got->report->error == NULL;
}

static bool answers_query(const Umx__ToController *got, const void *user)
{
    return got->message_case == UMX__TO_CONTROLLER__MESSAGE_REPORT && got->report->query == *(const int64_t *)user;
}

static bool is_result(const Umx__ToController *got, const void *user)
{
    (void)user;
    return got->message_case == UMX__TO_CONTROLLER__MESSAGE_ACTION_RESULT;
}

static void wait_counter(const int *counter, int value)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    pthread_mutex_lock(&peer.mutex);
    while (*counter < value && pthread_cond_timedwait(&peer.changed, &peer.mutex, &until) == 0)
        continue;
    int now = *counter;
    pthread_mutex_unlock(&peer.mutex);
    assert_true(now >= value);
}

static int so_far(void)
{
    pthread_mutex_lock(&peer.mutex);
    int count = peer.count;
    pthread_mutex_unlock(&peer.mutex);
    return count;
}

/* ---- the agent */

static struct {
    pthread_t thread;
    struct umx_agent_config config;
    struct umx_host *host;
    atomic_bool stop;
    int status;
    struct umx_error err;
} life;

static void *run(void *user)
{
    (void)user;
    life.status = umx_session_run(&life.config, life.host, "", &life.stop, &life.err);
    return NULL;
}

static void start_agent(void)
{
    life.host = place_open(&place);
    atomic_store(&life.stop, false);
    assert_int_equal(pthread_create(&life.thread, NULL, run, NULL), 0);
}

static void stop_agent(void)
{
    int64_t begin = umx_clock_monotonic();

    atomic_store(&life.stop, true);
    pthread_join(life.thread, NULL);
    umx_host_close(life.host);
    assert_int_equal(life.status, 0);
    assert_true(umx_clock_monotonic() - begin < 5 * UMX_SECOND);
}

static void write_identity(const struct pki_leaf *leaf)
{
    struct umx_text text = {0};

    umx_text_addf(&text, "%s%s%s", leaf->key, leaf->chain, pki.roots);
    place_write(&place, "agent.pem", text.data);
    chmod(life.config.identity, 0600);
    umx_text_free(&text);
}

static int set_up(void **state)
{
    (void)state;
    place = place_make();
    place_write(&place, "host.ini", "[host]\nfqdn = ex1.exchange.test\n");
    place_write(&place, "services.json",
                "[{\"name\":\"MSExchangeUM\",\"state\":\"running\",\"started_at\":\"2026-01-01T00:00:00Z\"}]");
    snprintf(life.config.identity, sizeof life.config.identity, "%s/agent.pem", place.path);
    write_identity(&agent);
    peer.arena = umx_arena_new(64 * 1024 * 1024);
    peer.count = peer.attached = peer.detached = 0;
    peer.refuse = peer.forget = false;
    peer.server = start_server(0);
    life.config =
        (struct umx_agent_config){.report_interval = 300, .start_jitter = 0, .longest_wait = 60, .refused_wait = 1};
    snprintf(life.config.controller, sizeof life.config.controller, "127.0.0.1:%d", umx_rpc_server_port(peer.server));
    snprintf(life.config.identity, sizeof life.config.identity, "%s/agent.pem", place.path);
    snprintf(life.config.host, sizeof life.config.host, "recorded:%s", place.path);
    snprintf(life.config.state, sizeof life.config.state, "%s", place.path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    umx_rpc_server_stop(peer.server, UMX_SECOND);
    umx_arena_free(peer.arena);
    place_remove(&place);
    return 0;
}

/* ---- the tests */

static void it_says_who_it_is_and_reports_every_table(void **state)
{
    const Umx__ToController *got;

    (void)state;
    start_agent();
    for (size_t i = 0; i < umx_collector_count; i++) {
        wait_for(0, rows_of_table, umx_collectors[i].table, 20, &got);
        if (got == NULL)
            fail_msg("no report of %s", umx_collectors[i].table);
        assert_int_equal(got->report->digest.len, UMX_DIGEST);
    }
    const Umx__Hello *hello = peer.messages[0]->hello;
    assert_int_equal(peer.messages[0]->message_case, UMX__TO_CONTROLLER__MESSAGE_HELLO);
    assert_string_equal(hello->server, "ex1.exchange.test");
    assert_int_equal(hello->protocol, UMX_AGENT_PROTOCOL);
    assert_true(hello->recorded);
    wait_for(0, rows_of_table, "service", 1, &got);
    assert_int_equal(got->report->rows->n_service, 1);
    assert_string_equal(got->report->rows->service[0]->server, "ex1.exchange.test");
    stop_agent();
    wait_counter(&peer.detached, 1);
}

static void a_change_is_reported_within_seconds(void **state)
{
    const Umx__ToController *got;
    int from;

    (void)state;
    start_agent();
    from = wait_for(0, rows_of_table, "service", 20, &got) + 1;
    wait_for(0, of_table, "proof", 20, &got);
    place_write(&place, "services.json", "[{\"name\":\"MSExchangeUM\",\"state\":\"stopped\"}]");
    int64_t begin = umx_clock_monotonic();
    from = wait_for(from, rows_of_table, "service", 20, &got) + 1;
    assert_non_null(got);
    assert_true(umx_clock_monotonic() - begin < 5 * UMX_SECOND);
    assert_int_equal(got->report->rows->service[0]->state, UMX__SERVICE__STATE__STOPPED);
    /* Damage is said as such, and repair too. */
    place_write(&place, "services.json", "[");
    wait_for(from, of_table, "service", 20, &got);
    assert_non_null(got);
    assert_non_null(got->report->error);
    stop_agent();
}

static void a_query_is_answered_at_once(void **state)
{
    static char name[] = "service";
    static char *names[] = {name};
    const Umx__ToController *got;
    Umx__Collect collect = UMX__COLLECT__INIT;
    Umx__ToAgent message_out = UMX__TO_AGENT__INIT;
    int64_t query = 42;

    (void)state;
    start_agent();
    int from = wait_for(0, rows_of_table, "service", 20, &got);
    assert_non_null(got);
    collect.has_query = 1;
    collect.query = query;
    collect.table = names;
    collect.n_table = 1;
    message_out.message_case = UMX__TO_AGENT__MESSAGE_COLLECT;
    message_out.collect = &collect;
    int64_t begin = umx_clock_monotonic();
    say(&message_out);
    wait_for(from, answers_query, &query, 20, &got);
    assert_non_null(got);
    assert_true(umx_clock_monotonic() - begin < UMX_SECOND);
    assert_string_equal(got->report->table, "service");
    stop_agent();
}

static void ask_for_services(int64_t query, int timeout)
{
    static char name[] = "service";
    static char *names[] = {name};
    Umx__Collect collect = UMX__COLLECT__INIT;
    Umx__ToAgent message_out = UMX__TO_AGENT__INIT;

    collect.has_query = collect.has_timeout = 1;
    collect.query = query;
    collect.timeout = timeout;
    collect.table = names;
    collect.n_table = 1;
    message_out.message_case = UMX__TO_AGENT__MESSAGE_COLLECT;
    message_out.collect = &collect;
    say(&message_out);
}

static void cancel_query(int64_t query)
{
    Umx__CancelCollect cancel = UMX__CANCEL_COLLECT__INIT;
    Umx__ToAgent message_out = UMX__TO_AGENT__INIT;

    cancel.has_query = 1;
    cancel.query = query;
    message_out.message_case = UMX__TO_AGENT__MESSAGE_CANCEL;
    message_out.cancel = &cancel;
    say(&message_out);
}

static bool is_answered(int64_t query)
{
    bool answered = false;

    pthread_mutex_lock(&peer.mutex);
    for (int i = 0; i < peer.count; i++)
        answered = answered || answers_query(peer.messages[i], &query);
    pthread_mutex_unlock(&peer.mutex);
    return answered;
}

/* A collector that does not come back holds its lane up; what is asked meanwhile waits, and is then collected once for
 * all who still want it. */
static void who_asks_meanwhile_shares_and_who_leaves_is_left_out(void **state)
{
    const Umx__ToController *got;
    char fifo[256];
    int64_t last = 64;

    (void)state;
    start_agent();
    int from = wait_for(0, rows_of_table, "service", 20, &got);
    wait_for(0, rows_of_table, "proof", 20, &got);
    snprintf(fifo, sizeof fifo, "%s/.events", place.path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    char events[256];
    snprintf(events, sizeof events, "%s/events.json", place.path);
    assert_int_equal(rename(fifo, events), 0); /* the collector of events opens it, and waits for a writer */
    int64_t probe = 100;
    do { /* until the lane stands still */
        ask_for_services(++probe, 60);
        wait_for(from, answers_query, &probe, 2, &got);
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    } while (got != NULL && probe < 400);
    assert_null(got);
    for (int64_t query = 61; query <= last; query++)
        ask_for_services(query, query == 62 ? 1 : 60);
    cancel_query(63);
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 500000000}, NULL); /* the second one's patience ends */
    assert_false(is_answered(61));
    place_write(&place, "services.json", "[{\"name\":\"MSExchangeUM\",\"state\":\"stopped\"}]");
    assert_int_equal(rename(events, fifo), 0); /* nobody else shall fall into it */
    place_write(&place, "events.json", "[]");
    int writer = open(fifo, O_WRONLY | O_NONBLOCK);
    assert_true(writer >= 0);
    close(writer);
    wait_for(from, answers_query, &last, 20, &got);
    assert_non_null(got);
    assert_true(is_answered(61));
    assert_false(is_answered(62));
    assert_false(is_answered(63));
    stop_agent();
}

static void a_table_that_nobody_collects_is_refused_at_once(void **state)
{
    static char name[] = "exchange_server";
    static char *names[] = {name};
    const Umx__ToController *got;
    Umx__Collect collect = UMX__COLLECT__INIT;
    Umx__ToAgent message_out = UMX__TO_AGENT__INIT;
    int64_t query = 43;

    (void)state;
    start_agent();
    int from = wait_for(0, rows_of_table, "service", 20, &got);
    assert_non_null(got);
    collect.has_query = 1;
    collect.query = query;
    collect.table = names;
    collect.n_table = 1;
    message_out.message_case = UMX__TO_AGENT__MESSAGE_COLLECT;
    message_out.collect = &collect;
    say(&message_out);
    wait_for(from, answers_query, &query, 20, &got);
    assert_non_null(got);
    assert_string_equal(got->report->table, name);
    assert_non_null(got->report->error);
    stop_agent();
}

static void an_action_is_done_and_reported(void **state)
{
    static char id[] = "batch-1";
    static char action[] = "restart-service";
    static char item[] = "MSExchangeUM";
    static char *items[] = {item};
    const Umx__ToController *got;
    Umx__ActionBatch batch = UMX__ACTION_BATCH__INIT;
    Umx__ToAgent message_out = UMX__TO_AGENT__INIT;

    (void)state;
    start_agent();
    int from = wait_for(0, rows_of_table, "service", 20, &got) + 1;
    int64_t before = got->report->rows->service[0]->started_at;
    batch.batch = id;
    batch.action = action;
    batch.item = items;
    batch.n_item = 1;
    message_out.message_case = UMX__TO_AGENT__MESSAGE_ACTION;
    message_out.action = &batch;
    say(&message_out);
    wait_for(from, is_result, NULL, 20, &got);
    assert_non_null(got);
    assert_true(got->action_result->ok);
    assert_true(got->action_result->last);
    assert_string_equal(got->action_result->batch, id);
    wait_for(from, rows_of_table, "service", 20, &got);
    assert_non_null(got);
    assert_true(got->report->rows->service[0]->started_at > before);
    stop_agent();
}

static bool has_proofs(const Umx__ToController *got, const void *user)
{
    return rows_of_table(got, "proof") && got->report->rows->n_proof == *(const size_t *)user;
}

/* As many as the controller has forests, pools and UM servers: none is passed over. */
static void it_tries_every_target(void **state)
{
    enum { TARGETS = 300 };
    const Umx__ToController *got;
    Umx__ProofTarget targets[TARGETS], *list[TARGETS];
    Umx__Welcome welcome = UMX__WELCOME__INIT;
    Umx__ToAgent message = UMX__TO_AGENT__INIT;
    char names[TARGETS][24];
    size_t count = TARGETS;

    (void)state;
    start_agent();
    wait_for(0, rows_of_table, "proof", 20, &got);
    for (size_t i = 0; i < TARGETS; i++) {
        umx__proof_target__init(&targets[i]);
        snprintf(names[i], sizeof names[i], "pool%zu.lync.test", i);
        targets[i].has_kind = 1;
        targets[i].kind = UMX__PROOF__KIND__SID; /* names no SID: that is all its proof takes to fail */
        targets[i].host = names[i];
        list[i] = &targets[i];
    }
    welcome.has_report_interval = 1;
    welcome.report_interval = 300;
    welcome.proof = list;
    welcome.n_proof = TARGETS;
    message.message_case = UMX__TO_AGENT__MESSAGE_WELCOME;
    message.welcome = &welcome;
    say(&message);
    wait_for(0, has_proofs, &count, 60, &got);
    assert_non_null(got);
    stop_agent();
}

static void it_comes_back_after_a_lost_controller(void **state)
{
    const Umx__ToController *got;
    int port = umx_rpc_server_port(peer.server);

    (void)state;
    start_agent();
    wait_for(0, rows_of_table, "proof", 20, &got);
    umx_rpc_server_stop(peer.server, UMX_SECOND);
    int from = so_far();
    /* What changes meanwhile is not lost. */
    place_write(&place, "services.json", "[{\"name\":\"MSExchangeUM\",\"state\":\"paused\"}]");
    peer.forget = true;
    peer.server = start_server(port);
    wait_for(from, rows_of_table, "service", 30, &got);
    assert_non_null(got);
    /* Announced by digest first, and by rows since this controller knows nothing. */
    wait_for(from, rows_of_table, "server", 30, &got);
    assert_non_null(got);
    stop_agent();
}

static void a_refused_agent_waits(void **state)
{
    const Umx__ToController *got;

    (void)state;
    life.config.refused_wait = 2;
    peer.refuse = true;
    start_agent();
    wait_counter(&peer.attached, 1);
    int64_t begin = umx_clock_monotonic();
    wait_counter(&peer.attached, 2);
    assert_true(umx_clock_monotonic() - begin > UMX_SECOND);
    pthread_mutex_lock(&peer.mutex);
    peer.refuse = false;
    pthread_mutex_unlock(&peer.mutex);
    wait_for(0, rows_of_table, "service", 20, &got);
    assert_non_null(got);
    stop_agent();
}

static void a_foreign_certificate_ends_it(void **state)
{
    struct pki_leaf other = pki_leaf(&pki, "umx://test/agent/2", "ex2.exchange.test", NULL, 100);
    struct umx_error err = {0};
    atomic_bool stop = false;

    (void)state;
    write_identity(&other);
    struct umx_host *host = place_open(&place);
    assert_int_equal(umx_session_run(&life.config, host, "", &stop, &err), UMX_E_DENIED);
    assert_int_equal(err.id, UMX_ERR_FOREIGN_IDENTITY);
    place_write(&place, "agent.pem", "nothing");
    assert_int_equal(umx_session_run(&life.config, host, "", &stop, &err), UMX_E_ARGUMENT);
    assert_int_equal(err.id, UMX_ERR_IDENTITY_FILE_INVALID);
    write_identity(&controller);
    assert_int_equal(umx_session_run(&life.config, host, "", &stop, &err), UMX_E_ARGUMENT);
    umx_host_close(host);
    pki_leaf_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_says_who_it_is_and_reports_every_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_change_is_reported_within_seconds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_query_is_answered_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_asks_meanwhile_shares_and_who_leaves_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_table_that_nobody_collects_is_refused_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_action_is_done_and_reported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_tries_every_target, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_comes_back_after_a_lost_controller, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_agent_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_foreign_certificate_ends_it, set_up, tear_down),
    };

    umx_rpc_begin();
    pki_make(&pki, "root");
    controller = pki_leaf(&pki, "umx://test/controller/main", "localhost", NULL, 100);
    agent = pki_leaf(&pki, "umx://test/agent/1", "ex1.exchange.test", NULL, 100);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pki_leaf_free(&controller);
    pki_leaf_free(&agent);
    pki_free(&pki);
    umx_rpc_end();
    return failed;
}
