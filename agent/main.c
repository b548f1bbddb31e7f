/* umx-agent: reports what an Exchange or Lync server is and does, and runs an allow-listed set of actions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/collect/prove.h"
#include "agent/enroll.h"
#include "agent/facts.h"
#include "agent/service.h"
#include "agent/session.h"
#include "agent/settle.h"
#include "agent/shell_password.h"
#include "agent/stop.h"
#include "agent/updater.h"
#include "agent/updater_service.h"
#include "base/command_line.h"
#include "base/log.h"
#include "rpc/rpc.h"

static const char usage[] = "Usage: umx-agent --config FILE [--verbose]\n"
                            "       umx-agent enroll --token-file FILE --config FILE [--controller HOST:PORT]\n"
                            "                        [--new-key] [--wait SECONDS]\n"
                            "       umx-agent facts [--config FILE | --host local | --host recorded:DIR]\n"
                            "       umx-agent apply --config FILE\n"
                            "       umx-agent --install --config FILE [--controller HOST:PORT] [--account NAME]\n"
                            "       umx-agent --uninstall\n"
                            "       umx-agent --store-shell-password --config FILE\n"
                            "       umx-agent --check-config --config FILE\n"
                            "       umx-agent --help | --version\n"
                            "\n"
                            "Without a command it attaches to the controller of the configuration and stays.\n"
                            "`enroll` makes a key here and gets a certificate for it with a one-time token of\n"
                            "`umx token create`, from the operators' listener: --controller, or port 7444 of the\n"
                            "controller that the configuration names. It goes on with the key\n"
                            "of the identity that is there; --new-key makes another one. --wait: until an operator\n"
                            "has decided, where one has to.\n"
                            "`facts` prints, as JSON, what would be reported; it needs no controller.\n"
                            "`apply` is what umx-agent-update.service runs, with the rights to install: it takes up\n"
                            "the update that the agent has staged, and returns to the version before when nobody\n"
                            "confirms the new one in time.\n"
                            "Windows: --install registers it as the service umx-agent, which the service manager\n"
                            "starts with --service; with --controller it makes the configuration and its folder if\n"
                            "there are none. On a console it runs as without a command (--console).\n"
                            "--store-shell-password reads the password of the configuration's shell_account from\n"
                            "standard input, and keeps it in shell_password_file, protected by this Windows.\n"
                            "--check-config reads the configuration and prints what is in force, and whether the\n"
                            "file or, on Windows, a policy has set it.\n";

enum { OPERATORS_PORT = 7444 }; /* of a controller that is not told otherwise */

struct options {
    const char *config;
    const char *host;
    const char *controller;
    const char *token_file;
    const char *wait;
    const char *account;
    bool facts;
    bool enroll;
    bool apply;
    bool service;
    bool update_service;
    bool console;
    bool install;
    bool uninstall;
    bool store_password;
    bool check_config;
    bool new_key;
    bool prove;
    bool help;
    bool version;
    bool verbose;
};

static int bad_usage(struct umx_error *err, const char *word, const char *why)
{
    return umx_fail(err, UMX_ERR_USAGE, word, "%s; see umx-agent --help", why);
}

static bool *find_flag(struct options *options, const char *word)
{
    const struct {
        const char *word;
        bool *flag;
    } flags[] = {
        {"--help", &options->help},
        {"--version", &options->version},
        {"--verbose", &options->verbose},
        {"--prove", &options->prove},
        {"--new-key", &options->new_key},
        {"--service", &options->service},
        {"--update-service", &options->update_service},
        {"--console", &options->console},
        {"--install", &options->install},
        {"--uninstall", &options->uninstall},
        {"--store-shell-password", &options->store_password},
        {"--check-config", &options->check_config},
        {"facts", &options->facts},
        {"enroll", &options->enroll},
        {"apply", &options->apply},
    };

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(flags[i].word, word) == 0)
            return flags[i].flag;
    return NULL;
}

