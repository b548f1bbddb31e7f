/*
 * umxd backup and umxd restore. A backup is consistent: the databases are copied by the controller that has them (or
 * here, when none runs), the journal last; its chain is verified before the backup gets its name, and again after a
 * restore. The other files of the data directory, keys included, go with it unless --without-authority; the root's own
 * key never does.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "controller/authority.h"
#include "controller/commands.h"
#include "controller/config.h"
#include "controller/control.h"
#include "controller/data_owner.h"
#include "store/backup_file.h"
#include "store/journal_file.h"
#include "store/state.h"

enum { DEPTH_MAX = 4 };

struct request {
    const char *file;
    const char *data;
    bool without_authority;
    struct umx_config *config; /* when it names the data directory */
};

static int usage(struct umx_error *err, const char *what, const char *why)
{
    return umx_fail(err, UMX_ERR_USAGE, what, "%s", why);
}

static int parse(int argc, char **argv, bool backup, struct request *out, struct umx_error *err)
{
    const char *config = NULL;

    for (int i = 0; i < argc; i++) {
        bool data = strcmp(argv[i], "--data") == 0;
        if (backup && strcmp(argv[i], "--without-authority") == 0) {
            out->without_authority = true;
        } else if (data || (backup && strcmp(argv[i], "--config") == 0)) {
            if (i + 1 == argc)
                return usage(err, argv[i], "its value is missing");
            *(data ? &out->data : &config) = argv[i + 1];
            i++;
        } else if (argv[i][0] == '-') {
            return usage(err, argv[i], "there is no such option");
        } else if (out->file != NULL) {
            return usage(err, argv[i], "one argument too many");
        } else {
            out->file = argv[i];
        }
    }
    if (out->data == NULL && config != NULL) {
        int status = umx_config_load(config, &out->config, err);
        if (status != 0)
            return status;
        out->data = out->config->data;
    }
    if (out->file == NULL || out->data == NULL)
        return usage(err, backup ? "backup" : "restore",
                     backup ? "write: umxd backup FILE --data DIR|--config FILE [--without-authority]"
                            : "write: umxd restore FILE --data DIR");
    return 0;
}

/* ---- backup */

static int add_file(struct umx_backup *backup, const char *path, const char *name, struct umx_error *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int status;

    if (fd < 0 || fstat(fd, &info) != 0)
        status = umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, path, "%s", strerror(errno));
    else
        status = umx_backup_add(backup, name, (int)(info.st_mode & 0777), fd, err);
    if (fd >= 0)
        close(fd);
    return status;
}

/* What is not a part of a backup: the databases and what goes with them (their copies are), sockets and locks, the
 * root's key, which has no place here, and what begins with a dot. */
static bool left_out(const char *name)
{
    static const char *const names[] = {"state.db", "journal.db", "control.sock", "backup-", "root/root.key"};
    size_t length = strlen(name);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    return (length > 5 && strcmp(name + length - 5, ".lock") == 0) ||
           (length > 4 && strcmp(name + length - 4, ".tmp") == 0);
}

static int add_directory(struct umx_backup *backup, const char *data, const char *below, int depth,
                         struct umx_error *err)
{
    struct umx_text directory = {0};
    const struct dirent *entry;
    int status = 0;

    umx_text_addf(&directory, "%s/%s", data, below);
    DIR *entries = opendir(umx_text_string(&directory));
    if (entries == NULL)
        status = umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, directory.data, "%s", strerror(errno));
    while (status == 0 && entries != NULL && (entry = readdir(entries)) != NULL) {
        struct umx_text name = {0}, path = {0};
        struct stat info;
        umx_text_addf(&name, "%s%s%s", below, below[0] != '\0' ? "/" : "", entry->d_name);
        umx_text_addf(&path, "%s/%s", data, umx_text_string(&name));
        if (entry->d_name[0] == '.' || left_out(umx_text_string(&name)) || lstat(umx_text_string(&path), &info) != 0)
            ; /* no part of it, or gone meanwhile */
        else if (S_ISDIR(info.st_mode) && depth > 0)
            status = add_directory(backup, data, name.data, depth - 1, err);
        else if (S_ISREG(info.st_mode))
            status = add_file(backup, path.data, name.data, err);
        umx_text_free(&name);
        umx_text_free(&path);
    }
    if (entries != NULL)
        closedir(entries);
    umx_text_free(&directory);
    return status;
}

