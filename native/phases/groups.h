/*
 * Group expressions (spec 0.6) over the meanings of administrative groups (AdminGroup.meaning).
 *
 *   expression  = conditional { "or" conditional }
 *   conditional = conjunction [ "if" WORD [ "else" conditional ] ]
 *   conjunction = primary { "and" primary }
 *   primary     = WORD | "(" expression ")" | "same" "(" expression ")"
 *
 * A WORD after `if` is a condition (first_exchange_server, exchange_2010, ...); the planner resolves it, so that a
 * step's expression has none left. An unresolved condition demands both branches: nothing is given away by not knowing.
 * `same(...)` must be satisfied by one person. An empty text is no expression: nobody satisfies it.
 */
#ifndef UMX_PHASES_GROUPS_H
#define UMX_PHASES_GROUPS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/* Expressions that several places need. */
#define UMX_GROUPS_ORGANIZATION "(organization_management if exchange_2010 else organization_administrators)"
#define UMX_GROUPS_RECIPIENT "(recipient_management if exchange_2010 else recipient_administrators)"
#define UMX_GROUPS_SERVER "(server_management if exchange_2010 else organization_administrators)"
#define UMX_GROUPS_FORESTS "(enterprise_admins if first_exchange_server else " UMX_GROUPS_ORGANIZATION ")"
#define UMX_GROUPS_TRUST "enterprise_admins or domain_admins"

/* What one person was proven to be in. local_administrators@HOST holds where the expression is about that server. */
struct umx_person {
    const char *const *meanings;
    size_t count;
    const char *server; /* what the expression is about: an FQDN, or a name without a dot; NULL for none */
};

/* False when the expression cannot be parsed. */
bool umx_groups_valid(const char *expression);

/* Whether people together satisfy the expression: each word by one of them, `same(...)` by one alone. A word is
 * satisfied by its own meaning or by one that includes it: Organization Management of 2010 and later counts as
 * Organization, Server and Recipient administrator. An expression that cannot be parsed is satisfied by nobody. */
bool umx_groups_satisfied_by(const char *expression, const struct umx_person *people, size_t count);

/* The same for the union of their meanings, as though one person had them all. */
bool umx_groups_satisfied(const char *expression, const char *const *meanings, size_t n);

/* What is missing, for people: "recipient_management" or "enterprise_admins or domain_admins"; "" when satisfied. In
 * the arena; NULL when it is full. */
const char *umx_groups_missing(const char *expression, const char *const *meanings, size_t n, struct umx_arena *arena);
const char *umx_groups_missing_of(const char *expression, const struct umx_person *person, struct umx_arena *arena);

/* The expression without conditions: those listed hold, the others do not. In the arena; NULL when it is full or the
 * expression cannot be parsed. */
char *umx_groups_resolve(const char *expression, const char *const *conditions, size_t n, struct umx_arena *arena);

#endif
