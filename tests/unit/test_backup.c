/* Backup files: what goes in comes out, what was changed on the way does not; and the copies of the databases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "controller/commands.h"
#include "store/backup_file.h"
#include "store/journal_file.h"
#include "store/state.h"

static char directory[64];

static const char *in(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];

    snprintf(path, 256, "%s/%s", directory, name);
    return path;
}

static void empty(const char *path)
{
    DIR *entries = opendir(path);
    const struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        char name[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (unlink(name) != 0) {
            empty(name);
            rmdir(name);
        }
    }
    if (entries != NULL)
        closedir(entries);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/umx-backup-XXXXXX");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    empty(directory);
    return rmdir(directory);
}

static void write_file(const char *path, const void *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void add(struct umx_backup *backup, const char *name, const char *path)
{
    struct umx_error err = {0};
    int fd = open(path, O_RDONLY);

    if (umx_backup_add(backup, name, 0640, fd, &err) != 0)
        fail_msg("%s: %s", name, umx_error_why(&err));
    close(fd);
}

/* Three files: empty, small, and of more than one part. */
static void make_backup(const char *path)
{
    struct umx_backup *backup;
    size_t large = 2500000;
    char *bytes = malloc(large);

    assert_non_null(bytes);
    for (size_t i = 0; i < large; i++)
        bytes[i] = (char)(i * 31 + i / 977);
    write_file(in("a"), "", 0);
    write_file(in("b"), "hello", 5);
    write_file(in("c"), bytes, large);
    assert_int_equal(umx_backup_create(path, &backup, NULL), 0);
    assert_int_equal(umx_backup_say(backup, "deployment", "lab", NULL), 0);
    add(backup, "empty", in("a"));
    add(backup, "ca/root.pem", in("b"));
    add(backup, "journal.db", in("c"));
    assert_int_equal(umx_backup_finish(backup, NULL), 0);
    umx_backup_close(backup);
    free(bytes);
}

static char names[256];

static int note(void *user, const char *name, int mode)
{
    size_t length = strlen(names);

    (void)user;
    snprintf(names + length, sizeof names - length, "%s:%o ", name, (unsigned)mode);
    return 0;
}

