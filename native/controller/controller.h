/*
 * What the parts of the controller share. Made once at start, read-only afterwards; each part guards itself.
 */
#ifndef UMX_CONTROLLER_CONTROLLER_H
#define UMX_CONTROLLER_CONTROLLER_H

#include "controller/config.h"

struct umx_authority;
struct umx_engine;
struct umx_fleet;
struct umx_forests;
struct umx_journal_file;
struct umx_observer;
struct umx_rpc_server;
struct umx_state;

struct umx_controller {
    struct umx_config *config;
    char deployment[128];
    char identity[256]; /* umx://DEPLOYMENT/controller/NAME */
    struct umx_authority *authority;
    struct umx_state *state;
    struct umx_journal_file *journal;
    struct umx_forests *forests;
    struct umx_observer *observer;
    struct umx_fleet *fleet;
    struct umx_engine *engine;
    struct umx_rpc_server *agents;
    struct umx_rpc_server *operators;
};

/* Opens everything, serves until SIGTERM or SIGINT, and ends in order. */
int umx_controller_run(const char *config_path, struct umx_error *err);

#endif
