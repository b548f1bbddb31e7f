/* umxd: the controller, its workers, and the deployment's certificates. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "controller/commands.h"
#include "controller/controller.h"
#include "directory/worker.h"

enum { WORKER_FD = 3 };

static int run_worker(int argc, char **argv, struct umx_error *err)
{
    (void)argc;
    (void)argv;
    (void)err;
    return umx_worker_main(WORKER_FD);
}

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv, struct umx_error *err);
    const char *arguments;
    const char *help;
} commands[] = {
    {"--config", umx_command_serve, "FILE [--log LEVEL]", "serve agents and operators until SIGTERM"},
    {"init", umx_command_init, "--data DIR [--deployment NAME] [--name FQDN]... [--request FILE]",
     "make a deployment: its root, its intermediate and the controller's certificate; with --request the root is "
     "elsewhere, and `umxd ca import` makes it whole"},
    {"issue", umx_command_issue, "agent FQDN --data DIR [--out FILE] [--days N]", "make an identity file for an agent"},
    {"backup", umx_command_backup, "FILE --data DIR|--config FILE [--without-authority]",
     "write everything that matters to one file, also while the controller runs"},
    {"restore", umx_command_restore, "FILE --data DIR", "put a backup into an empty directory"},
    {"ca", umx_command_ca, "new-intermediate|new-root --data DIR --root-key FILE, ca discard --data DIR",
     "stage a new authority for `umx ca rotate`, signed with the root's key from FILE (new-root: its key goes there)"},
    {"ca", umx_command_ca, "request --data DIR --out FILE, ca import FILE --data DIR",
     "the same with the root's key on another machine: ask for an intermediate, take what comes back"},
    {"ca", umx_command_ca,
     "new-root --deployment NAME --root-key FILE --out FILE, ca sign REQUEST --root FILE --root-key FILE --out FILE",
     "on that machine: make a root, sign a request"},
    {"crash-points", umx_command_crash_points, "",
     "list where a test can kill a program: the point, the program, the kinds of steps that pass it"},
    {"--worker", run_worker, "", "speak LDAP for one forest; started by the controller alone"},
};

static void usage(FILE *out)
{
    fputs("umxd " UMX_VERSION ": the controller of umx\n\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(out, "  umxd %s %s\n      %s\n", commands[i].name, commands[i].arguments, commands[i].help);
    fputs("\nSee umxd(8).\n", out);
}

int main(int argc, char **argv)
{
    struct umx_error err = {0};
    char text[2048];

    if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
        puts("umxd " UMX_VERSION);
        return 0;
    }
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        usage(stdout);
        return 0;
    }
    for (size_t i = 0; argc >= 2 && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        int status = commands[i].run(argc - 2, argv + 2, &err);
        if (status != 0 && err.status != 0)
            fprintf(stderr, "umxd: error %s\n", umx_error_format(&err, text, sizeof text));
        return umx_status_exit(status);
    }
    usage(stderr);
    return 2;
}
