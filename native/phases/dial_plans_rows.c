/* Phase 3: which rows of the input can be carried out. Each bad row is named with its reason; good ones are marked. */
#include <string.h>

#include "base/text.h"
#include "phases/build.h"
#include "phases/dial_plans.h"

static const Umx__Forest *exchange_forest(const Umx__World *world, const char *name)
{
    const Umx__Forest *forest = umx_find_forest(world, name);

    return forest != NULL && forest->has_side && forest->side != UMX__FOREST__SIDE__LYNC ? forest : NULL;
}

static bool has_control(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7F)
            return true;
    return false;
}

/* Why a name cannot be used, or NULL. */
static const char *bad_name(struct umx_steps *out, const char *name, size_t most)
{
    if (umx_or_empty(name)[0] == '\0')
        return "the name is empty";
    if (has_control(name))
        return "the name has control characters";
    if (strchr(name, ' ') != NULL)
        return "the name has a space, which Lync does not allow";
    if (umx_characters(name) > most)
        return umx_steps_say(out, "the name has %zu characters, at most %zu fit", umx_characters(name), most);
    return NULL;
}

/* ---- numbers */

/* What has the number already, other than the plan or auto attendant of that forest and name; NULL: nothing. */
static const char *owner_of(const struct umx_dp_work *work, const char *number, const char *forest, const char *plan,
                            const char *attendant)
{
    const Umx__World *world = work->view->world;

    for (size_t i = 0; i < world->n_dial_plan; i++) {
        const Umx__DialPlan *other = world->dial_plan[i];
        if (umx_text_equal(other->forest, forest) && umx_text_equal(other->name, plan))
            continue;
        for (size_t n = 0; n < other->n_access_number; n++)
            if (umx_text_equal(other->access_number[n], number))
                return umx_or_empty(other->dn);
    }
    for (size_t i = 0; i < world->n_auto_attendant; i++) {
        const Umx__AutoAttendant *other = world->auto_attendant[i];
        if (umx_text_equal(other->forest, forest) && umx_text_equal(other->name, attendant))
            continue;
        for (size_t n = 0; n < other->n_number; n++)
            if (umx_text_equal(other->number[n], number))
                return umx_or_empty(other->dn);
    }
    return NULL;
}

/* How often the rows of the input give the number. */
static size_t given(const Umx__Input *input, const char *number)
{
    size_t count = 0;

    for (size_t i = 0; i < input->n_dial_plan; i++)
        for (size_t n = 0; n < input->dial_plan[i]->n_access_number; n++)
            count += umx_text_equal(input->dial_plan[i]->access_number[n], number);
    for (size_t i = 0; i < input->n_auto_attendant; i++)
        for (size_t n = 0; n < input->auto_attendant[i]->n_number; n++)
            count += umx_text_equal(input->auto_attendant[i]->number[n], number);
    return count;
}

static const char *bad_numbers(const struct umx_dp_work *work, char *const *numbers, size_t count, const char *forest,
                               const char *plan, const char *attendant)
{
    for (size_t i = 0; i < count; i++) {
        if (!umx_is_e164(numbers[i]))
            return umx_steps_say(work->out, "%s is not E.164 (+ and 2 to 15 digits)", numbers[i]);
        const char *owner = owner_of(work, numbers[i], forest, plan, attendant);
        if (owner != NULL)
            return umx_steps_say(work->out, "%s has the number %s already", owner, numbers[i]);
        if (given(work->input, numbers[i]) > 1)
            return umx_steps_say(work->out, "the number %s is given more than once", numbers[i]);
    }
    return NULL;
}

/* ---- dial plans */

static const char *bad_against_rows(const struct umx_dp_work *work, size_t index)
{
    const Umx__InputDialPlan *row = work->input->dial_plan[index];

    for (size_t i = 0; i < work->input->n_dial_plan; i++) {
        const Umx__InputDialPlan *other = work->input->dial_plan[i];
        if (i != index && umx_text_equal(other->name, row->name))
            return umx_text_equal(other->forest, row->forest)
                       ? umx_steps_say(work->out, "row %d has the plan %s too", other->row, row->name)
                       : umx_steps_say(work->out,
                                       "row %d gives the name %s in %s: names have to be unique over all "
                                       "Exchange forests (V3.8)",
                                       other->row, row->name, umx_or_empty(other->forest));
    }
    return NULL;
}