static int parse(int argc, char **argv, struct options *options, struct umx_error *err)
{
    for (int i = 1; i < argc; i++) {
        const char **value = strcmp(argv[i], "--config") == 0       ? &options->config
                             : strcmp(argv[i], "--host") == 0       ? &options->host
                             : strcmp(argv[i], "--controller") == 0 ? &options->controller
                             : strcmp(argv[i], "--token-file") == 0 ? &options->token_file
                             : strcmp(argv[i], "--wait") == 0       ? &options->wait
                             : strcmp(argv[i], "--account") == 0    ? &options->account
                                                                    : NULL;
        bool *flag = find_flag(options, argv[i]);
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
    if (options->facts + options->enroll + options->apply + options->service + options->console + options->install +
            options->uninstall + options->update_service + options->store_password + options->check_config >
        1)
        return bad_usage(err, "umx-agent", "it does one thing at a time");
    if (options->account != NULL && !options->install)
        return bad_usage(err, "--account", "it is for --install");
    if (options->uninstall)
        return 0;
    if (options->config != NULL && options->host != NULL)
        return bad_usage(err, "--host", "it excludes --config");
    if (!options->facts && options->config == NULL)
        return bad_usage(err, "--config", "it is missing");
    if (options->enroll && options->token_file == NULL)
        return bad_usage(err, "enroll", "it needs --token-file");
    if (!options->enroll && (options->token_file != NULL || options->wait != NULL || options->new_key))
        return bad_usage(err, "enroll", "--token-file, --new-key and --wait are for `enroll`");
    if (!options->enroll && !options->install && options->controller != NULL)
        return bad_usage(err, "--controller", "it is for `enroll` and --install");
    return 0;
}

static int enroll(const struct options *options, struct umx_error *err)
{
    struct umx_agent_config config = {0};
    struct umx_host *host = NULL;
    struct umx_enroll_options how = {
        .controller = options->controller, .token_file = options->token_file, .new_key = options->new_key};
    char *end = NULL;
    char operators[sizeof config.controller + 8];
    int status = umx_agent_config_read(options->config, &config, err);

    if (status == 0 && how.controller == NULL) {
        /* It reads HOST:PORT, or the configuration would have been refused. */
        snprintf(operators, sizeof operators, "%.*s:%d", (int)(strrchr(config.controller, ':') - config.controller),
                 config.controller, OPERATORS_PORT);
        how.controller = operators;
    }
    if (status == 0 && options->wait != NULL) {
        long seconds = strtol(options->wait, &end, 10);
        if (end == options->wait || *end != '\0' || seconds < 0 || seconds > 86400)
            status = bad_usage(err, "--wait", "it is a number of seconds up to 86400");
        how.wait = (int)seconds;
    }
    if (status == 0)
        status = umx_host_open(config.host, &host, err);
    if (status != 0)
        return status;
    umx_agent_stop_watch();
    umx_rpc_begin();
    status = umx_enroll(&config, host->identity.fqdn, host->identity.forest != NULL ? host->identity.forest : "", &how,
                        stdout, err);
    umx_rpc_end();
    umx_host_close(host);
    return status;
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

/* No stream, no host: what it needs is in files. */
static int apply(const struct options *options, struct umx_error *err)
{
    struct umx_agent_config config = {0};
    int status = umx_updater_believe(options->config, err);

    if (status == 0)
        status = umx_agent_config_read(options->config, &config, err);
    if (status == 0 && config.installer[0] != '\0')
        status = umx_updater_believe(config.installer, err);
    umx_agent_stop_watch();
    return status == 0 ? umx_updater_run(&config, &umx_agent_stopping, err) : status;
}

static int store_password(const struct options *options, struct umx_error *err)
{
    struct umx_agent_config config = {0};
    int status = umx_agent_config_read(options->config, &config, err);

    return status == 0 ? umx_shell_password_store(&config, err) : status;
}

static int check_config(const struct options *options, struct umx_error *err)
{
    struct umx_agent_config config = {0};
    int status = umx_agent_config_read(options->config, &config, err);

    if (status == 0)
        umx_agent_config_show(&config, stdout);
    return status;
}

static int stay(void *user, struct umx_error *err)
{
    const struct options *options = user;
    struct umx_agent_config config;
    struct umx_host *host = NULL;
    char policies[256];
    int status = umx_agent_config_read(options->config, &config, err);

    if (status == 0)
        status = umx_service_give_up_privileges(config.shell_account[0] != '\0', err);
    if (status == 0)
        status = umx_host_open(config.host, &host, err);
    if (status == 0)
        status = umx_host_set_shell_account(host, config.shell_account, config.shell_password_file, err);
    if (status != 0) {
        umx_host_close(host);
        return status;
    }
    if (umx_agent_config_policies(&config, policies, sizeof policies)[0] != '\0')
        umx_log(UMX_LOG_INFO, "agent", "set by policy: %s", policies);
    umx_agent_stop_watch();
    umx_rpc_begin();
    umx_log(UMX_LOG_INFO, "agent", "umx-agent %s speaks for %s (%s)", UMX_VERSION, host->identity.fqdn, config.host);
    status = umx_session_run(&config, host, umx_agent_program(), &umx_agent_stopping, err);
    umx_rpc_end();
    umx_host_close(host);
    return status;
}

static int install(const struct options *options, struct umx_error *err)
{
    int status = options->controller != NULL ? umx_settle(options->config, options->controller, err) : 0;

    return status != 0 ? status : umx_service_install(options->config, options->account, err);
}

static int run(struct options *options, struct umx_error *err)
{
    if (options->install)
        return install(options, err);
    if (options->uninstall)
        return umx_service_uninstall(err);
    if (options->store_password)
        return store_password(options, err);
    if (options->check_config)
        return check_config(options, err);
    if (options->update_service)
        return umx_updater_service_run(options->config, err);
    if (options->service)
        return umx_service_run(options->config, stay, options, err);
    if (options->apply)
        return apply(options, err);
    return options->enroll ? enroll(options, err) : options->facts ? facts(options, err) : stay(options, err);
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct umx_error err = {0};
    char text[UMX_ERROR_WHAT_MAX + UMX_ERROR_WHY_MAX + 512];
    char **words = umx_command_line(&argc, argv);
    int status =
        words != NULL ? parse(argc, words, &options, &err) : umx_fail(&err, UMX_ERR_MEMORY, "command line", NULL);

    if (status == 0 && options.verbose)
        umx_log_set_level(UMX_LOG_DEBUG);
    if (status == 0 && options.help)
        fputs(usage, stdout);
    else if (status == 0 && options.version)
        puts("umx-agent " UMX_VERSION);
    else if (status == 0 && options.prove)
        return umx_prove_child() == 0 ? 0 : 1;
    else if (status == 0)
        status = run(&options, &err);
    if (status == 0)
        return 0;
    fprintf(stderr, "umx-agent: error %s\n", umx_error_format(&err, text, sizeof text));
    return umx_status_exit(status) != 0 ? umx_status_exit(status) : 1;
}
