#include "rpc/begin.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "rpc/platform.h"
#include "rpc/rpc.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int users;
static atomic_bool counting;
static _Atomic int64_t refused;

/* gRPC has no other way to tell of a refused handshake than this line of its server. */
static bool is_refusal(const gpr_log_func_args *args)
{
    return strstr(args->file, "chttp2_server.cc") != NULL && strstr(args->message, "Handshaking failed") != NULL;
}

/* A guest in somebody's process writes nothing by itself: gRPC's lines go to our log, as details. */
static void on_log(gpr_log_func_args *args)
{
    if (is_refusal(args)) {
        atomic_fetch_add(&refused, 1);
        umx_log(UMX_LOG_DEBUG, "rpc", "handshake refused: %s", args->message);
    } else if (args->severity == GPR_LOG_SEVERITY_ERROR) {
        umx_log(UMX_LOG_DEBUG, "grpc", "%s", args->message);
    }
}

void umx_rpc_begin(void)
{
    struct umx_rpc_mask before;

    pthread_mutex_lock(&mutex);
    if (users++ == 0) {
        umx_rpc_mask(&before);
        umx_rpc_tune();
        gpr_set_log_function(on_log);
        gpr_set_log_verbosity(atomic_load(&counting) ? GPR_LOG_SEVERITY_DEBUG : GPR_LOG_SEVERITY_ERROR);
        grpc_init();
        umx_rpc_hold();
        umx_rpc_unmask(&before);
    }
    pthread_mutex_unlock(&mutex);
}

void umx_rpc_end(void)
{
    struct umx_rpc_mask before;

    pthread_mutex_lock(&mutex);
    if (users > 0 && --users == 0) {
        umx_rpc_mask(&before);
        umx_rpc_let_go();
        grpc_shutdown();
        umx_rpc_unmask(&before);
    }
    pthread_mutex_unlock(&mutex);
}

void umx_rpc_count_refusals(void)
{
    atomic_store(&counting, true);
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_DEBUG);
}

int64_t umx_rpc_refusals(void)
{
    return atomic_load(&refused);
}
