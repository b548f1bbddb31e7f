/*
 * Restarts that several phases of one plan need once (spec 1.14): a phase asks for the restart of a service after steps
 * of its own, and the fold adds the steps when no later phase of the plan can ask for the same kind any more.
 * Everything rolls: one UM server of a forest at a time (no calls, restart, running and listening), one Front End of a
 * pool at a time (the pool says ready, drain and restart, running and listening).
 */
#ifndef UMX_PHASES_RESTART_H
#define UMX_PHASES_RESTART_H

#include "phases/phase.h"

#define UMX_SERVICE_UM "MSExchangeUM"
#define UMX_SERVICE_ROUTER "MSExchangeUMCR"
#define UMX_SERVICE_FRONT_END "RTCSRV"

enum { UMX_REPLICATION_TIMEOUT = 1800, UMX_CALL_WAIT = 1800, UMX_SIP_TLS_PORT = 5061 };

enum umx_restart_kind { UMX_RESTART_UM, UMX_RESTART_FRONT_END };

/* A service that must start again; in the arena of the steps. */
struct umx_restart {
    enum umx_restart_kind kind;
    const char *slug;   /* of the phase that asked last: its groups approve the steps, it is done with that phase */
    const char *others; /* phases that asked before, for people; "": none */
    const char *forest;
    const char *pool;    /* Front Ends: the pool; UM: NULL */
    const char *server;  /* NULL: the pool's Front Ends are not known, a gate speaks of the pool */
    const char *service; /* MSExchangeUM, MSExchangeUMCR, RTCSRV */
    int32_t port;        /* where it listens for TLS when it is back; 0: it does not */
    bool done;
    char **after; /* ids of the steps that it follows */
    size_t after_count;
};

/* Asks; asking again for the same service adds what it must follow. after NULL: nothing. port 0 leaves a port that was
 * asked for before. */
void umx_restart_ask_um(struct umx_steps *out, const char *slug, const char *forest, const char *server,
                        const char *service, int32_t port, const char *after);
void umx_restart_ask_front_end(struct umx_steps *out, const char *slug, const char *forest, const char *pool,
                               const char *server, const char *after);

/* Steps of all restarts of the kind that were asked for. */
void umx_restart_add(const Umx__World *world, const struct umx_options *options, enum umx_restart_kind kind,
                     struct umx_steps *out);

/* Whether a phase can ask for the kind: the fold adds the restarts after the last phase of a plan that can. */
bool umx_restart_asks(const struct umx_phase *phase, enum umx_restart_kind kind);

/* A wait until the other domain controllers of the forest have the directory writes among the steps from first to
 * last; the id, or NULL when there are none. One wait of a phase is enough: it is found again. */
const char *umx_restart_replication(struct umx_steps *out, const char *slug, const char *forest, size_t first,
                                    size_t last);

/* A number of seconds or days of an option, 1 to most. */
int umx_option_number(const char *name, const char *value, int32_t most, struct umx_error *err);

#endif
