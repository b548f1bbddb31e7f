/*
 * Updates of the agents: keeps the package (DATA/updates/ID), journals what happens, and drives rollout.h with the
 * fleet from a thread of its own. One update at a time.
 */
#ifndef UMX_CONTROLLER_UPDATES_H
#define UMX_CONTROLLER_UPDATES_H

#include "base/arena.h"
#include "base/release.h"
#include "controller/controller.h"
#include "umx/v1/operator.pb-c.h"

struct umx_updates;

enum { UMX_UPDATES_PART = 128 * 1024 }; /* bytes in one message */

/* Folds the journal: what was under way goes on when it is started. */
int umx_updates_open(struct umx_controller *controller, struct umx_updates **out, struct umx_error *err);
/* Uses the controller's fleet. */
int umx_updates_start(struct umx_updates *updates, struct umx_error *err);
void umx_updates_stop(struct umx_updates *updates);  /* before the fleet closes; NULL is allowed */
void umx_updates_close(struct umx_updates *updates); /* NULL is allowed */

/* Begins one. The id in the arena. UMX_ERR_UPDATE_UNDER_WAY, UMX_ERR_UPDATE_ARGUMENT, UMX_ERR_RELEASE_... */
int umx_updates_begin(struct umx_updates *updates, const Umx__AgentsUpdateArguments *arguments, const char *actor,
                      struct umx_arena *arena, char **id, struct umx_error *err);

/* PAUSED, RESUMED (after a pause or a halt) or STOPPED. UMX_ERR_UPDATE_NONE. */
int umx_updates_decide(struct umx_updates *updates, Umx__FleetUpdate__Event event, const char *actor,
                       struct umx_error *err);

/* What `umx agents update status` says; everything lives in the arena. */
struct umx_updates_view {
    const char *state; /* "none": there never was one */
    const char *id;
    const char *version;
    const char *author;
    const char *reason;
    const char *sha256; /* of the package */
    int64_t begun_at;
    int32_t wave; /* from 1 */
    int32_t waves;
    Umx__AgentUpdate **servers;
    size_t count;
};
int umx_updates_view(struct umx_updates *updates, struct umx_arena *arena, struct umx_updates_view *out,
                     struct umx_error *err);

/* The release that the controller was given last, whatever became of its update; everything lives in the arena. */
struct umx_updates_held {
    struct umx_release release;
    const char *text;  /* as it was signed */
    const char *path;  /* of the package */
    const char *state; /* of its update: umx_rollout_word */
};
/* UMX_ERR_PACKAGE_NONE: there never was one. */
int umx_updates_held(struct umx_updates *updates, struct umx_arena *arena, struct umx_updates_held *out,
                     struct umx_error *err);

/* Bytes of the package of an update that is under way, from an offset on; how many, 0: none. Any thread. */
size_t umx_updates_part(struct umx_updates *updates, const char *id, int64_t offset, uint8_t part[UMX_UPDATES_PART]);

#endif
