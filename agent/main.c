/* umx-agent: reports what an Exchange or Lync server is and does, and runs an allow-listed set of actions. */
#include <stdio.h>
#include <string.h>

#include "agent/collect/prove.h"
#include "agent/facts.h"
#include "agent/session.h"
#include "agent/stop.h"
#include "base/log.h"
#include "rpc/rpc.h"

static const char usage[] = "Usage: umx-agent --config FILE [--verbose]\n"
                            "       umx-agent facts [--config FILE | --host local | --host recorded:DIR]\n"
                            "       umx-agent --help | --version\n"
                            "\n"
                            "Without a command it attaches to the controller of the configuration and stays.\n"
                            "`facts` prints, as JSON, what would be reported; it needs no controller.\n";

struct options {
    const char *config;
    const char *host;
    bool facts;
    bool prove;
    bool help;
    bool version;
    bool verbose;
};

static int bad_usage(struct umx_error *err, const char *word, const char *why)
{
    return umx_fail(err, UMX_ERR_USAGE, word, "%s; see umx-agent --help", why);
}

static int parse(int argc, char **argv, struct options *options, struct umx_error *err)
{
    for (int i = 1; i < argc; i++) {
        const char **value = strcmp(argv[i], "--config") == 0 ? &options->config
                             : strcmp(argv[i], "--host") == 0 ? &options->host
                                                              : NULL;
        bool *flag = strcmp(argv[i], "--help") == 0      ? &options->help
                     : strcmp(argv[i], "--version") == 0 ? &options->version
                     : strcmp(argv[i], "--verbose") == 0 ? &options->verbose
                     : strcmp(argv[i], "--prove") == 0   ? &options->prove
                     : strcmp(argv[i], "facts") == 0     ? &options->facts
                                                         : NULL;
        if (flag != NULL) {
            *flag = true;
        } else if (value == NULL) {
            return bad_usage(err, argv[i], "it is neither an option nor a command");
        } else if (++i == argc) {
            return bad_usage(err, argv[i - 1], "it needs a value");
        } else {
            *value = argv[i];
        }
    }
    if (options->help || options->version || options->prove)
        return 0;
    if (options->config != NULL && options->host != NULL)
        return bad_usage(err, "--host", "it excludes --config");
    if (!options->facts && options->config == NULL)
        return bad_usage(err, "--config", "it is missing");
    return 0;
}

static int facts(const struct options *options, struct umx_error *err)
{
    struct umx_agent_config config = {0};
    struct umx_host *host = NULL;
    struct umx_text text = {0};
    const char *where = options->host != NULL ? options->host : "local";
    int status = 0;

    if (options->config != NULL) {
        status = umx_agent_config_read_host(options->config, &config, err);
        where = config.host;
    }
    if (status == 0)
        status = umx_host_open(where, &host, err);
    if (status == 0)
        status = umx_host_set_shell_account(host, config.shell_account, config.shell_password_file, err);
    if (status != 0) {
        umx_host_close(host);
        return status;
    }
    status = umx_agent_facts(host, &text, err);
    if (fwrite(umx_text_string(&text), 1, text.length, stdout) != text.length || fflush(stdout) != 0)
        status = umx_fail(err, UMX_ERR_FILE_UNWRITABLE, "standard output", NULL);
    umx_text_free(&text);
    umx_host_close(host);
    return status;
}

static int stay(const struct options *options, struct umx_error *err)
{
    struct umx_agent_config config;
    struct umx_host *host = NULL;
    int status = umx_agent_config_read(options->config, &config, err);

    if (status == 0)
        status = umx_host_open(config.host, &host, err);
    if (status == 0)
        status = umx_host_set_shell_account(host, config.shell_account, config.shell_password_file, err);
    if (status != 0) {
        umx_host_close(host);
        return status;
    }
    umx_agent_stop_watch();
    umx_rpc_begin();
    umx_log(UMX_LOG_INFO, "agent", "umx-agent %s speaks for %s (%s)", UMX_VERSION, host->identity.fqdn, config.host);
    status = umx_session_run(&config, host, umx_agent_program(), &umx_agent_stopping, err);
    umx_rpc_end();
    umx_host_close(host);
    return status;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct umx_error err = {0};
    char text[UMX_ERROR_WHAT_MAX + UMX_ERROR_WHY_MAX + 512];
    int status = parse(argc, argv, &options, &err);

    if (status == 0 && options.verbose)
        umx_log_set_level(UMX_LOG_DEBUG);
    if (status == 0 && options.help)
        fputs(usage, stdout);
    else if (status == 0 && options.version)
        puts("umx-agent " UMX_VERSION);
    else if (status == 0 && options.prove)
        return umx_prove_child() == 0 ? 0 : 1;
    else if (status == 0)
        status = options.facts ? facts(&options, &err) : stay(&options, &err);
    if (status == 0)
        return 0;
    fprintf(stderr, "umx-agent: error %s\n", umx_error_format(&err, text, sizeof text));
    return umx_status_exit(status) != 0 ? umx_status_exit(status) : 1;
}
