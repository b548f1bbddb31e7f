/*
 * The updater: `umx-agent apply`, run with the rights to install (by umx-agent-update.service; on Windows by the
 * service of that name), when the agent has staged a package. The agent itself can install nothing.
 *
 * It trusts nobody but the release key that its configuration names: it copies the staged package into a folder of its
 * own, verifies signature, size, digest, platform and version there, keeps the version that is installed, installs the
 * new one, and waits until the controller has confirmed it (through the new agent). When that does not happen in time
 * it returns to the version before by itself, whatever the controller or the new agent do.
 *
 * How far it has come stands in UPDATER/status, which the agent reads; an updater that was killed goes on from there.
 *
 *   STATE/update/    (the agent's)    request, release, package; confirmed
 *   UPDATER/         (the updater's)  status, release, package.KIND, previous.KIND, updater, on Windows
 *                                    updater.exe (a copy of the old program), update.log
 */
#ifndef UMX_AGENT_UPDATER_H
#define UMX_AGENT_UPDATER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/config.h"
#include "base/release.h"

enum {
    UMX_UPDATE_ID = 33,
    UMX_UPDATE_REASON = 256,
    UMX_UPDATE_TRIAL_MIN = 1,
    UMX_UPDATE_TRIAL_MAX = 86400,
    UMX_UPDATE_TRIAL = 600, /* seconds when nothing else is asked for */
};

enum umx_updater_state {
    UMX_UPDATER_NONE,
    UMX_UPDATER_TAKEN,      /* copied and verified; nothing was changed */
    UMX_UPDATER_INSTALLING, /* the version before is kept */
    UMX_UPDATER_TRIAL,
    UMX_UPDATER_RETURNING,
    /* ends */
    UMX_UPDATER_INSTALLED,
    UMX_UPDATER_RETURNED,
    UMX_UPDATER_REFUSED,
    UMX_UPDATER_FAILED, /* returning failed too, for hours; or the agent was removed meanwhile */
};

struct umx_updater_status {
    enum umx_updater_state state;
    char id[UMX_UPDATE_ID];
    char version[UMX_RELEASE_WORD];
    char previous[UMX_RELEASE_WORD]; /* version that asked for it to be installed */
    int trial;                       /* seconds */
    int64_t until;                   /* wall clock: end of the trial, or of the attempts to return */
    int error;                       /* enum umx_error_id of REFUSED, 0 otherwise */
    char reason[UMX_UPDATE_REASON];  /* of RETURNING, RETURNED, REFUSED and FAILED */
};

/* What the agent asks for. */
struct umx_updater_request {
    char id[UMX_UPDATE_ID];
    int trial;
    bool downgrade;
};

/* Where and by what, when the configuration does not say. */
extern const char *const umx_updater_folder;
extern const char *const umx_updater_installer;

/* One run: takes up what was left unfinished or is requested; 0 when there is nothing (any more) to do, also when an
 * update was refused or returned. *stop ends it between two steps; the next run goes on. */
int umx_updater_run(const struct umx_agent_config *config, const atomic_bool *stop, struct umx_error *err);

/* ---- the files. A file that is missing or damaged is NONE, or false. */
int umx_updater_status_read(const char *folder, struct umx_updater_status *out, struct umx_error *err);
int umx_updater_status_write(const char *folder, const struct umx_updater_status *status, struct umx_error *err);
bool umx_updater_request_parse(const char *text, struct umx_updater_request *out);
bool umx_updater_id_valid(const char *id);

/* ---- what differs between systems (updater_posix.c, updater_windows.c) */

/* A plain file in STATE/update, which its owner may have prepared to betray us: no link is followed, nothing blocks.
 * NULL: errno says why. */
FILE *umx_updater_open(const char *state, const char *name);
void umx_updater_remove(const char *state, const char *name);

enum umx_updater_verb {
    UMX_UPDATER_KEEP,    /* keeps what is installed in the file */
    UMX_UPDATER_INSTALL, /* installs the file and lets the agent begin anew */
    UMX_UPDATER_RETURN   /* installs the kept file, in the place of whatever is there */
};
/* UMX_ERR_UPDATE_INSTALLER: it failed, or took too long. Another installation that is at work is waited for, until stop
 * or for an hour at most; UMX_ERR_CANCELLED: nothing was installed. */
int umx_updater_install(const struct umx_agent_config *config, enum umx_updater_verb verb, const char *path,
                        const char *version, const atomic_bool *stop, struct umx_error *err);
/* The program that runs now, as a file that an installation does not replace: of this name in the updater's folder. */
extern const char *const umx_updater_self;
int umx_updater_keep_self(const char *path, struct umx_error *err);
/* The updater's folder is there, which others read and nobody else writes. *alone: no other updater works in it, which
 * has to be true before anything is done; until umx_updater_end it stays so. */
int umx_updater_begin(const char *folder, bool *alone, struct umx_error *err);
/* False: somebody has removed the agent from this system, where that does not end the updater by itself. */
bool umx_updater_registered(void);
/* left: an update that is not at its end. The system takes care that the updater runs again. */
void umx_updater_end(bool left);
/* Refuses a file that others than administrators could have changed, where the system does not see to that. */
int umx_updater_believe(const char *path, struct umx_error *err);
/* Asks the system to run the updater, where nothing watches for requests. */
void umx_updater_wake(void);

#endif