/* The copies of the databases, made by whoever has them. */
static int copy_databases(const char *data, struct umx_text *directory, struct umx_error *err)
{
    struct umx_state *state = NULL;
    struct umx_journal_file *journal = NULL;
    struct umx_text path = {0};
    struct umx_error none = {0};
    int status = umx_control_copy(data, directory, &none);

    if (status == 0)
        return 0;
    if (none.id != UMX_ERR_PEER_UNREACHABLE) {
        if (err != NULL)
            *err = none;
        return status;
    }
    umx_text_addf(&path, "%s/state.db", data);
    status = access(umx_text_string(&path), F_OK) == 0
                 ? umx_state_open(path.data, &state, err)
                 : umx_fail(err, UMX_ERR_DEPLOYMENT_MISSING, data, "there is no state.db");
    umx_text_free(&path);
    umx_text_addf(&path, "%s/journal.db", data);
    if (status == 0)
        status = umx_journal_open(umx_text_string(&path), &journal, err);
    if (status == 0)
        status = umx_control_make_copy(data, state, journal, directory, err);
    umx_text_free(&path);
    umx_journal_close(journal);
    umx_state_close(state);
    return status;
}

/* The chain of a journal that nobody else has open. */
static int verify_journal(const char *directory, int64_t *entries, struct umx_journal_head *head, struct umx_error *err)
{
    struct umx_journal_file *journal = NULL;
    struct umx_text path = {0};
    int64_t first_bad = 0;

    umx_text_addf(&path, "%s/journal.db", directory);
    int status = umx_journal_open(umx_text_string(&path), &journal, err);
    if (status == 0)
        status = umx_journal_verify(journal, NULL, entries, &first_bad, err);
    if (status == 0 && first_bad != 0)
        status = umx_fail(err, UMX_ERR_JOURNAL_BROKEN, "journal.db", "from entry %lld on", (long long)first_bad);
    if (status == 0)
        umx_journal_head(journal, head);
    umx_journal_close(journal);
    umx_text_free(&path);
    return status;
}

static int say_what(struct umx_backup *backup, const struct request *request, int64_t entries,
                    const struct umx_journal_head *head, struct umx_error *err)
{
    struct umx_authority *authority = NULL;
    struct umx_text number = {0}, hash = {0};
    char now[UMX_CLOCK_TEXT];
    int status = umx_backup_say(backup, "made_at", umx_clock_format(umx_clock_now(), now), err);

    umx_text_addf(&number, "%lld", (long long)entries);
    umx_text_add_hex(&hash, head->hash, sizeof head->hash);
    if (status == 0)
        status = umx_backup_say(backup, "version", UMX_VERSION, err);
    if (status == 0)
        status = umx_backup_say(backup, "authority", request->without_authority ? "no" : "yes", err);
    if (status == 0)
        status = umx_backup_say(backup, "journal_entries", umx_text_string(&number), err);
    if (status == 0)
        status = umx_backup_say(backup, "journal_hash", umx_text_string(&hash), err);
    if (status == 0 && umx_authority_open(request->data, &authority, NULL) == 0)
        status = umx_backup_say(backup, "deployment", umx_authority_deployment(authority), err);
    umx_authority_close(authority);
    umx_text_free(&number);
    umx_text_free(&hash);
    return status;
}

/* The keys and the certificates of one moment: a rotation that is completed in between would leave the one of before
 * with the other of after, and an authority that does not open again. */
static int add_files(struct umx_backup *backup, const char *data, struct umx_error *err)
{
    int lock;
    int status = umx_authority_hold(data, &lock, err);

    if (status == 0)
        status = add_directory(backup, data, "", DEPTH_MAX, err);
    umx_authority_release(lock);
    return status;
}

static int fill(struct umx_backup *backup, const struct request *request, const char *copies, struct umx_error *err)
{
    static const char *const databases[] = {"state.db", "journal.db"};
    struct umx_journal_head head = {0};
    int64_t entries = 0;
    int status = verify_journal(copies, &entries, &head, err);

    for (size_t i = 0; status == 0 && i < 2; i++) {
        struct umx_text path = {0};
        umx_text_addf(&path, "%s/%s", copies, databases[i]);
        status = add_file(backup, umx_text_string(&path), databases[i], err);
        umx_text_free(&path);
    }
    if (status == 0 && !request->without_authority)
        status = add_files(backup, request->data, err);
    if (status == 0)
        status = say_what(backup, request, entries, &head, err);
    if (status == 0)
        status = umx_backup_finish(backup, err);
    if (status == 0)
        printf("%s: %lld journal entries, %s; %s\n", request->file, (long long)entries, "their chain verified",
               request->without_authority ? "without the authority: keep DATA/root.pem and DATA/ca elsewhere"
                                          : "it holds the deployment's keys: keep it like them");
    return status;
}

int umx_command_backup(int argc, char **argv, struct umx_error *err)
{
    struct request request = {0};
    struct umx_backup *backup = NULL;
    struct umx_text copies = {0};
    int status = parse(argc, argv, true, &request, err);

    /* The place is tried before the databases are copied. */
    if (status == 0)
        status = umx_backup_create(request.file, &backup, err);
    if (status == 0)
        status = copy_databases(request.data, &copies, err);
    if (status == 0)
        status = fill(backup, &request, copies.data, err);
    if (copies.length > 0)
        umx_control_remove(copies.data);
    umx_backup_close(backup);
    umx_text_free(&copies);
    umx_data_owner_keep(request.data);
    umx_config_free(request.config);
    return status;
}

