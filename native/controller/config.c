#include "controller/config.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum {
    LOGIN_HOURS_MAX = 7 * 24,
    HANDSHAKE_MAX = 600,
    LINE_MAX_BYTES = 199, /* the parser takes the rest of a longer line for another one */
};

/* What a key's value is stored as. */
enum kind { TEXT, LIST, SECONDS, SIDE, BIND, POLICY, KEYTAB };

struct key {
    const char *name;
    enum kind kind;
    size_t offset;
};

#define CONFIG(field) offsetof(struct umx_config, field)
#define FOREST(field) offsetof(struct umx_forest_config, field)

static const struct key controller_keys[] = {
    {"agents", TEXT, CONFIG(agents)},
    {"operators", TEXT, CONFIG(operators)},
    {"data", TEXT, CONFIG(data)},
    {"approval", POLICY, CONFIG(approval)},
    {"refresh", SECONDS, CONFIG(refresh)},
    {"report_interval", SECONDS, CONFIG(report_interval)},
    {"read_timeout", SECONDS, CONFIG(read_timeout)},
    {"undo_hours", SECONDS, CONFIG(undo_hours)},
    {"login_hours", SECONDS, CONFIG(login_hours)},
    {"handshake_timeout", SECONDS, CONFIG(handshake_timeout)},
    {"connections_per_address", SECONDS, CONFIG(connections_per_address)},
    {NULL, TEXT, 0},
};

static const struct key forest_keys[] = {
    {"side", SIDE, FOREST(side)},
    {"bind", BIND, FOREST(bind)},
    {"reader", TEXT, FOREST(reader)},
    {"writer", TEXT, FOREST(writer)},
    {"keytab", KEYTAB, 0},
    {"reader_keytab", TEXT, FOREST(reader_keytab)},
    {"writer_keytab", TEXT, FOREST(writer_keytab)},
    {"reader_password_file", TEXT, FOREST(reader_password_file)},
    {"writer_password_file", TEXT, FOREST(writer_password_file)},
    {"tls_ca", TEXT, FOREST(tls_ca)},
    {"operator_ca", TEXT, FOREST(operator_ca)},
    {"service", TEXT, FOREST(service)},
    {"service_keytab", TEXT, FOREST(service_keytab)},
    {"domain_controllers", LIST, FOREST(domain_controllers)},
    {"viewer", LIST, FOREST(viewers)},
    {"operator", LIST, FOREST(operators)},
    {"auditor", LIST, FOREST(auditors)},
    {"groups", LIST, FOREST(groups)},
    {NULL, TEXT, 0},
};

struct word {
    const char *word;
    int value;
};

static const struct word sides[] = {{"exchange", UMX__FOREST__SIDE__EXCHANGE},
                                    {"lync", UMX__FOREST__SIDE__LYNC},
                                    {"both", UMX__FOREST__SIDE__BOTH},
                                    {NULL, 0}};
static const struct word binds[] = {
    {"gssapi", UMX__CONFIGURE__BIND__GSSAPI}, {"simple", UMX__CONFIGURE__BIND__SIMPLE}, {NULL, 0}};
struct load {
    struct umx_config *config;
    struct umx_error *err;
    const char *path;
};

static bool word_value(const struct word *words, const char *text, int *value)
{
    for (; words->word != NULL; words++)
        if (strcmp(words->word, text) == 0) {
            *value = words->value;
            return true;
        }
    return false;
}

static bool set_text(char **field, const char *value)
{
    free(*field);
    *field = strdup(value);
    return *field != NULL;
}

static bool set_list(struct umx_list *list, const char *value)
{
    const char *p = value;

    while (*p != '\0') {
        p += strspn(p, ", \t");
        size_t length = strcspn(p, ",");
        size_t end = length;
        while (end > 0 && (p[end - 1] == ' ' || p[end - 1] == '\t'))
            end--;
        if (end > 0) {
            if (list->count == UMX_MAX_LIST)
                return false;
            list->items[list->count] = strndup(p, end);
            if (list->items[list->count++] == NULL)
                return false;
        }
        p += length;
    }
    return true;
}

static bool set_number(int *field, const char *value)
{
    char *end;
    long number = strtol(value, &end, 10);

    if (*value == '\0' || *end != '\0' || number < 0 || number > 31 * 24 * 3600)
        return false;
    *field = (int)number;
    return true;
}

