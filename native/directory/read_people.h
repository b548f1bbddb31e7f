/*
 * Users and contacts of all domains of a forest.
 */
#ifndef UMX_DIRECTORY_READ_PEOPLE_H
#define UMX_DIRECTORY_READ_PEOPLE_H

#include "directory/reading.h"

/* Connects to the child domains; what cannot be reached is incomplete. The root domain is the reading's connection. */
int umx_read_domains_open(struct umx_reading *reading, struct umx_error *err);
void umx_read_domains_close(struct umx_reading *reading);

/* Enabled for Lync with Enterprise Voice: those whom pools count. */
bool umx_read_voice(const Umx__VoiceUser *user);

#endif
