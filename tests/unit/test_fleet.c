/* Reports of agents at the fleet, over real streams: a newer one in the place of one that waits, digests, agents that
 * say too much, and certificates that are asked for too often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "enrolment.h"
#include "rpc/identity_file.h"
#include "rpc/rpc.h"
#include "umx/v1/agent.pb-c.h"

#define PATIENCE (60 * UMX_SECOND)

struct speaker {
    char fqdn[64];
    struct umx_identity_file identity;
    struct umx_rpc_channel *channel;
    struct umx_rpc_client_call *call;
    Umx__ToAgent *heard; /* the last message */
};

static struct umx_rpc_server *server;
static struct speaker one, other;

static void say(struct speaker *speaker, const Umx__ToController *message)
{
    uint8_t *bytes = NULL;
    size_t length;

    pki_must(umx_reflect_pack(&message->base, &bytes, &length, NULL));
    assert_int_equal(umx_rpc_call_send(speaker->call, bytes, length), 0);
    free(bytes);
}

/* The next message of this kind; others are passed over. NULL: the stream ended. */
static const Umx__ToAgent *hear(struct speaker *speaker, Umx__ToAgent__MessageCase kind)
{
    int64_t end = umx_clock_monotonic() + PATIENCE;

    for (;;) {
        uint8_t *bytes = NULL;
        size_t length;
        struct umx_error err = {0};
        assert_true(umx_clock_monotonic() < end);
        enum umx_rpc_next next = umx_rpc_call_next(speaker->call, PATIENCE, &bytes, &length, &err);
        if (next != UMX_RPC_MESSAGE) {
            print_message("%s: next %d: UMX-%d: %s: %s\n", speaker->fqdn, (int)next, err.id, err.what, err.why);
            return NULL;
        }
        if (speaker->heard != NULL)
            umx__to_agent__free_unpacked(speaker->heard, NULL);
        speaker->heard = umx__to_agent__unpack(NULL, length, bytes);
        free(bytes);
        assert_non_null(speaker->heard);
        if (speaker->heard->message_case == kind)
            return speaker->heard;
    }
}

static void attach(struct speaker *speaker, const char *fqdn)
{
    struct umx_text pem = {0};
    struct umx_issued issued = {0};
    char address[64];
    Umx__Hello hello = UMX__HELLO__INIT;
    Umx__ToController message = UMX__TO_CONTROLLER__INIT;

    *speaker = (struct speaker){0};
    umx_text_copy(speaker->fqdn, sizeof speaker->fqdn, fqdn);
    pki_must(umx_authority_issue_agent(controller.authority, fqdn, UMX_DAY, &pem, &issued, NULL));
    pki_must(umx_identity_file_parse(pem.data, pem.length, fqdn, &speaker->identity, NULL));
    umx_issued_free(&issued);
    umx_text_free(&pem);
    snprintf(address, sizeof address, "127.0.0.1:%d", umx_rpc_server_port(server));
    const struct umx_rpc_tls tls = umx_identity_file_tls(&speaker->identity);
    pki_must(umx_rpc_channel_open(address, &tls, NULL, UMX_MAX_AGENT_MESSAGE, &speaker->channel, NULL));
    pki_must(umx_rpc_call_start(speaker->channel, "/umx.v1.Agents/Attach", NULL, 0, false, 0, &speaker->call, NULL));
    hello.server = speaker->fqdn;
    hello.has_protocol = 1;
    hello.protocol = 1;
    message.message_case = UMX__TO_CONTROLLER__MESSAGE_HELLO;
    message.hello = &hello;
    say(speaker, &message);
    assert_non_null(hear(speaker, UMX__TO_AGENT__MESSAGE_WELCOME));
}

static void detach(struct speaker *speaker)
{
    if (speaker->heard != NULL)
        umx__to_agent__free_unpacked(speaker->heard, NULL);
    umx_rpc_call_close(speaker->call);
    umx_rpc_channel_close(speaker->channel);
    umx_identity_file_free(&speaker->identity);
    *speaker = (struct speaker){0};
}

static int open_fleet(void **state)
{
    if (set_up(state) != 0)
        return -1;
    const struct umx_rpc_method method = {
        .path = "/umx.v1.Agents/Attach",
        .stream = {umx_fleet_handler.opened, umx_fleet_handler.message, umx_fleet_handler.closed, controller.fleet}};
    const struct umx_rpc_server_options options = {.address = "127.0.0.1:0",
                                                   .tls = *umx_authority_tls(controller.authority),
                                                   .require_certificate = true,
                                                   .max_message = UMX_MAX_AGENT_MESSAGE,
                                                   .methods = &method,
                                                   .method_count = 1};
    pki_must(umx_rpc_server_start(&options, &server, NULL));
    attach(&one, "um1.contoso.test");
    return 0;
}