static const char *bad_security(const struct umx_dp_work *work, const Umx__InputDialPlan *row)
{
    const char *word = umx_or_empty(row->security);
    struct umx_media media = umx_lync_media(work->view->world, work->view->pair->lync);

    if (*word == '\0')
        return NULL;
    if (!umx_text_equal(word, "secured") && !umx_text_equal(word, "sip_secured"))
        return umx_steps_say(work->out, "security %s is neither secured nor sip_secured", word);
    if (umx_text_equal(word, "sip_secured") && media.level == UMX_ENCRYPTION_REQUIRED)
        return umx_steps_say(work->out, "security sip_secured: Lync (%s) requires encryption, calls would fail (V4.2)",
                             media.source);
    return NULL;
}

static const char *bad_new(const struct umx_dp_work *work, const Umx__InputDialPlan *row)
{
    const Umx__World *world = work->view->world;
    const char *why = bad_name(work->out, row->name, UMX_PLAN_NAME_POLICY_MAX);

    if (why != NULL)
        return why;
    for (size_t i = 0; i < world->n_dial_plan; i++)
        if (umx_um_is_sip(world->dial_plan[i]) && umx_text_equal(world->dial_plan[i]->name, row->name))
            return umx_steps_say(work->out, "%s has the name: names have to be unique over all Exchange forests (V3.8)",
                                 umx_or_empty(world->dial_plan[i]->dn));
    if (!row->has_digits || row->digits < 1 || row->digits > UMX_PLAN_DIGITS_MAX)
        return "digits: 1 to 20 are possible, and they cannot be changed later";
    if (umx_or_empty(row->country_code)[0] == '\0' && work->country_needed)
        return "country_code: Exchange 2013 and later demand one, for example 49";
    return bad_security(work, row);
}

static const char *bad_plan(const struct umx_dp_work *work, size_t index)
{
    const Umx__InputDialPlan *row = work->input->dial_plan[index];
    const Umx__DialPlan *plan = umx_find_plan(work->view->world, row->forest, row->name);
    const char *why = bad_against_rows(work, index);

    if (why != NULL)
        return why;
    if (plan != NULL && !umx_um_is_sip(plan))
        return umx_steps_say(work->out, "%s has another URI type, which cannot be changed: choose another name",
                             umx_or_empty(plan->dn));
    if (plan != NULL && row->has_digits && plan->has_digits && row->digits != plan->digits)
        return umx_steps_say(work->out, "%s has %d digits, which cannot be changed", umx_or_empty(plan->dn),
                             plan->digits);
    if (plan == NULL)
        why = bad_new(work, row);
    if (why == NULL && umx_or_empty(row->country_code)[0] != '\0' && !umx_is_digits(row->country_code, 1, 4))
        why = umx_steps_say(work->out, "country_code %s: 1 to 4 digits are possible", row->country_code);
    if (why == NULL)
        why = bad_numbers(work, row->access_number, row->n_access_number, row->forest, row->name, NULL);
    return why;
}

/* ---- auto attendants */

/* The plan that the row names: it is there, or a good row makes it. Judged after the dial plans. */
static bool plan_will_be(const struct umx_dp_work *work, const Umx__InputAutoAttendant *row)
{
    const Umx__DialPlan *plan = umx_find_plan(work->view->world, row->forest, row->dial_plan);

    if (plan != NULL)
        return umx_um_is_sip(plan);
    for (size_t i = 0; i < work->input->n_dial_plan; i++)
        if (work->plan_good[i] && umx_text_equal(work->input->dial_plan[i]->name, row->dial_plan))
            return true;
    return false;
}

