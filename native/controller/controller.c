#include "controller/controller.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/reflect.h"
#include "controller/authority.h"
#include "controller/ca.h"
#include "controller/control.h"
#include "controller/data_owner.h"
#include "controller/engine.h"
#include "controller/engine_ports.h"
#include "controller/enrolment.h"
#include "controller/fleet.h"
#include "controller/forests.h"
#include "controller/issue.h"
#include "controller/login.h"
#include "controller/observer.h"
#include "controller/operation.h"
#include "controller/refusals.h"
#include "controller/updates.h"
#include "store/journal_file.h"
#include "store/state.h"

enum { CALL_THREADS = 32, ISSUE_MAX = 64 * 1024 };
#define STOP_GRACE (5 * UMX_SECOND)

static int open_engine(struct umx_controller *controller, struct umx_error *err)
{
    const struct umx_config *config = controller->config;
    struct umx_engine_forest forests[UMX_MAX_FORESTS];
    struct umx_engine_options options = {.deployment = controller->deployment,
                                         .actor = controller->identity,
                                         .policy = config->approval,
                                         .forests = forests,
                                         .forest_count = config->forest_count,
                                         .undo_cover = config->undo_hours * UMX_HOUR};

    for (size_t i = 0; i < config->forest_count; i++) {
        forests[i] = (struct umx_engine_forest){.name = config->forests[i].name, .side = config->forests[i].side};
    }
    return umx_engine_open(controller->journal, umx_controller_ports(controller), &options, &controller->engine, err);
}

static int open_listeners(struct umx_controller *controller, struct umx_error *err)
{
    const struct umx_config *config = controller->config;
    const struct umx_rpc_tls *tls = umx_authority_tls(controller->authority);
    const struct umx_rpc_method attach = {.path = "/umx.v1.Agents/Attach", .stream = umx_fleet_handler};
    const struct umx_rpc_method run[] = {
        {.path = "/umx.v1.Operators/Run",
         .call = {.serve = umx_operation_serve, .user = controller},
         .authenticated = true},
        {.path = "/umx.v1.Operators/Issue",
         .call = {.serve = umx_issue_serve, .user = controller},
         .max_request = ISSUE_MAX},
    };
    struct umx_rpc_method methods[] = {attach};
    struct umx_rpc_server_options agents = {.address = config->agents,
                                            .tls = *tls,
                                            .require_certificate = true,
                                            .max_message = UMX_MAX_AGENT_MESSAGE,
                                            .methods = methods,
                                            .method_count = 1,
                                            .handshake_timeout = config->handshake_timeout,
                                            .refused = umx_refusals_hear,
                                            .refused_user = controller->refusals};
    struct umx_rpc_server_options operators = {.address = config->operators,
                                               .tls = *tls,
                                               .require_certificate = false,
                                               .max_message = UMX_MAX_OPERATOR_MESSAGE,
                                               .threads = CALL_THREADS,
                                               .methods = run,
                                               .method_count = 2,
                                               .handshake_timeout = config->handshake_timeout,
                                               .refused = umx_refusals_hear,
                                               .refused_user = controller->refusals};

    methods[0].stream.user = controller->fleet;
    umx_rpc_limit_connections(config->connections_per_address);
    int status = umx_rpc_server_start(&agents, &controller->agents, err);
    if (status == 0)
        status = umx_rpc_server_start(&operators, &controller->operators, err);
    return status;
}

/* A broken journal does not keep the controller from serving: it can be read, and adding to it is the journal's own
 * decision. */
static int check_journal(struct umx_controller *controller, struct umx_error *err)
{
    struct umx_journal_head kept = {0};
    int64_t entries;
    int64_t first_bad = 0;
    int status = umx_state_kept_head(controller->state, &kept, err);

    if (status == 0)
        status = umx_journal_verify(controller->journal, kept.sequence > 0 ? &kept : NULL, &entries, &first_bad, err);
    controller->journal_intact = status == 0 && first_bad == 0;
    if (status == 0 && first_bad != 0) {
        struct umx_error broken = {0};
        umx_fail(&broken, UMX_ERR_JOURNAL_BROKEN, "journal.db", "from entry %lld on", (long long)first_bad);
        umx_log_error("controller", &broken);
    }
    return status;
}