static int close_fleet(void **state)
{
    detach(&one);
    detach(&other);
    umx_rpc_server_stop(server, UMX_SECOND);
    return tear_down(state);
}

/* A report of one service, whose process has the number of the generation; digest: what stands for its rows. */
static void report(struct speaker *speaker, int64_t generation, uint8_t digest, bool unchanged)
{
    char table[] = "service", name[] = "MSExchangeUM";
    uint8_t bytes[32] = {digest};
    Umx__Service service = UMX__SERVICE__INIT;
    Umx__Service *services[] = {&service};
    Umx__World rows = UMX__WORLD__INIT;
    Umx__Report message = UMX__REPORT__INIT;
    Umx__ToController to = UMX__TO_CONTROLLER__INIT;

    service.server = speaker->fqdn;
    service.name = name;
    service.has_process_id = 1;
    service.process_id = (int32_t)generation;
    rows.service = services;
    rows.n_service = 1;
    message.table = table;
    message.has_generation = message.has_digest = message.has_chunk = message.has_chunks = 1;
    message.generation = generation;
    message.digest = (ProtobufCBinaryData){.len = sizeof bytes, .data = bytes};
    message.chunks = 1;
    message.has_unchanged = 1;
    message.unchanged = unchanged;
    message.rows = unchanged ? NULL : &rows;
    to.message_case = UMX__TO_CONTROLLER__MESSAGE_REPORT;
    to.report = &message;
    say(speaker, &to);
}

static void expect_accepted(struct speaker *speaker, int64_t generation, bool resend)
{
    const Umx__ToAgent *message = hear(speaker, UMX__TO_AGENT__MESSAGE_ACCEPTED);

    assert_non_null(message);
    assert_true(message->accepted->generation == generation);
    assert_int_equal(message->accepted->resend, resend);
}

static void expect_stored(const char *fqdn, int process)
{
    struct umx_world *world = umx_world_new(1);

    pki_must(umx_state_load_of(controller.state, umx_reflect_table("service"), "server", fqdn, world, NULL));
    assert_int_equal(umx_world_records(world)->n_service, 1);
    assert_int_equal(umx_world_records(world)->service[0]->process_id, process);
    umx_world_free(world);
}

/* What the fleet counts of an agent. */
static void counted(const char *fqdn, int64_t *superseded, int64_t *held)
{
    struct umx_world *world = umx_world_new(umx_clock_now());

    pki_must(umx_fleet_agents(controller.fleet, world, NULL));
    for (size_t i = 0; i < umx_world_records(world)->n_agent; i++) {
        const Umx__Agent *agent = umx_world_records(world)->agent[i];
        if (strcmp(agent->server, fqdn) == 0 && strcmp(agent->state, "connected") == 0) {
            *superseded = agent->superseded;
            *held = agent->held;
        }
    }
    umx_world_free(world);
}

/* While the store is busy, a report takes the place of an older one that waits; one that is being stored stays, and
 * each of the two is accepted. A digest is compared with what is stored, not with what waits. */
static void newer_reports_take_the_place(void **state)
{
    (void)state;
    report(&one, 1, 1, false);
    expect_accepted(&one, 1, false);
    expect_stored("um1.contoso.test", 1);
    pki_must(umx_state_begin(controller.state, NULL)); /* the writer waits for us */
    for (int generation = 2; generation <= 6; generation++)
        report(&one, generation, (uint8_t)generation, false);
    /* One of them was taken by the writer or not, before the next came: the others give way. */
    int64_t superseded = 0, held, end = umx_clock_monotonic() + PATIENCE;
    while (superseded < 3 && umx_clock_monotonic() < end) {
        uint8_t *bytes = NULL;
        size_t length;
        /* What is queued goes out while somebody listens; nothing is accepted meanwhile. */
        assert_int_equal(umx_rpc_call_next(one.call, 5 * UMX_MILLISECOND, &bytes, &length, NULL), UMX_RPC_TIMEOUT);
        counted("um1.contoso.test", &superseded, &held);
    }
    assert_true(superseded >= 3);
    report(&one, 7, 1, true); /* what is stored is still the first, but it will not be */
    expect_accepted(&one, 7, true);
    pki_must(umx_state_commit(controller.state, NULL));
    const Umx__ToAgent *message;
    do {
        message = hear(&one, UMX__TO_AGENT__MESSAGE_ACCEPTED);
        assert_non_null(message);
        assert_false(message->accepted->resend);
    } while (message->accepted->generation != 6);
    expect_stored("um1.contoso.test", 6);
}