static bool same_numbers(const Umx__AutoAttendant *attendant, const Umx__InputAutoAttendant *row)
{
    size_t found = 0;

    for (size_t i = 0; i < row->n_number; i++)
        for (size_t k = 0; k < attendant->n_number; k++)
            found += umx_text_equal(row->number[i], attendant->number[k]);
    return row->n_number == attendant->n_number && found == row->n_number;
}

static const char *bad_existing(const struct umx_dp_work *work, const Umx__InputAutoAttendant *row,
                                const Umx__AutoAttendant *attendant)
{
    const Umx__DialPlan *plan = umx_find_plan(work->view->world, row->forest, row->dial_plan);

    if (plan == NULL || !umx_text_dn_equal(attendant->dial_plan_dn, plan->dn))
        return umx_steps_say(work->out, "%s belongs to %s, which cannot be changed", umx_or_empty(attendant->dn),
                             umx_or_empty(attendant->dial_plan_dn));
    if (row->n_number > 0 && !same_numbers(attendant, row))
        return umx_steps_say(work->out, "%s has other numbers: `Set-UMAutoAttendant %s -PilotIdentifierList ...`",
                             umx_or_empty(attendant->dn), umx_shell_quote(work->out, row->name));
    return NULL;
}

static const char *bad_attendant(const struct umx_dp_work *work, size_t index)
{
    const Umx__InputAutoAttendant *row = work->input->auto_attendant[index];
    const Umx__World *world = work->view->world;

    for (size_t i = 0; i < work->input->n_auto_attendant; i++)
        if (i != index && umx_text_equal(work->input->auto_attendant[i]->forest, row->forest) &&
            umx_text_equal(work->input->auto_attendant[i]->name, row->name))
            return umx_steps_say(work->out, "row %d has the auto attendant %s too", work->input->auto_attendant[i]->row,
                                 umx_or_empty(row->name));
    if (!plan_will_be(work, row))
        return umx_steps_say(work->out, "%s has no SIP dial plan %s, and no good row makes it", row->forest,
                             umx_or_empty(row->dial_plan));
    for (size_t i = 0; i < world->n_auto_attendant; i++)
        if (umx_text_equal(world->auto_attendant[i]->forest, row->forest) &&
            umx_text_equal(world->auto_attendant[i]->name, row->name))
            return bad_existing(work, row, world->auto_attendant[i]);
    const char *why = bad_name(work->out, row->name, UMX_PLAN_NAME_MAX);
    if (why == NULL && row->n_number == 0)
        why = "number: an auto attendant without one cannot be called (GL8)";
    if (why == NULL)
        why = bad_numbers(work, row->number, row->n_number, row->forest, NULL, row->name);
    return why;
}

/* ---- all rows */

/* Whether the row is of this pair's forest; one of no Exchange forest at all is refused. */
static bool ours(struct umx_dp_work *work, const char *table, int32_t number, const char *forest)
{
    if (exchange_forest(work->view->world, umx_or_empty(forest)) == NULL) {
        umx_steps_reject(work->out, table, number, "%s is no Exchange forest of this deployment",
                         umx_or_empty(forest)[0] != '\0' ? forest : "forest");
        return false;
    }
    return umx_text_equal(forest, work->view->pair->exchange);
}

void umx_dp_judge_rows(struct umx_dp_work *work)
{
    const Umx__Input *input = work->input;

    for (size_t i = 0; i < input->n_dial_plan; i++) {
        const Umx__InputDialPlan *row = input->dial_plan[i];
        if (!ours(work, "dial_plan", row->row, row->forest))
            continue;
        const char *why = bad_plan(work, i);
        work->plan_good[i] = why == NULL;
        if (why != NULL)
            umx_steps_reject(work->out, "dial_plan", row->row, "%s", why);
    }
    for (size_t i = 0; i < input->n_auto_attendant; i++) {
        const Umx__InputAutoAttendant *row = input->auto_attendant[i];
        if (!ours(work, "auto_attendant", row->row, row->forest))
            continue;
        const char *why = bad_attendant(work, i);
        work->attendant_good[i] = why == NULL;
        if (why != NULL)
            umx_steps_reject(work->out, "auto_attendant", row->row, "%s", why);
    }
}
