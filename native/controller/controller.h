/*
 * What the parts of the controller share. Made once at start, read-only afterwards; each part guards itself.
 */
#ifndef UMX_CONTROLLER_CONTROLLER_H
#define UMX_CONTROLLER_CONTROLLER_H

#include <stdbool.h>

#include "controller/config.h"

struct umx_authority;
struct umx_control;
struct umx_ca;
struct umx_engine;
struct umx_enrolment;
struct umx_fleet;
struct umx_forests;
struct umx_journal_file;
struct umx_observer;
struct umx_refusals;
struct umx_rpc_server;
struct umx_state;
struct umx_updates;

struct umx_controller {
    struct umx_config *config;
    char deployment[128];
    char identity[256]; /* umx://DEPLOYMENT/controller/NAME */
    struct umx_authority *authority;
    struct umx_ca *ca;
    struct umx_state *state;
    struct umx_journal_file *journal;
    bool journal_intact; /* at the start; else the mirrored head is evidence and stays as it is */
    struct umx_forests *forests;
    struct umx_observer *observer;
    struct umx_fleet *fleet;
    struct umx_enrolment *enrolment;
    struct umx_engine *engine;
    struct umx_control *control;
    struct umx_refusals *refusals;
    struct umx_updates *updates;
    struct umx_rpc_server *agents;
    struct umx_rpc_server *operators;
};

/* Mirrors the journal's head in state.db, so that `audit verify` sees a journal whose end was cut off. */
void umx_controller_keep_head(struct umx_controller *controller);

/* Opens everything, serves until SIGTERM or SIGINT, and ends in order. */
int umx_controller_run(const char *config_path, struct umx_error *err);

#endif
