/* Findings about many people: the first that are wrong by name, the others as numbers. */
#include "base/text.h"
#include "phases/people.h"

static void add(struct umx_tally *tally, Umx__Finding__Status status, const char *target, const char *actual,
                const char *remedy)
{
    struct umx_answer answer = {
        .status = status,
        .forest = tally->forest,
        .target = target,
        .expected = tally->expected,
        .actual = actual,
        .remedy = remedy,
    };
    umx_findings_add(tally->out, tally->view, tally->check, &answer);
}

void umx_tally_good(struct umx_tally *tally)
{
    tally->good++;
}

/* How bad a status is, for the finding that stands for many. */
static int rank(Umx__Finding__Status status)
{
    return status == UMX__FINDING__STATUS__FAIL ? 3 : status == UMX__FINDING__STATUS__UNKNOWN ? 2 : 1;
}

void umx_tally_bad(struct umx_tally *tally, Umx__Finding__Status status, const char *target, const char *actual,
                   const char *remedy)
{
    if (tally->named++ < UMX_PEOPLE_NAMED_MAX) {
        add(tally, status, target, actual, remedy);
        return;
    }
    if (tally->more++ == 0 || rank(status) > rank(tally->worst))
        tally->worst = status;
}

void umx_tally_end(struct umx_tally *tally, const char *none)
{
    if (tally->more > 0)
        add(tally, tally->worst, tally->forest,
            umx_say(tally->out, "%zu more, besides the %d that are named", tally->more, UMX_PEOPLE_NAMED_MAX), NULL);
    if (tally->good > 0)
        add(tally, UMX__FINDING__STATUS__PASS, tally->forest,
            umx_say(tally->out, "%zu user%s", tally->good, tally->good == 1 ? "" : "s"), NULL);
    else if (tally->named == 0)
        add(tally, UMX__FINDING__STATUS__NOT_APPLICABLE, tally->forest, none, NULL);
}

void umx_people_each(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out,
                     enum umx_people_scope scope, const char *expected, const char *none, umx_people_judge *judge)
{
    struct umx_people *people = umx_people_open(view);
    bool *subjects = people != NULL && scope == UMX_PEOPLE_OF_PAIR ? umx_people_subjects(people) : NULL;
    struct umx_tally tally = {
        .view = view, .check = check, .out = out, .forest = view->pair->lync, .expected = expected};

    if (people == NULL || (scope == UMX_PEOPLE_OF_PAIR && subjects == NULL)) {
        out->failed = 1;
        umx_people_close(people);
        return;
    }
    for (size_t i = 0; i < people->count; i++) {
        const struct umx_match *match = &people->matches[i];
        bool asked = subjects != NULL
                         ? subjects[i]
                         : umx_text_equal(match->voice->forest, view->pair->lync) && umx_voice_enabled(match->voice);
        if (asked)
            judge(people, match, &tally);
    }
    umx_tally_end(&tally, none);
    umx_people_close(people);
}
