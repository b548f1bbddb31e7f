/* Proofs in threads: a thread that is past its deadline is left to end by itself, and what it finds out then goes
 * nowhere. Nothing is killed inside the process. */
#include <process.h>
#include <stdlib.h>
#include <windows.h>

#include "agent/collect/prove.h"
#include "base/clock.h"

struct attempt {
    LONG references; /* the thread and the waiter */
    struct umx_arena *arena;
    struct umx_host *host;
    const Umx__ProofTarget *target; /* a copy */
    struct umx_proof_result result;
};

static void release(struct attempt *attempt)
{
    if (InterlockedDecrement(&attempt->references) > 0)
        return;
    umx_arena_free(attempt->arena);
    free(attempt);
}

static unsigned __stdcall run(void *user)
{
    struct attempt *attempt = user;

    umx_prove(attempt->host, attempt->target, umx_prove_timeout(attempt->target), &attempt->result);
    release(attempt);
    return 0;
}

static struct attempt *new_attempt(struct umx_host *host, const Umx__ProofTarget *target)
{
    struct attempt *attempt = calloc(1, sizeof *attempt);

    if (attempt == NULL)
        return NULL;
    attempt->references = 1;
    attempt->host = host; /* it lives as long as the program */
    attempt->arena = umx_arena_new(64 * 1024);
    attempt->target = attempt->arena != NULL ? umx_reflect_copy(&target->base, attempt->arena) : NULL;
    if (attempt->target == NULL) {
        release(attempt);
        return NULL;
    }
    return attempt;
}

/* One proof within its deadline. */
static int prove(struct umx_collect *collect, const Umx__ProofTarget *target, struct umx_error *err)
{
    struct umx_proof_result late = {.objects = -1};
    struct attempt *attempt = new_attempt(collect->host, target);
    int64_t begin = umx_clock_monotonic();

    if (attempt == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "proof", NULL);
    InterlockedIncrement(&attempt->references);
    HANDLE thread = (HANDLE)_beginthreadex(NULL, 0, run, attempt, 0, NULL);
    if (thread == NULL) {
        release(attempt);
        release(attempt);
        return umx_fail(err, UMX_ERR_PROOF_FAILED, "proof", "no thread can be started");
    }
    bool ended = WaitForSingleObject(thread, (DWORD)(umx_prove_timeout(target) / UMX_MILLISECOND)) == WAIT_OBJECT_0;
    CloseHandle(thread);
    if (!ended)
        umx_prove_say(&late, UMX__PROOF__STATUS__UNKNOWN, "no answer within %d s",
                      (int)(umx_prove_timeout(target) / UMX_SECOND));
    umx_prove_row(collect->rows, collect->host, target, ended ? &attempt->result : &late,
                  umx_clock_monotonic() - begin);
    release(attempt);
    return 0;
}

int umx_prove_all(struct umx_collect *collect, struct umx_error *err)
{
    for (size_t i = 0; i < collect->target_count; i++) {
        if (collect->stop != NULL && atomic_load(collect->stop))
            return umx_fail(err, UMX_ERR_CANCELLED, "proof", "the agent ends");
        int status = prove(collect, collect->targets[i], err);
        if (status != 0)
            return status;
    }
    return 0;
}

/* Child processes are the other systems' way. */
int umx_prove_child(void)
{
    return UMX_E_UNSUPPORTED;
}