static void digests_spare_the_rows(void **state)
{
    (void)state;
    report(&one, 1, 1, true); /* nothing is known yet */
    expect_accepted(&one, 1, true);
    report(&one, 2, 1, false);
    expect_accepted(&one, 2, false);
    expect_stored("um1.contoso.test", 2);
    report(&one, 3, 1, true);
    expect_accepted(&one, 3, false);
    report(&one, 4, 1, false); /* rows that are known by their digest are not written */
    expect_accepted(&one, 4, false);
    expect_stored("um1.contoso.test", 2);
    report(&one, 5, 2, true);
    expect_accepted(&one, 5, true);
    /* Another agent's digest is its own. */
    attach(&other, "um2.contoso.test");
    report(&other, 1, 1, true);
    expect_accepted(&other, 1, true);
}

/* Above its burst an agent is read slowly: nothing is lost, its stream stays, and nobody else waits. */
static void who_says_too_much_is_read_slowly(void **state)
{
    enum { MANY = 256 + 24 };
    int64_t superseded = 0, held = 0;

    (void)state;
    attach(&other, "um2.contoso.test");
    for (int generation = 1; generation <= MANY; generation++)
        report(&one, generation, (uint8_t)generation, generation % 2 == 0);
    assert_non_null(hear(&one, UMX__TO_AGENT__MESSAGE_ACCEPTED)); /* it is on its way */
    report(&other, 1, 1, false);
    expect_accepted(&other, 1, false);
    const Umx__ToAgent *message;
    do
        assert_non_null(message = hear(&one, UMX__TO_AGENT__MESSAGE_ACCEPTED));
    while (message->accepted->generation != MANY);
    counted("um1.contoso.test", &superseded, &held);
    assert_true(held > 0);
    counted("um2.contoso.test", &superseded, &held);
    assert_true(held == 0);
}

/* A rotation that is turned back and forth asks for a few; more is refused, and the stream stays. */
static void renewals_are_bounded(void **state)
{
    Umx__Renew renew = UMX__RENEW__INIT;
    Umx__ToController message = UMX__TO_CONTROLLER__INIT;
    uint8_t nonsense[] = "no request";
    int busy = 0;

    (void)state;
    pki_must(umx_enrolment_start(controller.enrolment, NULL));
    renew.has_request = 1;
    renew.request = (ProtobufCBinaryData){.len = sizeof nonsense, .data = nonsense};
    message.message_case = UMX__TO_CONTROLLER__MESSAGE_RENEW;
    message.renew = &renew;
    for (int i = 0; i < 12; i++)
        say(&one, &message);
    for (int i = 0; i < 12; i++) {
        const Umx__ToAgent *answer = hear(&one, UMX__TO_AGENT__MESSAGE_RENEWED);
        assert_non_null(answer);
        assert_non_null(answer->renewed->reason);
        busy += strstr(answer->renewed->reason, "too often") != NULL;
    }
    assert_int_equal(busy, 4);
    report(&one, 1, 1, false);
    expect_accepted(&one, 1, false);
    umx_enrolment_stop(controller.enrolment);
}

/* What agents try in a forest stays until that forest was read again. */
static void targets_of_unread_forests_stay(void **state)
{
    char *names[] = {(char *)(uintptr_t) "a.test", (char *)(uintptr_t) "b.test", (char *)(uintptr_t) "c.test"};
    char *hosts[] = {(char *)(uintptr_t) "old", (char *)(uintptr_t) "new"}, gone[] = "UMX-1201: nobody answers";
    Umx__Forest forest[3];
    Umx__Forest *forests[] = {&forest[0], &forest[1], &forest[2]};
    Umx__ProofTarget target[3];
    Umx__ProofTarget *targets[] = {&target[0], &target[1], &target[2]};
    Umx__World read = UMX__WORLD__INIT;
    struct {
        size_t first, count; /* forests of the reading, and of its targets */
        const char *hosts[3];
    } rounds[] = {{0, 3, {"old", "old", "old"}}, {1, 2, {"old", "new", "new"}}, {0, 1, {"new", "new", "new"}}};

    (void)state;
    read.forest = forests;
    for (int i = 0; i < 3; i++) {
        umx__forest__init(&forest[i]);
        umx__proof_target__init(&target[i]);
        forest[i].forest = target[i].forest = names[i];
        target[i].host = hosts[0];
    }
    for (size_t r = 0; r < sizeof rounds / sizeof rounds[0]; r++) {
        read.forest = forests + rounds[r].first;
        read.n_forest = rounds[r].count;
        pki_must(umx_fleet_set_proofs(controller.fleet, &read, targets + rounds[r].first, rounds[r].count, NULL, NULL));
        const Umx__ToAgent *message = hear(&one, UMX__TO_AGENT__MESSAGE_WELCOME);
        assert_non_null(message);
        assert_int_equal(message->welcome->n_proof, 3);
        for (int i = 0; i < 3; i++) {
            assert_string_equal(message->welcome->proof[i]->forest, names[i]);
            assert_string_equal(message->welcome->proof[i]->host, rounds[r].hosts[i]);
            target[i].host = hosts[1];
        }
    }
    /* A forest that did not answer was not read, and what was known of it before is tried still. */
    forest[0].error = gone;
    target[0].host = hosts[0];
    read.forest = forests;
    read.n_forest = 1;
    pki_must(umx_fleet_set_proofs(controller.fleet, &read, targets, 0, NULL, NULL));
    forest[0].error = NULL;
    pki_must(umx_fleet_set_proofs(controller.fleet, &read, targets, 0, NULL, NULL));
    const Umx__ToAgent *message = hear(&one, UMX__TO_AGENT__MESSAGE_WELCOME);
    assert_non_null(message);
    assert_int_equal(message->welcome->n_proof, 2); /* only the second of the two changed anything */
}

