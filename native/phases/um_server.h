/*
 * UM servers of an Exchange forest as phases 2, 4 and 5 see them: each server has one or two services that answer Lync
 * (spec 6.4, 6.5), each with an object in the directory that holds its startup mode, its certificate and its dial
 * plans.
 */
#ifndef UMX_PHASES_UM_SERVER_H
#define UMX_PHASES_UM_SERVER_H

#include "phases/phase.h"

/* Bits of msExchCurrentServerRoles (4.6). */
enum { UMX_ROLE_CAFE = 1, UMX_ROLE_MAILBOX = 2, UMX_ROLE_UM = 16 };

/* Values of msExchUMStartupMode (6.2). */
enum { UMX_MODE_TCP = 0, UMX_MODE_TLS = 1, UMX_MODE_DUAL = 2 };

/* Values of msExchUMServerStatus (4.6). */
enum { UMX_UM_ENABLED = 0, UMX_UM_DISABLED = 1 };

struct umx_um_end {
    const Umx__ExchangeServer *server;
    const char *fqdn;
    const char *service;             /* MSExchangeUM or MSExchangeUMCR */
    const char *certificate_service; /* UM or UMCallRouter, as Enable-ExchangeCertificate names it */
    const char *generation;          /* 2007, 2010, 2013, 2016 */
    bool router;
    bool has_mode;                   /* the version has a startup mode of its own: not 2007 */
    const char *dn;                  /* of the object; NULL: the server has none (a call router never set up) */
    const ProtobufCBinaryData *guid; /* NULL: not read */
    bool mode_set;                   /* the attribute is there */
    int mode;
    const char *thumbprint; /* of the certificate that the directory says is bound, NULL or "": none */
    char *const *dial_plan;
    size_t dial_plan_count;
    bool has_changed_at;
    int64_t changed_at;
    int32_t port; /* TLS: what the shell says, or the default of 6.4 */
};

/* All of a forest in the order of the world, in the arena; NULL when it is full. */
const struct umx_um_end *umx_um_ends(const Umx__World *world, const char *forest, struct umx_arena *arena,
                                     size_t *count);

/* "exmbx1.exchange.test MSExchangeUM", as targets of findings are named. */
const char *umx_um_name(struct umx_findings *out, const struct umx_um_end *end);
const char *umx_um_mode_word(int mode);

bool umx_um_linked(const struct umx_um_end *end, const Umx__DialPlan *plan);
bool umx_um_is_sip(const Umx__DialPlan *plan);

/* The next SIP dial plan of the forest from *at on. */
const Umx__DialPlan *umx_um_next_plan(const Umx__World *world, const char *forest, size_t *at);

/* An agent that has told of the server and is connected. */
bool umx_agent_connected(const Umx__World *world, const char *server);

/* A DC's and a server's clock minus the controller's. */
int64_t umx_forest_clock(const Umx__World *world, const char *forest);
int64_t umx_server_clock(const Umx__World *world, const char *server);

/* Whether the service runs with what its object says (V5.6, F2.4): started after the object's last change, and no event
 * 1419 (restart needed) since. why is a text for `actual`. */
enum umx_um_fresh { UMX_UM_FRESH, UMX_UM_STALE, UMX_UM_STOPPED, UMX_UM_UNKNOWN };
enum umx_um_fresh umx_um_fresh(const struct umx_view *view, const struct umx_um_end *end, struct umx_findings *out,
                               const char **why);

/* Sets the startup mode to Dual where it must be set: absent, TCP, or TLS while an unsecured plan is linked (6.2). The
 * step's id, NULL: nothing to do. */
const char *umx_um_plan_mode(const struct umx_view *view, const char *slug, const struct umx_um_end *end,
                             struct umx_steps *out);
/* Why the mode has to change, or NULL; *warn: it works and is not what is recommended. */
const char *umx_um_mode_fault(const struct umx_view *view, const struct umx_um_end *end, bool *warn);

/* A list option FQDN,...: whether it names the server. */
bool umx_um_named(const struct umx_options *options, const char *slug, const char *key, const char *fqdn);
/* The option's value is a list of names. */
int umx_um_valid_names(const char *option, const char *value, struct umx_error *err);

#endif
