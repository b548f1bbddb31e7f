#include "controller/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "controller/authority.h"
#include "controller/commands_options.h"
#include "controller/controller.h"
#include "controller/data_owner.h"
#include "controller/engine.h"

int umx_options_usage(struct umx_error *err, const char *what, const char *why)
{
    return umx_fail(err, UMX_ERR_USAGE, what, "%s", why);
}

int umx_options_parse(int argc, char **argv, struct umx_options *out, struct umx_error *err)
{
    const struct {
        const char *name;
        const char **value;
    } known[] = {{"--data", &out->data}, {"--deployment", &out->deployment},
                 {"--out", &out->out},   {"--days", &out->days},
                 {"--log", &out->log},   {"--root-key", &out->root_key},
                 {"--root", &out->root}, {"--request", &out->request}};

    for (int i = 0; i < argc; i++) {
        const char **value = NULL;
        if (argv[i][0] != '-') {
            if (out->rest_count == sizeof out->rest / sizeof out->rest[0])
                return umx_options_usage(err, argv[i], "one argument too many");
            out->rest[out->rest_count++] = argv[i];
            continue;
        }
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
            if (strcmp(argv[i], known[k].name) == 0)
                value = known[k].value;
        if (strcmp(argv[i], "--name") == 0 && out->name_count < UMX_OPTIONS_NAMES)
            value = &out->names[out->name_count++];
        if (value == NULL)
            return umx_options_usage(err, argv[i], "there is no such option");
        if (i + 1 == argc)
            return umx_options_usage(err, argv[i], "its value is missing");
        *value = argv[++i];
    }
    return 0;
}

int umx_command_serve(int argc, char **argv, struct umx_error *err)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    struct umx_options options = {0};
    int level = -1;
    int status = umx_options_parse(argc, argv, &options, err);

    if (status != 0)
        return status;
    if (options.rest_count != 1)
        return umx_options_usage(err, "--config", "it needs one FILE");
    for (int i = 0; options.log != NULL && i < 4; i++)
        if (strcmp(options.log, levels[i]) == 0)
            level = i;
    if (options.log != NULL && level < 0)
        return umx_options_usage(err, options.log, "a level is error, warning, info or debug");
    if (level >= 0)
        umx_log_set_level((enum umx_log_level)level);
    return umx_controller_run(options.rest[0], err);
}

int umx_command_init(int argc, char **argv, struct umx_error *err)
{
    struct umx_options options = {0};
    char host[256] = "";
    int status = umx_options_parse(argc, argv, &options, err);

    if (status != 0)
        return status;
    if (options.data == NULL || options.rest_count != 0)
        return umx_options_usage(err, "init", "it needs --data DIR");
    if (options.name_count == 0) {
        if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')
            return umx_options_usage(err, "init", "this host has no name: give --name FQDN");
        options.names[options.name_count++] = host;
    }
    if (options.request != NULL)
        status = umx_command_init_request(&options, err);
    else
        status = umx_authority_init(options.data, options.deployment, options.names, options.name_count, err);
    umx_data_owner_keep(options.data);
    if (status != 0 || options.request != NULL)
        return status;
    printf("A deployment is in %s.\n"
           "  Give %s/root.pem to administrators and agents: it is what they trust.\n"
           "  Move %s/root/root.key to a safe now: it is not needed to run.\n",
           options.data, options.data, options.data);
    return 0;
}

/* Never over an existing file, never readable for others, complete or not there. */
static int write_secret(const char *path, const struct umx_text *text, struct umx_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    size_t done = 0;

    if (fd < 0)
        return umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, path, "%s", strerror(errno));
    while (done < text->length) {
        ssize_t n = write(fd, text->data + done, text->length - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    bool good = done == text->length && fsync(fd) == 0;
    int cause = errno;
    close(fd);
    if (good)
        return 0;
    unlink(path);
    return umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, cause, path, "%s", strerror(cause));
}

int umx_command_issue(int argc, char **argv, struct umx_error *err)
{
    struct umx_options options = {0};
    struct umx_authority *authority = NULL;
    struct umx_issued issued = {0};
    struct umx_text pem = {0};
    struct umx_text path = {0};
    char expires[UMX_CLOCK_TEXT];
    long days = UMX_AGENT_LIFE_BY_HAND / UMX_DAY;
    int status = umx_options_parse(argc, argv, &options, err);

    if (status != 0)
        return status;
    if (options.rest_count != 2 || strcmp(options.rest[0], "agent") != 0 || options.data == NULL)
        return umx_options_usage(err, "issue", "write: umxd issue agent FQDN --data DIR [--out FILE] [--days N]");
    if (options.days != NULL) {
        char *end;
        days = strtol(options.days, &end, 10);
        if (*end != '\0' || days < 1 || days > 3650)
            return umx_options_usage(err, options.days, "days are 1 to 3650");
    }
    umx_text_addf(&path, "%s.pem", options.rest[1]);
    const char *out = options.out != NULL ? options.out : umx_text_string(&path);
    status = umx_authority_open(options.data, &authority, err);
    if (status == 0)
        status = umx_authority_issue_agent(authority, options.rest[1], days * UMX_DAY, &pem, &issued, err);
    if (status == 0)
        status = write_secret(out, &pem, err);
    if (status == 0)
        printf("%s for %s until %s: %s\n", issued.identity, options.rest[1],
               umx_clock_format(issued.expires_at, expires), out);
    if (pem.data != NULL)
        explicit_bzero(pem.data, pem.capacity);
    umx_text_free(&pem);
    umx_text_free(&path);
    umx_issued_free(&issued);
    umx_authority_close(authority);
    umx_data_owner_keep(options.data);
    return status;
}

int umx_command_crash_points(int argc, char **argv, struct umx_error *err)
{
    (void)argc;
    (void)argv;
    (void)err;
    for (int i = 0; i < UMX_CRASH_COUNT; i++)
        printf("%-30s %-10s %s\n", umx_crash_rows[i].name, umx_crash_rows[i].program,
               umx_crash_rows[i].kinds[0] != '\0' ? umx_crash_rows[i].kinds : "-");
    return 0;
}
