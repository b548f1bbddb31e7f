/*
 * Only what leads to the SID is read: the fixed part, then the deferred parts in their order up to the domain's SID.
 * There is no library for it in C but Samba's own, whose process we do not want to be.
 */
#include "directory/pac.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    HEADER = 20, /* type serialization headers and the referent of the structure */
    FIXED = 216, /* bytes of the structure itself */
    USER_ID = 100,
    GROUP_COUNT = 108,
    GROUP_IDS = 112,
    DOMAIN_SID = 152,
    GROUP_BYTES = 8,
    DOMAIN_SUBS = 4, /* 21 and the domain's three */
};

/* Places of the pointers of strings, before and after the groups. */
static const size_t strings_before[] = {52, 60, 68, 76, 84, 92};
static const size_t strings_after[] = {140, 148};

struct reader {
    const uint8_t *bytes;
    size_t length;
    size_t at;
    bool bad;
};

static uint32_t number_at(const struct reader *reader, size_t at)
{
    const uint8_t *p = reader->bytes + at;

    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t take_number(struct reader *reader)
{
    reader->bad = reader->bad || reader->length - reader->at < 4;
    if (reader->bad)
        return 0;
    reader->at += 4;
    return number_at(reader, reader->at - 4);
}

/* Elements of a conformant array, and what rounds them up to four bytes. */
static void skip(struct reader *reader, uint64_t count, size_t size)
{
    uint64_t bytes = (count * size + 3) & ~(uint64_t)3;

    reader->bad = reader->bad || bytes > reader->length - reader->at;
    if (!reader->bad)
        reader->at += (size_t)bytes;
}

static void skip_strings(struct reader *reader, const size_t *places, size_t count)
{
    for (size_t i = 0; i < count && !reader->bad; i++) {
        if (number_at(reader, HEADER + places[i]) == 0)
            continue;
        uint32_t most = take_number(reader), offset = take_number(reader), actual = take_number(reader);
        reader->bad = reader->bad || offset != 0 || actual > most;
        skip(reader, actual, 2);
    }
}

static void skip_groups(struct reader *reader)
{
    if (reader->bad || number_at(reader, HEADER + GROUP_IDS) == 0)
        return;
    uint32_t count = take_number(reader);
    reader->bad = reader->bad || count != number_at(reader, HEADER + GROUP_COUNT);
    skip(reader, count, GROUP_BYTES);
}

static int refuse(struct umx_error *err, const char *why)
{
    return umx_fail(err, UMX_ERR_PROOF_REFUSED, "ticket", "%s", why);
}

int umx_pac_sid(const uint8_t *bytes, size_t length, char sid[UMX_SID_TEXT], struct umx_error *err)
{
    static const uint8_t version_and_order[] = {1, 0x10, 8, 0};
    struct reader reader = {.bytes = bytes, .length = length, .at = HEADER + FIXED};
    char domain[UMX_SID_TEXT] = "";
    uint32_t part[3];

    if (length < HEADER + FIXED || memcmp(bytes, version_and_order, sizeof version_and_order) != 0)
        return refuse(err, "its logon information is not readable");
    skip_strings(&reader, strings_before, sizeof strings_before / sizeof *strings_before);
    skip_groups(&reader);
    skip_strings(&reader, strings_after, sizeof strings_after / sizeof *strings_after);
    bool has_domain = !reader.bad && number_at(&reader, HEADER + DOMAIN_SID) != 0;
    uint32_t subs = has_domain ? take_number(&reader) : 0;
    size_t size = reader.bad ? 0 : umx_sid_length(bytes + reader.at, length - reader.at);
    uint32_t user = number_at(&reader, HEADER + USER_ID);
    if (reader.bad || !has_domain || subs != DOMAIN_SUBS || size != 8 + 4 * DOMAIN_SUBS ||
        umx_sid_text(bytes + reader.at, size, domain, NULL) != 0)
        return refuse(err, "its logon information has no SID of a domain");
    if (user == 0 || strncmp(domain, "S-1-5-21-", 9) != 0)
        return refuse(err, "its logon information names no account of a domain");
    for (size_t i = 0; i < 3; i++)
        part[i] = number_at(&reader, reader.at + 12 + 4 * i);
    snprintf(sid, UMX_SID_TEXT, "S-1-5-21-%lu-%lu-%lu-%lu", (unsigned long)part[0], (unsigned long)part[1],
             (unsigned long)part[2], (unsigned long)user);
    return 0;
}