enum { SERVERS = UMX_FLEET_PROOFS_MAX + 10, NAME_MAX_LENGTH = 240 };

/* Tells the agents of so many servers, with names of this length, and of one directory after them; the proofs that
 * nobody tries. */
static const Umx__ToAgent *tell(size_t name_length, struct umx_world *left_out)
{
    static char names[SERVERS][NAME_MAX_LENGTH + 1], first[] = "contoso.test", last[] = "z.test";
    static Umx__ProofTarget target[SERVERS + 1], *targets[SERVERS + 1];
    Umx__Forest forest = UMX__FOREST__INIT, *forests[] = {&forest};
    Umx__World read = UMX__WORLD__INIT;

    forest.forest = first;
    read.forest = forests;
    read.n_forest = 1;
    for (size_t i = 0; i <= SERVERS; i++) {
        targets[i] = &target[i];
        umx__proof_target__init(&target[i]);
        target[i].has_kind = 1;
        target[i].kind = i < SERVERS ? UMX__PROOF__KIND__TLS : UMX__PROOF__KIND__DIRECTORY;
        target[i].forest = i < SERVERS ? first : last;
        if (i == SERVERS)
            break;
        memset(names[i], 'a', name_length);
        snprintf(names[i] + name_length - 6, 7, "%06zu", i);
        target[i].host = names[i];
        target[i].has_port = 1;
        target[i].port = 5061;
    }
    pki_must(umx_fleet_set_proofs(controller.fleet, &read, targets, SERVERS + 1, left_out, NULL));
    return hear(&one, UMX__TO_AGENT__MESSAGE_WELCOME);
}

/* A message takes so much; the directories come first, and what is too much is told as proofs that nobody tries. */
static void too_many_targets_are_no_secret(void **state)
{
    struct umx_world *left_out = umx_world_new(umx_clock_now());
    const Umx__World *untried = umx_world_records(left_out);
    char detail[32];

    (void)state;
    const Umx__ToAgent *message = tell(16, left_out);
    assert_non_null(message);
    assert_int_equal(message->welcome->n_proof, UMX_FLEET_PROOFS_MAX);
    assert_int_equal(message->welcome->proof[0]->kind, UMX__PROOF__KIND__DIRECTORY);
    assert_int_equal(untried->n_proof, SERVERS + 1 - UMX_FLEET_PROOFS_MAX);
    const Umx__Proof *proof = untried->proof[untried->n_proof - 1];
    assert_int_equal(proof->status, UMX__PROOF__STATUS__UNKNOWN);
    assert_string_equal(proof->server, "controller");
    assert_string_equal(proof->source, UMX_FLEET_LEFT_OUT);
    assert_string_equal(proof->target_forest, "contoso.test");
    assert_string_equal(strchr(proof->target, ':'), ":5061");
    snprintf(detail, sizeof detail, "%d targets", UMX_FLEET_PROOFS_MAX);
    assert_non_null(strstr(proof->detail, detail));
    /* A longer message would end the stream. */
    message = tell(NAME_MAX_LENGTH, NULL);
    assert_non_null(message);
    assert_in_range(message->welcome->n_proof, 800, UMX_FLEET_PROOFS_MAX - 1);
    umx_world_free(left_out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(newer_reports_take_the_place, open_fleet, close_fleet),
        cmocka_unit_test_setup_teardown(too_many_targets_are_no_secret, open_fleet, close_fleet),
        cmocka_unit_test_setup_teardown(digests_spare_the_rows, open_fleet, close_fleet),
        cmocka_unit_test_setup_teardown(who_says_too_much_is_read_slowly, open_fleet, close_fleet),
        cmocka_unit_test_setup_teardown(renewals_are_bounded, open_fleet, close_fleet),
        cmocka_unit_test_setup_teardown(targets_of_unread_forests_stay, open_fleet, close_fleet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
