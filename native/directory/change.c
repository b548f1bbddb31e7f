/* What applying and probing share. */
#include <ldap.h>
#include <string.h>

#include "base/text.h"
#include "directory/change_internal.h"
#include "directory/sddl.h"

const char umx_change_descriptor[] = "nTSecurityDescriptor";

int umx_change_load(const struct umx_change *work, bool dacl, struct umx_object *object, struct umx_error *err)
{
    ProtobufCBinaryData guid = {0};
    if (work->change->has_object_guid && work->change->object_guid.len) {
        guid = work->change->object_guid;
    } else if (work->change->kind != UMX__CHANGE__KIND__ADD && work->intent->has_object_guid) {
        guid = work->intent->object_guid;
    }
    return umx_object_load(work->connection, work->change->dn ? work->change->dn : "", guid, NULL, dacl, work->arena,
                           object, err);
}

int umx_change_report(const struct umx_change *work, const struct umx_object *object, struct umx_error *err)
{
    return umx_object_state(work->connection, work->schema, object, UMX_OBJECT_DESCRIPTOR, work->arena,
                            &work->result->state, err);
}

int64_t umx_change_intended_version(const struct umx_change *work, const char *name)
{
    uint32_t wanted, attid;
    if (!work->intent->n_version || !umx_object_attid(work->schema, work->connection, name, &wanted)) {
        return -1;
    }
    for (size_t i = 0; i < work->intent->n_version; i++) {
        const Umx__AttributeVersion *version = work->intent->version[i];
        if (version->name && umx_object_attid(work->schema, work->connection, version->name, &attid) &&
            attid == wanted) {
            return version->version;
        }
    }
    return 0; /* the intent has versions, and this attribute was never written */
}

int umx_change_ace(const Umx__AccessChange *access, struct umx_ace *ace, struct umx_error *err)
{
    bool object = access->type == UMX_ACE_ALLOW_OBJECT || access->type == UMX_ACE_DENY_OBJECT;
    if (object) {
        return umx_sddl_parse(access->sddl ? access->sddl : "", ace, err);
    }
    *ace = (struct umx_ace){
        .type = (uint8_t)access->type, .flags = (uint8_t)access->flags, .mask = (uint32_t)access->mask};
    if ((access->type != UMX_ACE_ALLOW && access->type != UMX_ACE_DENY) || access->flags < 0 || access->flags > 0x0F ||
        !access->trustee_sid) {
        return umx_fail(err, UMX_ERR_DESCRIPTOR_INVALID, access->sddl ? access->sddl : "access entry",
                        "only explicit allow and deny entries are written");
    }
    return umx_sid_parse(access->trustee_sid, ace->sid, &ace->sid_length, err);
}

/* One spelling for every DN: the server escapes in its own way. NULL when it is none. */
static char *normal_dn(const char *dn)
{
    LDAPDN parts = NULL;
    char *normal = NULL;
    if (ldap_str2dn(dn, &parts, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS &&
        ldap_dn2str(parts, &normal, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS) {
        normal = NULL;
    }
    ldap_dnfree(parts);
    return normal;
}

static bool same_dn(const char *a, const char *b)
{
    char *x = normal_dn(a), *y = normal_dn(b);
    bool same = x && y && umx_text_dn_equal(x, y);
    ldap_memfree(x);
    ldap_memfree(y);
    return same;
}

bool umx_change_has_value(const struct umx_object *object, const struct umx_schema_attribute *known, const char *name,
                          const void *bytes, size_t length)
{
    const struct umx_attribute *attribute = umx_entry_find(&object->entry, name);
    for (size_t i = 0; attribute && i < attribute->count; i++) {
        const struct umx_value *value = &attribute->values[i];
        if (value->length == length && memcmp(value->bytes, bytes, length) == 0) {
            return true;
        }
        if (known && known->dn && same_dn((const char *)value->bytes, bytes)) {
            return true;
        }
    }
    return false;
}