static int open_all(struct umx_controller *controller, const char *config_path, struct umx_error *err)
{
    struct umx_text state = {0};
    struct umx_text journal = {0};
    int status = umx_config_load(config_path, &controller->config, err);

    if (status != 0)
        return status;
    const char *data = controller->config->data;
    umx_text_addf(&state, "%s/state.db", data);
    umx_text_addf(&journal, "%s/journal.db", data);
    status = umx_authority_open(data, &controller->authority, err);
    if (status == 0) {
        umx_text_copy(controller->deployment, sizeof controller->deployment,
                      umx_authority_deployment(controller->authority));
        umx_text_copy(controller->identity, sizeof controller->identity, umx_authority_identity(controller->authority));
        status = umx_state_open(umx_text_string(&state), &controller->state, err);
    }
    if (status == 0)
        status = umx_journal_open(umx_text_string(&journal), &controller->journal, err);
    if (status == 0)
        status = check_journal(controller, err);
    if (status == 0)
        status = umx_refusals_open(controller, &controller->refusals, err);
    if (status == 0)
        status = umx_login_prepare(controller, err);
    if (status == 0)
        status = umx_forests_open(controller->config, &controller->forests, err);
    if (status == 0)
        status = umx_enrolment_open(controller, &controller->enrolment, err);
    if (status == 0)
        status = umx_updates_open(controller, &controller->updates, err);
    if (status == 0)
        status = umx_fleet_open(controller, &controller->fleet, err);
    if (status == 0)
        status = umx_enrolment_start(controller->enrolment, err);
    if (status == 0)
        status = umx_observer_open(controller, &controller->observer, err);
    if (status == 0)
        status = open_engine(controller, err);
    if (status == 0)
        status = open_listeners(controller, err);
    if (status == 0)
        status = umx_updates_start(controller->updates, err);
    if (status == 0)
        status = umx_control_open(controller, &controller->control, err);
    if (status == 0)
        status = umx_ca_start(controller, &controller->ca, err);
    if (status == 0)
        status = umx_observer_start(controller->observer, err);
    umx_text_free(&state);
    umx_text_free(&journal);
    return status;
}

void umx_controller_keep_head(struct umx_controller *controller)
{
    struct umx_journal_head head;
    struct umx_error err = {0};

    if (!controller->journal_intact)
        return;
    umx_journal_head(controller->journal, &head);
    if (umx_state_keep_head(controller->state, &head, &err) != 0)
        umx_log_error("controller", &err);
}

/* In the reverse order: nobody new comes in, what runs ends at a boundary, then the files close. */
static void close_all(struct umx_controller *controller)
{
    umx_control_close(controller->control);
    umx_forests_hurry(controller->forests, STOP_GRACE);
    umx_fleet_hurry(controller->fleet);
    umx_updates_stop(controller->updates);
    umx_ca_stop(controller->ca);
    umx_rpc_server_stop(controller->operators, STOP_GRACE);
    umx_rpc_server_stop(controller->agents, STOP_GRACE);
    umx_engine_close(controller->engine);
    umx_enrolment_stop(controller->enrolment);
    umx_refusals_close(controller->refusals);
    if (controller->journal != NULL && controller->state != NULL)
        umx_controller_keep_head(controller);
    umx_observer_close(controller->observer);
    umx_fleet_close(controller->fleet);
    umx_enrolment_close(controller->enrolment);
    umx_forests_close(controller->forests);
    umx_updates_close(controller->updates);
    umx_journal_close(controller->journal);
    umx_state_close(controller->state);
    umx_authority_close(controller->authority);
    if (controller->config != NULL)
        umx_data_owner_keep(controller->config->data);
    umx_config_free(controller->config);
}

/* Until a signal to end. Agents that come and go leave holes in the heaps of many threads, which the C library keeps:
 * what nobody uses goes back to the system each minute. */
static int wait_for_signal(const sigset_t *signals)
{
    static const struct timespec minute = {.tv_sec = 60};

    for (;;) {
        int signal = sigtimedwait(signals, NULL, &minute);
        if (signal > 0)
            return signal;
#ifdef __GLIBC__
        malloc_trim(0);
#endif
    }
}

int umx_controller_run(const char *config_path, struct umx_error *err)
{
    struct umx_controller controller = {0};
    sigset_t signals;

    /* Blocked before any thread is made, so that all of them inherit it and only sigwait sees them. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    umx_rpc_begin();
    int status = open_all(&controller, config_path, err);
    if (status == 0) {
        umx_log(UMX_LOG_INFO, "controller", "%s serves agents on %s and operators on %s", controller.deployment,
                controller.config->agents, controller.config->operators);
        umx_log(UMX_LOG_INFO, "controller", "signal %d: stopping", wait_for_signal(&signals));
    }
    close_all(&controller);
    umx_rpc_end();
    return status;
}