static bool set_value(const struct key *key, void *record, const char *value)
{
    void *field = (char *)record + key->offset;
    struct umx_forest_config *forest = record;
    int number = 0;

    switch (key->kind) {
    case TEXT:
        return *value != '\0' && set_text(field, value);
    case LIST:
        return set_list(field, value);
    case SECONDS:
        return set_number(field, value);
    case KEYTAB: /* one keytab for both accounts */
        return *value != '\0' && set_text(&forest->reader_keytab, value) && set_text(&forest->writer_keytab, value);
    case SIDE:
        if (!word_value(sides, value, &number))
            return false;
        forest->side = (Umx__Forest__Side)number;
        return true;
    case BIND:
        if (!word_value(binds, value, &number))
            return false;
        forest->bind = (Umx__Configure__Bind)number;
        return true;
    case POLICY:
        return umx_engine_policy_of(value, field);
    }
    return false;
}

/* The section's record: the controller's or a forest's, made at its first key; NULL when there is no such section. */
static void *section_record(struct umx_config *config, const char *section, const struct key **keys)
{
    if (strcmp(section, "controller") == 0) {
        *keys = controller_keys;
        return config;
    }
    if (strncmp(section, "forest ", 7) != 0)
        return NULL;
    const char *name = section + 7;
    name += strspn(name, " \t");
    *keys = forest_keys;
    for (size_t i = 0; i < config->forest_count; i++)
        if (umx_text_equal(config->forests[i].name, name))
            return &config->forests[i];
    if (config->forest_count == UMX_MAX_FORESTS || *name == '\0')
        return NULL;
    struct umx_forest_config *forest = &config->forests[config->forest_count];
    forest->name = strdup(name);
    if (forest->name == NULL)
        return NULL;
    for (char *p = forest->name; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    config->forest_count++;
    return forest;
}

static int take_line(void *user, const char *section, const char *name, const char *value)
{
    struct load *load = user;
    const struct key *key;
    void *record = section_record(load->config, section, &key);

    if (record == NULL) {
        umx_fail(load->err, UMX_ERR_CONFIG_INVALID, load->path, "there is no section [%s]", section);
        return 0;
    }
    while (key->name != NULL && strcmp(key->name, name) != 0)
        key++;
    if (key->name == NULL) {
        umx_fail(load->err, UMX_ERR_CONFIG_INVALID, load->path, "[%s] has no key %s", section, name);
        return 0;
    }
    if (!set_value(key, record, value)) {
        umx_fail(load->err, UMX_ERR_CONFIG_INVALID, load->path, "[%s] %s = %s is not possible", section, name, value);
        return 0;
    }
    return 1;
}

static int check_forest(const struct umx_forest_config *forest, const char *path, struct umx_error *err)
{
    bool gssapi = forest->bind == UMX__CONFIGURE__BIND__GSSAPI;
    const struct {
        bool needed;
        const char *value;
        const char *key;
    } needs[] = {
        {true, forest->reader, "reader"},
        {gssapi, forest->reader_keytab, "keytab or reader_keytab"},
        {!gssapi, forest->reader_password_file, "reader_password_file"},
        {!gssapi, forest->tls_ca, "tls_ca"},
        {forest->writer != NULL && gssapi, forest->writer_keytab, "writer_keytab"},
        {forest->writer != NULL && !gssapi, forest->writer_password_file, "writer_password_file"},
    };

    if (forest->side == 0)
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, path, "[forest %s] needs side = exchange, lync or both",
                        forest->name);
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
        if (needs[i].needed && needs[i].value == NULL)
            return umx_fail(err, UMX_ERR_CONFIG_INVALID, path, "[forest %s] needs %s", forest->name, needs[i].key);
    return 0;
}

/* The role lists become groups with a meaning, so that the worker finds their SIDs like those of all other groups. */
static int add_role_groups(struct umx_forest_config *forest, const char *path, struct umx_error *err)
{
    const struct {
        const char *meaning;
        const struct umx_list *list;
    } roles[] = {{"viewer", &forest->viewers}, {"operator", &forest->operators}, {"auditor", &forest->auditors}};

    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        for (size_t k = 0; k < roles[i].list->count; k++) {
            char *text = NULL;
            if (forest->groups.count == UMX_MAX_LIST)
                return umx_fail(err, UMX_ERR_CONFIG_INVALID, path, "[forest %s] names too many groups", forest->name);
            if (asprintf(&text, "%s=%s", roles[i].meaning, roles[i].list->items[k]) < 0)
                return umx_fail(err, UMX_ERR_MEMORY, path, NULL);
            forest->groups.items[forest->groups.count++] = text;
        }
    return 0;
}

