#include "directory/ldap_error.h"

static const struct {
    int code;
    enum umx_error_id id;
} table[] = {
    {LDAP_SERVER_DOWN, UMX_ERR_FOREST_UNREACHABLE},
    {LDAP_CONNECT_ERROR, UMX_ERR_FOREST_UNREACHABLE},
    {LDAP_BUSY, UMX_ERR_FOREST_UNREACHABLE},
    {LDAP_UNAVAILABLE, UMX_ERR_FOREST_UNREACHABLE},
    {LDAP_TIMEOUT, UMX_ERR_DIRECTORY_TIMEOUT},
    {LDAP_TIMELIMIT_EXCEEDED, UMX_ERR_DIRECTORY_TIMEOUT},
    {LDAP_SIZELIMIT_EXCEEDED, UMX_ERR_DIRECTORY_LIMIT},
    {LDAP_ADMINLIMIT_EXCEEDED, UMX_ERR_DIRECTORY_LIMIT},
    {LDAP_AUTH_METHOD_NOT_SUPPORTED, UMX_ERR_BIND_REFUSED},
    {LDAP_STRONG_AUTH_REQUIRED, UMX_ERR_BIND_REFUSED},
    {LDAP_CONFIDENTIALITY_REQUIRED, UMX_ERR_BIND_REFUSED},
    {LDAP_INAPPROPRIATE_AUTH, UMX_ERR_BIND_REFUSED},
    {LDAP_INVALID_CREDENTIALS, UMX_ERR_BIND_REFUSED},
    {LDAP_LOCAL_ERROR, UMX_ERR_BIND_REFUSED}, /* what libldap makes of a GSSAPI failure */
    {LDAP_NO_SUCH_OBJECT, UMX_ERR_OBJECT_NOT_FOUND},
    {LDAP_INSUFFICIENT_ACCESS, UMX_ERR_ACCESS_DENIED},
    {LDAP_ALREADY_EXISTS, UMX_ERR_OBJECT_EXISTS},
    {LDAP_NO_SUCH_ATTRIBUTE, UMX_ERR_VALUE_CONFLICT},
    {LDAP_TYPE_OR_VALUE_EXISTS, UMX_ERR_VALUE_CONFLICT},
    {LDAP_NO_MEMORY, UMX_ERR_MEMORY},
};

enum umx_error_id umx_ldap_error_id(int code)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].code == code) {
            return table[i].id;
        }
    }
    return UMX_ERR_DIRECTORY_ERROR;
}

int umx_ldap_fail(struct umx_error *err, LDAP *ld, int code, const char *what, const char *text)
{
    char *own = NULL;
    if (!text && ld) {
        ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &own);
        text = own;
    }
    int status = text && *text ? umx_fail_code(err, umx_ldap_error_id(code), code, what, "LDAP %d, %s: %s", code,
                                               ldap_err2string(code), text)
                               : umx_fail_code(err, umx_ldap_error_id(code), code, what, "LDAP %d, %s", code,
                                               ldap_err2string(code));
    ldap_memfree(own);
    return status;
}
