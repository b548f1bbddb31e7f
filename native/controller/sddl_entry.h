/*
 * One access-control entry in SDDL, as numbers: two writers of SDDL may order flags and rights differently, so entries
 * are compared by what they mean.
 */
#ifndef UMX_CONTROLLER_SDDL_ENTRY_H
#define UMX_CONTROLLER_SDDL_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

enum { UMX_ENTRY_INHERITED = 0x10, UMX_SDDL_SID_MAX = 192 };

struct umx_sddl_entry {
    int type;  /* ACE type: 0 allow, 1 deny, 5 object allow, 6 object deny */
    int flags; /* ACE flags */
    uint32_t mask;
    char object[40]; /* GUID texts, lower case, or "" */
    char inherited_object[40];
    char trustee[UMX_SDDL_SID_MAX]; /* S-1-... or an SDDL alias, upper case */
};

/* False when the text is no entry of a kind that umx writes or compares. */
bool umx_sddl_entry_parse(const char *text, struct umx_sddl_entry *out);
bool umx_sddl_entry_equal(const struct umx_sddl_entry *a, const struct umx_sddl_entry *b);

#endif