static int check(struct umx_config *config, const char *path, struct umx_error *err)
{
    if (config->data == NULL)
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, path, "[controller] needs data = DIRECTORY");
    if (config->forest_count == 0)
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, path, "there is no [forest NAME] section");
    if (config->login_hours < 1 || config->login_hours > LOGIN_HOURS_MAX)
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, path, "login_hours is 1 to %d", LOGIN_HOURS_MAX);
    if (config->handshake_timeout < 1 || config->handshake_timeout > HANDSHAKE_MAX)
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, path, "handshake_timeout is 1 to %d", HANDSHAKE_MAX);
    for (size_t i = 0; i < config->forest_count; i++) {
        int status = check_forest(&config->forests[i], path, err);
        if (status == 0)
            status = add_role_groups(&config->forests[i], path, err);
        if (status != 0)
            return status;
    }
    return 0;
}

/* The number of the first line that is too long; 0: none is. The file is at its beginning again. */
static int long_line(FILE *file)
{
    int line = 1;
    int length = 0;

    for (int c; (c = fgetc(file)) != EOF && length <= LINE_MAX_BYTES;) {
        line += c == '\n';
        length = c == '\n' ? 0 : length + 1;
    }
    rewind(file);
    return length > LINE_MAX_BYTES ? line : 0;
}

int umx_config_load(const char *path, struct umx_config **out, struct umx_error *err)
{
    struct umx_config *config = calloc(1, sizeof *config);
    struct umx_error line_error = {0};
    struct load load = {config, &line_error, path};
    int status = 0;

    *out = NULL;
    if (config == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, path, NULL);
    config->refresh = 300;
    config->report_interval = 300;
    config->read_timeout = 30;
    config->undo_hours = 72;
    config->login_hours = 10;
    config->handshake_timeout = 60;
    config->connections_per_address = 2000;
    if (!set_text(&config->agents, "127.0.0.1:7443") || !set_text(&config->operators, "127.0.0.1:7444")) {
        status = umx_fail(err, UMX_ERR_MEMORY, path, NULL);
        goto out;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        status = umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, path, "%s", strerror(errno));
        goto out;
    }
    int too_long = long_line(file);
    int line = too_long == 0 ? ini_parse_file(file, take_line, &load) : 0;
    fclose(file);
    for (size_t i = 0; i < config->forest_count; i++)
        if (config->forests[i].bind == 0)
            config->forests[i].bind = UMX__CONFIGURE__BIND__GSSAPI;
    if (too_long != 0)
        status = umx_fail(err, UMX_ERR_CONFIG_INVALID, path,
                          "line %d has more than %d bytes; a list may go on in another line of the same key", too_long,
                          LINE_MAX_BYTES);
    else if (line_error.status != 0)
        status = umx_fail(err, UMX_ERR_CONFIG_INVALID, path, "line %d: %s", line, line_error.why);
    else if (line != 0)
        status = umx_fail(err, UMX_ERR_CONFIG_INVALID, path, "line %d is not KEY = VALUE in a section", line);
    else
        status = check(config, path, err);
out:
    if (status != 0)
        umx_config_free(config);
    else
        *out = config;
    return status;
}

static void free_list(struct umx_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
}

/* Frees every text and list that the keys name: one table serves both ways. */
static void free_fields(const struct key *keys, void *record)
{
    for (const struct key *key = keys; key->name != NULL; key++) {
        void *field = (char *)record + key->offset;
        if (key->kind == TEXT)
            free(*(char **)field);
        else if (key->kind == LIST)
            free_list(field);
    }
}

void umx_config_free(struct umx_config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->forest_count; i++) {
        free_fields(forest_keys, &config->forests[i]);
        free(config->forests[i].name);
        free(config->forests[i].replay_cache);
    }
    free_fields(controller_keys, config);
    free(config);
}

const struct umx_forest_config *umx_config_forest(const struct umx_config *config, const char *name)
{
    for (size_t i = 0; i < config->forest_count; i++)
        if (umx_text_equal(config->forests[i].name, name))
            return &config->forests[i];
    return NULL;
}
