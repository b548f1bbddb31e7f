/*
 * A controller as far as enrolment needs one: an authority, a journal, a state and a fleet in a directory of its own.
 */
#ifndef UMX_TESTS_UNIT_ENROLMENT_H
#define UMX_TESTS_UNIT_ENROLMENT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/token.h"
#include "controller/authority.h"
#include "controller/enrolment.h"
#include "controller/fleet.h"
#include "pki.h"
#include "store/journal_file.h"
#include "store/state.h"

#define OLGA "umx://lab/operator/S-1-5-21-1-2-3-1104"

static char directory[64];
static struct umx_config config;
static struct umx_controller controller;
static char contoso[] = "contoso.test";
static char child[] = "emea.contoso.test";
static char lync[] = "lync.test";

static inline const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static inline void open_registry(void)
{
    pki_must(umx_authority_open(directory, &controller.authority, NULL));
    pki_must(umx_state_open(path_of("state.db"), &controller.state, NULL));
    pki_must(umx_journal_open(path_of("journal.db"), &controller.journal, NULL));
    pki_must(umx_enrolment_open(&controller, &controller.enrolment, NULL));
    pki_must(umx_fleet_open(&controller, &controller.fleet, NULL));
}

static inline void close_registry(void)
{
    umx_fleet_close(controller.fleet);
    umx_enrolment_close(controller.enrolment);
    umx_journal_close(controller.journal);
    umx_state_close(controller.state);
    umx_authority_close(controller.authority);
    controller.fleet = NULL;
    controller.enrolment = NULL;
}

/* As after a restart: everything that counts is in the files. */
static inline void reopen(void)
{
    close_registry();
    open_registry();
}

static inline int set_up(void **state)
{
    static const char *const names[] = {"127.0.0.1"};

    (void)state;
    snprintf(directory, sizeof directory, "/tmp/umx-enrolment-XXXXXX");
    assert_non_null(mkdtemp(directory));
    pki_must(umx_authority_init(directory, "lab", names, 1, NULL));
    config = (struct umx_config){.forest_count = 3, .report_interval = 300};
    config.forests[0].name = contoso;
    config.forests[1].name = lync;
    config.forests[2].name = child;
    controller = (struct umx_controller){.config = &config, .deployment = "lab"};
    umx_text_copy(controller.identity, sizeof controller.identity, "umx://lab/controller/test");
    open_registry();
    return 0;
}

static inline int tear_down(void **state)
{
    char command[128];

    (void)state;
    umx_clock_set(0);
    close_registry();
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command); /* NOLINT: a test's own directory */
}

/* A token for a server or, with a star, a pattern. */
static inline void make_token(const char *name, const char *forest, int uses, int64_t expires_at,
                              char text[UMX_TOKEN_TEXT], char id[UMX_TOKEN_ID + 1])
{
    Umx__TokenCreateArguments arguments = UMX__TOKEN_CREATE_ARGUMENTS__INIT;
    struct umx_arena *arena = umx_arena_new(65536);
    Umx__Token *token = NULL;
    char host[256], where[256];

    umx_text_copy(host, sizeof host, name);
    umx_text_copy(where, sizeof where, forest);
    *(strchr(name, '*') != NULL ? &arguments.pattern : &arguments.server) = host;
    arguments.forest = where;
    arguments.has_uses = uses != 0;
    arguments.uses = uses;
    arguments.has_expires_at = expires_at != 0;
    arguments.expires_at = expires_at;
    pki_must(umx_enrolment_create_token(controller.enrolment, &arguments, OLGA, arena, &token, NULL));
    umx_text_copy(text, UMX_TOKEN_TEXT, token->token);
    if (id != NULL)
        umx_text_copy(id, UMX_TOKEN_ID + 1, token->id);
    umx_arena_free(arena);
}

#endif
