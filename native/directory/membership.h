/*
 * Which groups a user belongs to, nested, by SID: what approvals rest on.
 */
#ifndef UMX_DIRECTORY_MEMBERSHIP_H
#define UMX_DIRECTORY_MEMBERSHIP_H

#include "directory/connection.h"
#include "directory/readers.h"
#include "umx/v1/worker.pb-c.h"

/* found is false for a user that the forest's root domain does not have. enabled: neither disabled, nor expired,
 * nor locked out now; refused says which. The
 * result's group_sid are those asked for that the user's token holds (tokenGroups). In the arena. */
int umx_membership_read(struct umx_connection *connection, const Umx__Membership *asked, struct umx_arena *arena,
                        Umx__MembershipResult **result, struct umx_error *err);

/* The same, and in the other domains of the forest when the source's own does not know the user. */
int umx_membership_read_forest(const struct umx_readers_source *source, const Umx__Membership *asked,
                               struct umx_arena *arena, Umx__MembershipResult **out, struct umx_error *err);

/* Whether the forest has a domain of this name; a Kerberos realm is one, whatever its case. */
int umx_membership_has_domain(const struct umx_readers_source *source, const char *name, struct umx_arena *arena,
                              bool *has, struct umx_error *err);

#endif
