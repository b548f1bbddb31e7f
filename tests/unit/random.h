/*
 * Choices made from a seed, and what random worlds are made of: the same seed gives the same choices everywhere.
 */
#ifndef UMX_TESTS_RANDOM_H
#define UMX_TESTS_RANDOM_H

#include "worlds.h"

enum { RW_TEXT = 400 };

struct rw {
    uint64_t seed;
    size_t serial; /* of what needs a name of its own */
    struct umx_world *world;
};

/* splitmix64 */
static inline uint64_t rw_next(struct rw *rw)
{
    uint64_t z = (rw->seed += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static inline size_t rw_below(struct rw *rw, size_t limit)
{
    return (size_t)(rw_next(rw) % limit);
}

static inline bool rw_chance(struct rw *rw, unsigned percent)
{
    return rw_below(rw, 100) < percent;
}

#define RW_PICK(rw, list) ((list)[rw_below((rw), sizeof(list) / sizeof((list)[0]))])

static inline char *rw_say(struct rw *rw, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline char *rw_say(struct rw *rw, const char *format, ...)
{
    char text[RW_TEXT];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return umx_arena_string(umx_world_arena(rw->world), text);
}

static inline char *rw_dn(struct rw *rw, const char *name, const char *parent)
{
    struct umx_text text = {0};

    umx_text_adds(&text, "CN=");
    umx_text_add_rdn(&text, name);
    char *dn = rw_say(rw, "%s,%s", umx_text_string(&text), parent);
    umx_text_free(&text);
    return dn;
}

static inline char **rw_list(struct rw *rw, size_t *count, char *const *values, size_t n)
{
    char **list = umx_arena_alloc(umx_world_arena(rw->world), (n + 1) * sizeof *list);

    assert_non_null(list);
    for (size_t i = 0; i < n; i++)
        list[i] = values[i];
    *count = n;
    return list;
}

static const char *const rw_odd_names[] = {
    "Berlin",      "Munich",      "Berlin North", "Lager, Halle 3", "Zürich",   "Ost.West",   "Ost.Nord",
    "O'Neil & Co", "A+B=C",       "#hash",        "Δοκιμή",         "berlin",   "x",          "100%",
    "<Süd>",       "Back\\slash", "semi;colon",   "Tel-(1)_2",      "Mu\"nich", "Berlin-SIP",
};

#endif
