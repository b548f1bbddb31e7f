/*
 * Updates on the agent's side: takes what the controller offers, into STATE/update, and leaves the rest to the updater
 * (updater.h). What it says to the controller follows from where it stands; it is said again until it was taken.
 *
 * The session's thread owns it.
 */
#ifndef UMX_AGENT_UPDATE_H
#define UMX_AGENT_UPDATE_H

#include "agent/updater.h"
#include "umx/v1/agent.pb-c.h"

struct umx_update {
    const struct umx_agent_config *config;
    char *keys;             /* PEM; NULL: the agent takes no updates */
    char id[UMX_UPDATE_ID]; /* of the offer; "": none */
    struct umx_release release;
    int trial;
    bool downgrade;
    int64_t have; /* bytes of the package */
    int spoiled;  /* packages that were complete and not the one that was signed */
    bool staged;
    struct umx_error refused; /* status 0: it is not */
    bool tell;                /* there is something to say */
    uint64_t stamp;           /* of the updater's status */
    uint64_t unread;          /* that of one which could not be read */
    int64_t woken_at;         /* wall clock: the updater was seen at work, or woken */
    struct umx_updater_status updater;
    char words[2][UMX_UPDATE_REASON]; /* of the last umx_update_say */
};

/* A release key that cannot be read is an error; no updates are taken then. */
int umx_update_begin(struct umx_update *update, const struct umx_agent_config *config, struct umx_error *err);
void umx_update_end(struct umx_update *update);

/* What the Hello says; NULL: no updates. */
const char *umx_update_kind(const struct umx_update *update);

/* A stream began: what is known is said again. */
void umx_update_attached(struct umx_update *update);
/* Looks at what the updater has done, and wakes it where nothing has gone on for minutes; cheap. */
void umx_update_look(struct umx_update *update);
void umx_update_offer(struct umx_update *update, const Umx__UpdateOffer *offer);
void umx_update_part(struct umx_update *update, const Umx__UpdatePart *part);
void umx_update_confirm(struct umx_update *update, const Umx__UpdateConfirm *confirm);

/* Fills what is to be said; false: nothing. Points into update. */
bool umx_update_say(struct umx_update *update, Umx__UpdateState *out);
/* The stream took it. */
void umx_update_said(struct umx_update *update);

#endif