/* ---- restore */

/* Empty, or made now. */
static int empty_directory(const char *data, bool *made, struct umx_error *err)
{
    const struct dirent *entry;
    bool empty = true;

    *made = mkdir(data, 0700) == 0;
    if (!*made && errno != EEXIST)
        return umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, data, "%s", strerror(errno));
    DIR *entries = opendir(data);
    if (entries == NULL)
        return umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, data, "%s", strerror(errno));
    while ((entry = readdir(entries)) != NULL)
        empty = empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    closedir(entries);
    return empty ? 0 : umx_fail(err, UMX_ERR_BACKUP_TARGET, data, NULL);
}

struct restoring {
    struct umx_backup *backup;
    const char *data;
    int files;
    bool journal;
    struct umx_error *err;
};

/* Directories above a file; its name was checked when the backup was opened. */
static int make_directories(const char *data, const char *name, struct umx_error *err)
{
    for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        struct umx_text path = {0};
        umx_text_addf(&path, "%s/%.*s", data, (int)(slash - name), name);
        bool there = mkdir(umx_text_string(&path), 0700) == 0 || errno == EEXIST;
        int cause = errno;
        umx_text_free(&path);
        if (!there)
            return umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, cause, name, "%s", strerror(cause));
    }
    return 0;
}

static int restore_file(void *user, const char *name, int mode)
{
    struct restoring *restoring = user;
    struct umx_text path = {0};
    int status = make_directories(restoring->data, name, restoring->err);

    umx_text_addf(&path, "%s/%s", restoring->data, name);
    int fd = status == 0
                 ? open(umx_text_string(&path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode | 0600)
                 : -1;
    if (status == 0)
        status = fd < 0
                     ? umx_fail_code(restoring->err, UMX_ERR_FILE_UNWRITABLE, errno, path.data, "%s", strerror(errno))
                     : umx_backup_write(restoring->backup, name, fd, restoring->err);
    if (fd >= 0)
        close(fd);
    umx_text_free(&path);
    restoring->files++;
    restoring->journal = restoring->journal || strcmp(name, "journal.db") == 0;
    return status;
}

/* Files and the directories that were made for them, after a failure. */
static void remove_below(const char *directory, int depth)
{
    DIR *entries = opendir(directory);
    const struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        struct umx_text path = {0};
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        umx_text_addf(&path, "%s/%s", directory, entry->d_name);
        if (unlink(umx_text_string(&path)) != 0 && depth > 0) {
            remove_below(path.data, depth - 1);
            rmdir(path.data);
        }
        umx_text_free(&path);
    }
    if (entries != NULL)
        closedir(entries);
}

static int tell_restored(struct restoring *restoring, int64_t entries, struct umx_error *err)
{
    struct umx_text deployment = {0}, made = {0}, authority = {0};
    int status = umx_backup_said(restoring->backup, "deployment", &deployment, err);

    if (status == 0)
        status = umx_backup_said(restoring->backup, "made_at", &made, err);
    if (status == 0)
        status = umx_backup_said(restoring->backup, "authority", &authority, err);
    if (status == 0)
        printf("%d files of %s as of %s are in %s; the journal's chain of %lld entries is intact.\n%s"
               "Agents that know newer entries will say so in `umx audit verify`: see docs/operate.md.\n",
               restoring->files, deployment.length > 0 ? deployment.data : "a deployment", umx_text_string(&made),
               restoring->data, (long long)entries,
               strcmp(umx_text_string(&authority), "no") == 0
                   ? "The authority is not in this backup: put root.pem and ca/ back before you start umxd.\n"
                   : "");
    umx_text_free(&deployment);
    umx_text_free(&made);
    umx_text_free(&authority);
    return status;
}

int umx_command_restore(int argc, char **argv, struct umx_error *err)
{
    struct request request = {0};
    struct restoring restoring = {.err = err};
    struct umx_journal_head head;
    int64_t entries = 0;
    bool made = false;
    int status = parse(argc, argv, false, &request, err);

    if (status == 0)
        status = umx_backup_open(request.file, &restoring.backup, err);
    if (status == 0)
        status = empty_directory(request.data, &made, err);
    if (status == 0) {
        restoring.data = request.data;
        status = umx_backup_each(restoring.backup, restore_file, &restoring, err);
        if (status == 0 && !restoring.journal)
            status = umx_fail(err, UMX_ERR_BACKUP_INVALID, request.file, "there is no journal in it");
        if (status == 0)
            status = verify_journal(request.data, &entries, &head, err);
        if (status == 0)
            status = tell_restored(&restoring, entries, err);
        if (status != 0)
            remove_below(request.data, DEPTH_MAX);
        if (status != 0 && made)
            rmdir(request.data);
    }
    umx_backup_close(restoring.backup);
    umx_data_owner_keep(request.data);
    return status;
}
