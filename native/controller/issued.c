/*
 * ca/issued.tsv: what was issued, a line each, in the order of issue:
 * time, role, name, fqdn or forest, serial, end of validity, URI. Lines are appended in one write, so that `umxd issue`
 * beside a running controller does no harm; a line that is cut (a crash) is skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "controller/authority_internal.h"

enum { LINE_MAX_BYTES = 2048, FIELDS = 7 };

int umx_issued_add(const char *data, const struct umx_authority_leaf *leaf, const char *serial,
                   const struct umx_issued *issued, struct umx_error *err)
{
    struct umx_text line = {0};
    char now[UMX_CLOCK_TEXT];
    char end[UMX_CLOCK_TEXT];
    const char *where = leaf->forest != NULL ? leaf->forest : leaf->dns_count > 0 ? leaf->dns[0] : "";
    char *path = umx_authority_path(data, "ca/issued.tsv");
    int status = 0;

    umx_text_addf(&line, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", umx_clock_format(umx_clock_now(), now), leaf->role, leaf->name,
                  where, serial, umx_clock_format(issued->expires_at, end), issued->identity);
    int fd = path != NULL ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (path == NULL || line.failed)
        status = umx_fail(err, UMX_ERR_MEMORY, data, NULL);
    else if (fd < 0 || write(fd, line.data, line.length) != (ssize_t)line.length || fsync(fd) != 0)
        status = umx_fail_code(err, UMX_ERR_FILE_UNWRITABLE, errno, path, "%s", strerror(errno));
    if (fd >= 0)
        close(fd);
    umx_text_free(&line);
    free(path);
    return status;
}

/* Splits a line into its fields; false: it is not whole. */
static bool split(char *line, char *fields[FIELDS])
{
    size_t length = strlen(line);

    if (length == 0 || line[length - 1] != '\n')
        return false;
    line[length - 1] = '\0';
    for (int i = 0; i < FIELDS; i++) {
        fields[i] = line;
        char *tab = strchr(line, '\t');
        if ((tab == NULL) != (i == FIELDS - 1))
            return false;
        if (tab != NULL) {
            *tab = '\0';
            line = tab + 1;
        }
    }
    return true;
}

int umx_authority_issued_agents(struct umx_authority *authority,
                                int (*each)(void *user, const char *uri, const char *fqdn, int64_t expires_at),
                                void *user, struct umx_error *err)
{
    char *path = umx_authority_path(authority->data, "ca/issued.tsv");
    FILE *file = path != NULL ? fopen(path, "re") : NULL;
    char line[LINE_MAX_BYTES];
    char *fields[FIELDS];
    int status = 0;

    if (path == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, authority->data, NULL);
    if (file == NULL && errno != ENOENT)
        status = umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, path, "%s", strerror(errno));
    while (status == 0 && file != NULL && fgets(line, sizeof line, file) != NULL) {
        int64_t expires_at;
        if (!split(line, fields) || strcmp(fields[1], "agent") != 0 || umx_clock_parse(fields[5], &expires_at) != 0)
            continue;
        status = each(user, fields[6], fields[3], expires_at);
    }
    if (file != NULL)
        fclose(file);
    free(path);
    return status;
}
