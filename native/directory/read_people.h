/*
 * Users and contacts of all domains of a forest.
 */
#ifndef UMX_DIRECTORY_READ_PEOPLE_H
#define UMX_DIRECTORY_READ_PEOPLE_H

#include "directory/reading.h"

/* Connects to the child domains; what cannot be reached is incomplete. The root domain is the reading's connection. */
int umx_read_domains_open(struct umx_reading *reading, struct umx_error *err);
void umx_read_domains_close(struct umx_reading *reading);

/* A domain controller of another domain of the forest. */
int umx_read_domain_connect(const struct umx_readers_source *asked, const char *name, struct umx_arena *arena,
                            struct umx_connection **connection, struct umx_error *err);

/* Users and contacts below base that match narrow too (NULL: all). */
int umx_read_people_in(struct umx_reading *reading, const struct umx_read_domain *domain, const char *base,
                       const char *narrow, struct umx_error *err);

/* What finds them: one filter an index, NULL at the end. */
const char *umx_read_people_filter(size_t index);

/* Enabled for Lync with Enterprise Voice: those whom pools count. */
bool umx_read_voice(const Umx__VoiceUser *user);

#endif
