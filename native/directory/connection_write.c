#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "directory/connection_internal.h"

/* Everything is decided and nothing is sent. */

static const int kinds[] = {
    [UMX_MOD_DELETE] = LDAP_MOD_DELETE, [UMX_MOD_ADD] = LDAP_MOD_ADD, [UMX_MOD_REPLACE] = LDAP_MOD_REPLACE};

/* libldap's form of the changes: pointers into mods, which libldap only reads. */
static LDAPMod **make_mods(const struct umx_mod *mods, size_t count, struct umx_arena *arena)
{
    LDAPMod **made = umx_arena_alloc(arena, (count + 1) * sizeof *made);
    for (size_t i = 0; i < count && made; i++) {
        LDAPMod *mod = made[i] = umx_arena_alloc(arena, sizeof *mod);
        char *name = umx_arena_string(arena, mods[i].name);
        struct berval **values = umx_arena_alloc(arena, (mods[i].count + 1) * sizeof *values);
        if (!mod || !name || !values) {
            return NULL;
        }
        for (size_t k = 0; k < mods[i].count; k++) {
            const struct umx_value *from = &mods[i].values[k];
            values[k] = umx_arena_alloc(arena, sizeof **values);
            char *bytes = umx_arena_copy(arena, from->bytes, from->length);
            if (!values[k] || !bytes) {
                return NULL;
            }
            *values[k] = (struct berval){.bv_len = from->length, .bv_val = bytes};
        }
        mod->mod_op = kinds[mods[i].kind] | LDAP_MOD_BVALUES;
        mod->mod_type = name;
        mod->mod_bvalues = mods[i].count ? values : NULL;
    }
    return made;
}

/* The answer to a write. From here on silence means that nobody knows. */
static int finish(struct umx_connection *connection, int code, int id, const char *dn, struct umx_error *err)
{
    LDAPMessage *message = NULL;
    struct umx_error why = {0};
    int type;
    if (code == LDAP_SERVER_DOWN) {
        connection->broken = true;
        return umx_fail_code(err, UMX_ERR_STEP_UNCERTAIN, code, dn, "the connection to %s was lost while it was sent",
                             connection->host);
    }
    if (code != LDAP_SUCCESS) {
        return umx_ldap_fail(err, connection->ld, code, dn, NULL);
    }
    if (umx_connection_result(connection, id, false, &message, &type, dn, &why)) {
        return umx_fail_code(err, UMX_ERR_STEP_UNCERTAIN, why.foreign, dn, "sent to %s, then: %s", connection->host,
                             umx_error_why(&why));
    }
    umx_crash_point(UMX_CRASH_DIRECTORY_WRITE_AFTER, dn);
    char *text = NULL;
    if (ldap_parse_result(connection->ld, message, &code, NULL, &text, NULL, NULL, 0) != LDAP_SUCCESS) {
        code = LDAP_PROTOCOL_ERROR;
    }
    int status = code == LDAP_SUCCESS ? 0 : umx_ldap_fail(err, connection->ld, code, dn, text);
    ldap_memfree(text);
    ldap_msgfree(message);
    return status;
}

/* Before anything is sent: is there time for an answer? */
static int check_time(const struct umx_connection *connection, const char *dn, struct umx_error *err)
{
    struct timeval left;
    return umx_connection_time_left(connection, &left)
               ? 0
               : umx_fail(err, UMX_ERR_DIRECTORY_TIMEOUT, dn, "no time was left, nothing was sent");
}

enum { MODS_ARENA = 64 * 1024 * 1024 };

static int send_mods(struct umx_connection *connection, const char *dn, const struct umx_mod *mods, size_t count,
                     bool add, bool dacl, struct umx_error *err)
{
    LDAPControl control = umx_connection_dacl_control();
    LDAPControl *controls[] = {dacl ? &control : NULL, NULL};
    int status = check_time(connection, dn, err);
    if (status) {
        return status;
    }
    struct umx_arena *arena = umx_arena_new(MODS_ARENA);
    LDAPMod **made = arena ? make_mods(mods, count, arena) : NULL;
    if (!made) {
        umx_arena_free(arena);
        return umx_fail(err, UMX_ERR_ARENA_FULL, dn, NULL);
    }
    int id = 0;
    umx_crash_point(UMX_CRASH_DIRECTORY_WRITE_BEFORE, dn);
    int code = add ? ldap_add_ext(connection->ld, dn, made, controls, NULL, &id)
                   : ldap_modify_ext(connection->ld, dn, made, controls, NULL, &id);
    status = finish(connection, code, id, dn, err);
    umx_arena_free(arena);
    return status;
}

int umx_connection_modify(struct umx_connection *connection, const char *dn, const struct umx_mod *mods, size_t count,
                          bool dacl, struct umx_error *err)
{
    return send_mods(connection, dn, mods, count, false, dacl, err);
}

int umx_connection_add(struct umx_connection *connection, const char *dn, const struct umx_mod *mods, size_t count,
                       struct umx_error *err)
{
    return send_mods(connection, dn, mods, count, true, false, err);
}

int umx_connection_delete(struct umx_connection *connection, const char *dn, struct umx_error *err)
{
    int id = 0, status = check_time(connection, dn, err);
    if (status) {
        return status;
    }
    umx_crash_point(UMX_CRASH_DIRECTORY_WRITE_BEFORE, dn);
    int code = ldap_delete_ext(connection->ld, dn, NULL, NULL, &id);
    return finish(connection, code, id, dn, err);
}