static void what_goes_in_comes_out(void **state)
{
    struct umx_backup *backup;
    struct umx_text said = {0};
    struct stat info;

    (void)state;
    make_backup(in("x.backup"));
    assert_int_equal(stat(in("x.backup"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(access(in("x.backup.unfinished"), F_OK), -1);
    assert_int_equal(umx_backup_open(in("x.backup"), &backup, NULL), 0);
    names[0] = '\0';
    assert_int_equal(umx_backup_each(backup, note, NULL, NULL), 0);
    assert_string_equal(names, "ca/root.pem:600 empty:600 journal.db:600 ");
    assert_int_equal(umx_backup_said(backup, "deployment", &said, NULL), 0);
    assert_string_equal(umx_text_string(&said), "lab");
    int fd = open(in("out"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(umx_backup_write(backup, "journal.db", fd, NULL), 0);
    assert_int_equal(lseek(fd, 0, SEEK_END), 2500000);
    close(fd);
    umx_backup_close(backup);
    umx_text_free(&said);
}

static void nothing_is_replaced_and_nothing_half_is_left(void **state)
{
    struct umx_backup *backup;
    struct umx_error err = {0};

    (void)state;
    make_backup(in("x.backup"));
    assert_int_not_equal(umx_backup_create(in("x.backup"), &backup, &err), 0);
    assert_int_equal(err.id, UMX_ERR_BACKUP_FAILED);
    write_file(in("y.backup.unfinished"), "of yesterday", 12);
    assert_int_equal(umx_backup_create(in("y.backup"), &backup, NULL), 0);
    add(backup, "b", in("b"));
    umx_backup_close(backup); /* never finished */
    assert_int_equal(access(in("y.backup"), F_OK), -1);
    assert_int_equal(access(in("y.backup.unfinished"), F_OK), -1);
}

static void no_name_leads_out(void **state)
{
    static const char *const bad[] = {"../x", "/etc/passwd", "a/../b", "a//b", ".hidden",
                                      "a/.b", "a/",          "",       "a\nb", "a b"};
    struct umx_backup *backup;

    (void)state;
    write_file(in("b"), "hello", 5);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char sql[256];
        sqlite3 *db = NULL;
        struct umx_error err = {0};
        assert_int_equal(umx_backup_create(in("x.backup"), &backup, NULL), 0);
        int fd = open(in("b"), O_RDONLY);
        assert_int_not_equal(umx_backup_add(backup, bad[i], 0600, fd, &err), 0);
        add(backup, "good", in("b"));
        close(fd);
        assert_int_equal(umx_backup_finish(backup, NULL), 0);
        umx_backup_close(backup);
        /* Somebody else's backup says what it likes. */
        assert_int_equal(sqlite3_open(in("x.backup"), &db), SQLITE_OK);
        sqlite3_snprintf(sizeof sql, sql, "UPDATE file SET name = %Q; UPDATE part SET name = %Q", bad[i], bad[i]);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        assert_int_equal(umx_backup_open(in("x.backup"), &backup, NULL), 0);
        assert_int_not_equal(umx_backup_each(backup, note, NULL, &err), 0);
        assert_int_equal(err.id, UMX_ERR_BACKUP_INVALID);
        umx_backup_close(backup);
        unlink(in("x.backup"));
    }
}

static void changed_bytes_are_found(void **state)
{
    static const char *const changes[] = {
        "UPDATE part SET bytes = x'00' WHERE name = 'ca/root.pem'",
        "DELETE FROM part WHERE number = 1",
        "UPDATE part SET number = 5 - number",
        "UPDATE file SET size = size + 1",
        "UPDATE file SET sha256 = x'00'",
        "INSERT INTO part VALUES('empty', 0, 'x')",
        "DROP TABLE part",
    };

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        static const char *const files[] = {"empty", "ca/root.pem", "journal.db"};
        struct umx_backup *backup;
        sqlite3 *db = NULL;
        int bad = 0;
        make_backup(in("x.backup"));
        assert_int_equal(sqlite3_open(in("x.backup"), &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, changes[i], NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        assert_int_equal(umx_backup_open(in("x.backup"), &backup, NULL), 0);
        for (size_t k = 0; k < 3; k++) {
            struct umx_error err = {0};
            int fd = open(in("out"), O_RDWR | O_CREAT | O_TRUNC, 0600);
            if (umx_backup_write(backup, files[k], fd, &err) != 0) {
                assert_int_equal(err.id, UMX_ERR_BACKUP_INVALID);
                bad++;
            }
            close(fd);
        }
        if (bad == 0)
            fail_msg("%s was not noticed", changes[i]);
        umx_backup_close(backup);
        unlink(in("x.backup"));
    }
}

static void other_files_are_no_backups(void **state)
{
    struct umx_backup *backup;
    struct umx_state *store;
    struct umx_error err = {0};

    (void)state;
    assert_int_not_equal(umx_backup_open(in("absent"), &backup, &err), 0);
    assert_int_equal(err.id, UMX_ERR_FILE_UNREADABLE);
    write_file(in("text"),
               "not a database, and longer than a header of one would be, to be read as what it is not, for sure", 90);
    assert_int_not_equal(umx_backup_open(in("text"), &backup, &err), 0);
    assert_int_equal(err.id, UMX_ERR_BACKUP_INVALID);
    assert_int_equal(umx_state_open(in("state.db"), &store, NULL), 0);
    umx_state_close(store);
    assert_int_not_equal(umx_backup_open(in("state.db"), &backup, &err), 0);
    assert_int_equal(err.id, UMX_ERR_BACKUP_INVALID);
    /* Every cut of one is refused, or gives what it had. */
    make_backup(in("x.backup"));
    FILE *file = fopen(in("x.backup"), "rb");
    static char bytes[3000000];
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t cut = 0; cut < length; cut += length / 23 + 1) {
        write_file(in("cut"), bytes, cut);
        if (umx_backup_open(in("cut"), &backup, NULL) != 0)
            continue;
        int fd = open(in("out"), O_RDWR | O_CREAT | O_TRUNC, 0600);
        int status = umx_backup_each(backup, note, NULL, NULL);
        if (status == 0)
            status = umx_backup_write(backup, "journal.db", fd, NULL);
        assert_true(status != 0 || lseek(fd, 0, SEEK_END) == 2500000);
        close(fd);
        umx_backup_close(backup);
    }
}

/* ---- the databases */

static struct umx_journal_file *journal;

static void append(int count)
{
    static char plan[] = "p", text[] = "an entry";

    for (int i = 0; i < count; i++) {
        Umx__Journal entry = UMX__JOURNAL__INIT;
        entry.has_kind = 1;
        entry.kind = UMX__JOURNAL__KIND__SUBMITTED;
        entry.plan = plan;
        entry.detail = text;
        assert_int_equal(umx_journal_append(journal, &entry, NULL), 0);
    }
}

static void *append_more(void *user)
{
    (void)user;
    append(300);
    return NULL;
}

static void a_journal_is_copied_while_it_grows(void **state)
{
    struct umx_journal_file *copy;
    pthread_t thread;
    int64_t entries, first_bad;

    (void)state;
    assert_int_equal(umx_journal_open(in("journal.db"), &journal, NULL), 0);
    append(200);
    assert_int_equal(pthread_create(&thread, NULL, append_more, NULL), 0);
    for (int i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "copy%d.db", i);
        assert_int_equal(umx_journal_copy(journal, in(name), NULL), 0);
        assert_int_equal(umx_journal_open(in(name), &copy, NULL), 0);
        assert_int_equal(umx_journal_verify(copy, NULL, &entries, &first_bad, NULL), 0);
        assert_int_equal(first_bad, 0);
        assert_true(entries >= 200 && entries <= 500);
        umx_journal_close(copy);
    }
    pthread_join(thread, NULL);
    assert_int_not_equal(umx_journal_copy(journal, in("copy0.db"), NULL), 0); /* over nothing */
    umx_journal_close(journal);
}

/* ---- the commands, without a controller */

static int command(int (*run)(int argc, char **argv, struct umx_error *err), struct umx_error *err, const char *first,
                   const char *second, const char *third, const char *fourth)
{
    char words[4][256];
    char *argv[4] = {words[0], words[1], words[2], words[3]};
    const char *const given[4] = {first, second, third, fourth};
    int argc = 0;

    *err = (struct umx_error){0};
    for (; argc < 4 && given[argc] != NULL; argc++)
        snprintf(words[argc], sizeof words[argc], "%s", given[argc]);
    return run(argc, argv, err);
}

static void a_data_directory_comes_back(void **state)
{
    struct umx_state *store;
    struct umx_error err;
    struct stat info;
    char *value = NULL;

    (void)state;
    mkdir(in("data"), 0700);
    mkdir(in("data/ca"), 0700);
    mkdir(in("data/root"), 0700);
    write_file(in("data/root.pem"), "root", 4);
    write_file(in("data/ca/intermediate.key"), "secret", 6);
    write_file(in("data/root/root.key"), "the secret", 10);
    assert_int_equal(umx_state_open(in("data/state.db"), &store, NULL), 0);
    assert_int_equal(umx_state_set(store, "query.mine", "{}", NULL), 0);
    assert_int_equal(umx_journal_open(in("data/journal.db"), &journal, NULL), 0);
    append(20);
    umx_journal_close(journal);
    /* Somebody has the state: neither a controller that answers nor a directory at rest. */
    assert_int_not_equal(command(umx_command_backup, &err, in("x.backup"), "--data", in("data"), NULL), 0);
    assert_int_equal(err.id, UMX_ERR_STORE_LOCKED);
    assert_int_equal(access(in("x.backup"), F_OK), -1);
    umx_state_close(store);
    assert_int_equal(command(umx_command_backup, &err, in("x.backup"), "--data", in("data"), NULL), 0);
    assert_int_not_equal(command(umx_command_restore, &err, in("x.backup"), "--data", in("data"), NULL), 0);
    assert_int_equal(err.id, UMX_ERR_BACKUP_TARGET);
    assert_int_equal(command(umx_command_restore, &err, in("x.backup"), "--data", in("again"), NULL), 0);
    assert_int_equal(stat(in("again/ca/intermediate.key"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(access(in("again/root/root.key"), F_OK), -1);
    assert_int_equal(umx_state_open(in("again/state.db"), &store, NULL), 0);
    assert_int_equal(umx_state_get(store, "query.mine", &value, NULL), 0);
    assert_string_equal(value, "{}");
    umx_state_close(store);
    free(value);
    /* Without the authority. */
    assert_int_equal(command(umx_command_backup, &err, in("y.backup"), "--data", in("data"), "--without-authority"), 0);
    assert_int_equal(command(umx_command_restore, &err, in("y.backup"), "--data", in("third"), NULL), 0);
    assert_int_equal(access(in("third/root.pem"), F_OK), -1);
    assert_int_equal(access(in("third/journal.db"), F_OK), 0);
    /* Usage. */
    assert_int_not_equal(command(umx_command_backup, &err, in("z.backup"), NULL, NULL, NULL), 0);
    assert_int_equal(err.id, UMX_ERR_USAGE);
    assert_int_not_equal(command(umx_command_backup, &err, in("z.backup"), "--data", in("nowhere"), NULL), 0);
    assert_int_equal(access(in("z.backup"), F_OK), -1);
}

static void a_broken_journal_is_neither_backed_up_nor_restored(void **state)
{
    struct umx_state *store;
    struct umx_error err;
    sqlite3 *db = NULL;

    (void)state;
    mkdir(in("data"), 0700);
    assert_int_equal(umx_state_open(in("data/state.db"), &store, NULL), 0);
    umx_state_close(store);
    assert_int_equal(umx_journal_open(in("data/journal.db"), &journal, NULL), 0);
    append(20);
    umx_journal_close(journal);
    assert_int_equal(sqlite3_open(in("data/journal.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DELETE FROM entry WHERE sequence = 7", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_not_equal(command(umx_command_backup, &err, in("x.backup"), "--data", in("data"), NULL), 0);
    assert_int_equal(err.id, UMX_ERR_JOURNAL_BROKEN);
    assert_int_equal(access(in("x.backup"), F_OK), -1);
    assert_int_equal(access(in("x.backup.unfinished"), F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_goes_in_comes_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_replaced_and_nothing_half_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_name_leads_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changed_bytes_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_files_are_no_backups, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_journal_is_copied_while_it_grows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_data_directory_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_journal_is_neither_backed_up_nor_restored, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
