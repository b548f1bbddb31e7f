#include "phases/phase.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "phases/people.h"

struct umx_view umx_view_of(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options)
{
    struct umx_view view = {
        .world = world,
        .pair = pair,
        .exchange = umx_find_forest(world, pair->exchange),
        .lync = umx_find_forest(world, pair->lync),
        .options = options,
    };
    view.same = umx_text_equal(pair->exchange, pair->lync);
    if (!view.same && view.exchange != NULL && view.lync != NULL && view.exchange->config_dn != NULL)
        view.same = umx_text_dn_equal(view.exchange->config_dn, view.lync->config_dn);
    return view;
}

const Umx__Forest *umx_find_forest(const Umx__World *world, const char *forest)
{
    for (size_t i = 0; i < world->n_forest; i++)
        if (umx_text_equal(world->forest[i]->forest, forest))
            return world->forest[i];
    return NULL;
}

const Umx__AdminGroup *umx_find_group(const Umx__World *world, const char *forest, const char *meaning)
{
    for (size_t i = 0; i < world->n_admin_group; i++) {
        const Umx__AdminGroup *group = world->admin_group[i];
        if (umx_text_equal(group->forest, forest) && umx_text_equal(group->meaning, meaning))
            return group;
    }
    return NULL;
}

const Umx__Container *umx_find_container(const Umx__World *world, const char *forest, Umx__Container__Kind kind)
{
    for (size_t i = 0; i < world->n_container; i++) {
        const Umx__Container *container = world->container[i];
        if (container->has_kind && container->kind == kind && umx_text_equal(container->forest, forest))
            return container;
    }
    return NULL;
}

const Umx__Agent *umx_find_agent(const Umx__World *world, const char *server)
{
    for (size_t i = 0; i < world->n_agent; i++)
        if (umx_text_equal(world->agent[i]->server, server))
            return world->agent[i];
    return NULL;
}

const Umx__Service *umx_find_service(const Umx__World *world, const char *server, const char *name)
{
    for (size_t i = 0; i < world->n_service; i++)
        if (umx_text_equal(world->service[i]->server, server) && umx_text_equal(world->service[i]->name, name))
            return world->service[i];
    return NULL;
}

size_t umx_forest_conditions(const Umx__World *world, const char *forest, const char *words[2])
{
    size_t servers = 0;
    size_t old = 0;
    size_t count = 0;

    for (size_t i = 0; i < world->n_exchange_server; i++) {
        const Umx__ExchangeServer *server = world->exchange_server[i];
        if (!umx_text_equal(server->forest, forest))
            continue;
        servers++;
        old += server->has_version_major && server->version_major == 8;
    }
    if (servers == 0)
        words[count++] = "first_exchange_server";
    if (servers == 0 || old < servers)
        words[count++] = "exchange_2010";
    return count;
}

bool umx_forest_readable(const Umx__Forest *forest)
{
    return forest != NULL && (forest->error == NULL || forest->error[0] == '\0');
}

const char *umx_forest_incomplete(const Umx__Forest *forest, const char *table)
{
    size_t length = strlen(table);

    for (size_t i = 0; i < forest->n_incomplete; i++) {
        const char *line = forest->incomplete[i];
        if (strncmp(line, table, length) == 0 && (line[length] == ':' || line[length] == '\0'))
            return line;
    }
    return NULL;
}

bool umx_word_in(const char *words, const char *word, size_t length)
{
    for (const char *p = words; *p != '\0';) {
        size_t n = strcspn(p, " ");
        if (n == length && strncmp(p, word, n) == 0)
            return true;
        p += n;
        p += strspn(p, " ");
    }
    return false;
}

bool umx_stale(const Umx__World *world, bool has_collected_at, int64_t collected_at)
{
    return has_collected_at && world->has_taken_at &&
           world->taken_at - collected_at > UMX_FACT_AGE_MAX_HOURS * UMX_HOUR;
}

const char *umx_or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static const char *format_in(struct umx_arena *arena, int *failed, const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = length >= 0 ? umx_arena_alloc(arena, (size_t)length + 1) : NULL;
    if (text == NULL) {
        *failed = 1;
        return "";
    }
    vsnprintf(text, (size_t)length + 1, format, args);
    return text;
}

const char *umx_say(struct umx_findings *out, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    const char *text = format_in(out->arena, &out->failed, format, args);
    va_end(args);
    return text;
}

const char *umx_say_agent(struct umx_findings *out, const char *forest, const char *server)
{
    if (server == NULL)
        return umx_say(out,
                       "install an agent on a Front End of %s: `umx token create --fqdn FQDN --forest %s`, then "
                       "`umx-agent enroll` there",
                       forest, forest);
    return umx_say(out,
                   "start the agent on %s, or install one: `umx token create --fqdn %s --forest %s`, then "
                   "`umx-agent enroll` there",
                   server, server, forest);
}

const char *umx_steps_say(struct umx_steps *out, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    const char *text = format_in(out->arena, &out->failed, format, args);
    va_end(args);
    return text;
}

/* Room for one more pointer: arenas cannot shrink or move, so the old array stays behind. */
static void *grow(struct umx_arena *arena, void *items, size_t count, size_t *capacity, int *failed)
{
    if (count < *capacity)
        return items;
    size_t larger = *capacity != 0 ? *capacity * 2 : 8;
    void *made = umx_arena_alloc(arena, larger * sizeof(void *));
    if (made == NULL) {
        *failed = 1;
        return NULL;
    }
    if (count > 0)
        memcpy(made, items, count * sizeof(void *));
    *capacity = larger;
    return made;
}

static char *keep(struct umx_arena *arena, const char *text, int *failed)
{
    char *copy = umx_arena_string(arena, text);

    if (copy == NULL && text != NULL)
        *failed = 1;
    return copy;
}

/* A command of the registry with its pair filled in: what stands there can be typed. */
static const char *fill_pair(struct umx_findings *out, const struct umx_view *view, const char *remedy)
{
    static const char mark[] = "EXCHANGE:LYNC";
    const char *at = remedy != NULL ? strstr(remedy, mark) : NULL;

    if (at == NULL)
        return remedy;
    return umx_arena_format(out->arena, "%.*s%s:%s%s", (int)(at - remedy), remedy, view->pair->exchange,
                            view->pair->lync, at + sizeof mark - 1);
}

void umx_findings_add(struct umx_findings *out, const struct umx_view *view, const struct umx_phase_check *check,
                      const struct umx_answer *answer)
{
    Umx__Finding *finding = umx_reflect_new(&umx__finding__descriptor, out->arena);
    Umx__Finding **items = grow(out->arena, out->items, out->count, &out->capacity, &out->failed);

    if (finding == NULL || items == NULL) {
        out->failed = 1;
        return;
    }
    bool quiet = answer->status == UMX__FINDING__STATUS__PASS || answer->status == UMX__FINDING__STATUS__NOT_APPLICABLE;
    const char *remedy = answer->remedy != NULL ? answer->remedy : quiet ? NULL : check->remedy;
    size_t slug = strcspn(check->id, "/");
    finding->id = keep(out->arena, check->id, &out->failed);
    finding->phase = umx_arena_copy(out->arena, check->id, slug);
    finding->forest = keep(out->arena, answer->forest, &out->failed);
    /* What is asked about may lack the very attribute that is its name. */
    finding->target = keep(out->arena, answer->target != NULL ? answer->target : "(without a name)", &out->failed);
    finding->has_status = 1;
    finding->status = answer->status;
    finding->expected = keep(out->arena, answer->expected, &out->failed);
    finding->actual = keep(out->arena, answer->actual, &out->failed);
    finding->remedy = keep(out->arena, fill_pair(out, view, remedy), &out->failed);
    finding->spec = keep(out->arena, check->spec, &out->failed);
    if (finding->phase == NULL)
        out->failed = 1;
    if (check->needs == UMX_NEEDS_BOTH) {
        finding->exchange = keep(out->arena, view->pair->exchange, &out->failed);
        finding->lync = keep(out->arena, view->pair->lync, &out->failed);
    }
    out->items = items;
    out->items[out->count++] = finding;
}

/* True when the forest cannot answer the check; the unknown finding is then made. */
static bool unread(const struct umx_view *view, const struct umx_phase_check *check, const Umx__Forest *forest,
                   const char *name, struct umx_findings *out)
{
    struct umx_answer answer = {
        .status = UMX__FINDING__STATUS__UNKNOWN, .forest = name, .target = name, .expected = check->question};

    /* A clock that is wrong is why the forest cannot be read. */
    if (forest != NULL && forest->has_clock_offset && strcmp(umx_or_empty(check->tables), UMX_CLOCK) == 0)
        return false;
    if (!umx_forest_readable(forest)) {
        answer.actual = forest == NULL ? umx_say(out, "forest %s was not read", name)
                                       : umx_say(out, "forest %s could not be read: %s", name, forest->error);
        answer.remedy =
            umx_say(out, "make %s readable (DNS, network, account; see `umx status`), then check again", name);
        umx_findings_add(out, view, check, &answer);
        return true;
    }
    for (const char *p = umx_or_empty(check->tables); *p != '\0';) {
        char table[64];
        size_t length = strcspn(p, " ");
        snprintf(table, sizeof table, "%.*s", (int)length, p);
        const char *why = umx_forest_incomplete(forest, table);
        if (why != NULL) {
            answer.actual = umx_say(out, "forest %s was read incompletely: %s", name, why);
            answer.remedy = umx_say(out, "give the reader its rights: `umx grants show %s`", name);
            umx_findings_add(out, view, check, &answer);
            return true;
        }
        p += length;
        p += strspn(p, " ");
    }
    return false;
}

int umx_checks_run(const struct umx_phase *phase, const Umx__World *world, const struct umx_pair *pair,
                   const struct umx_options *options, struct umx_findings *out, struct umx_error *err)
{
    struct umx_view view = umx_view_of(world, pair, options);
    struct umx_people *people = NULL;

    view.people = &people;
    for (const struct umx_phase_check *check = phase->checks; check->id != NULL; check++) {
        bool lost = false;
        if ((check->needs & UMX_NEEDS_EXCHANGE) != 0)
            lost = unread(&view, check, view.exchange, pair->exchange, out);
        if ((check->needs & UMX_NEEDS_LYNC) != 0 && !(view.same && check->needs == UMX_NEEDS_BOTH))
            lost = unread(&view, check, view.lync, pair->lync, out) || lost;
        if (!lost)
            check->run(&view, check, out);
    }
    umx_people_free(people);
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, "findings", NULL) : 0;
}

void umx_steps_note(struct umx_steps *out, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    const char *text = format_in(out->arena, &out->failed, format, args);
    va_end(args);
    for (size_t i = 0; i < out->note_count; i++)
        if (strcmp(out->notes[i], text) == 0)
            return;
    const char **notes = grow(out->arena, out->notes, out->note_count, &out->note_capacity, &out->failed);
    if (notes == NULL)
        return;
    out->notes = notes;
    out->notes[out->note_count++] = text;
}

char *umx_steps_copy(struct umx_steps *out, const char *text)
{
    return keep(out->arena, text, &out->failed);
}

Umx__PlanStep *umx_steps_add(struct umx_steps *out, const char *phase, Umx__Forest__Side side, const char *forest,
                             Umx__Change__Kind kind)
{
    Umx__PlanStep *step = umx_reflect_new(&umx__plan_step__descriptor, out->arena);
    Umx__Change *change = umx_reflect_new(&umx__change__descriptor, out->arena);
    Umx__Image *before = umx_reflect_new(&umx__image__descriptor, out->arena);
    Umx__Image *after = umx_reflect_new(&umx__image__descriptor, out->arena);
    Umx__PlanStep **items = grow(out->arena, out->items, out->count, &out->capacity, &out->failed);

    if (step == NULL || change == NULL || before == NULL || after == NULL || items == NULL) {
        out->failed = 1;
        return NULL;
    }
    step->id = umx_arena_format(out->arena, "s%zu", out->count + 1);
    step->phase = umx_steps_copy(out, phase);
    step->has_side = 1;
    step->side = side;
    step->forest = umx_steps_copy(out, forest);
    step->has_kind = 1;
    step->kind = kind;
    change->has_kind = 1;
    change->kind = kind;
    step->change = change;
    step->before = before;
    step->after = after;
    if (step->id == NULL)
        out->failed = 1;
    out->items = items;
    out->items[out->count++] = step;
    return step;
}

void umx_steps_push(struct umx_steps *out, char ***list, size_t *count, const char *text)
{
    char *copy = umx_steps_copy(out, text);

    if (copy == NULL)
        return;
    /* A protobuf-c list has no capacity: powers of two stand for it. */
    if ((*count & (*count - 1)) == 0) {
        char **made = umx_arena_alloc(out->arena, (*count == 0 ? 1 : *count * 2) * sizeof *made);
        if (made == NULL) {
            out->failed = 1;
            return;
        }
        if (*count > 0)
            memcpy(made, *list, *count * sizeof *made);
        *list = made;
    }
    (*list)[(*count)++] = copy;
}

void umx_steps_depend(struct umx_steps *out, Umx__PlanStep *step, const char *id)
{
    if (id == NULL)
        return;
    for (size_t i = 0; i < step->n_depends; i++)
        if (strcmp(step->depends[i], id) == 0)
            return;
    umx_steps_push(out, &step->depends, &step->n_depends, id);
}

void umx_steps_attribute(struct umx_steps *out, Umx__AttributeValues ***list, size_t *count, const char *name,
                         const char *value)
{
    Umx__AttributeValues *values = umx_reflect_new(&umx__attribute_values__descriptor, out->arena);
    Umx__AttributeValues **made = umx_arena_alloc(out->arena, (*count + 1) * sizeof *made);

    if (values == NULL || made == NULL) {
        out->failed = 1;
        return;
    }
    values->name = umx_steps_copy(out, name);
    if (value != NULL)
        umx_steps_push(out, &values->value, &values->n_value, value);
    if (*count > 0)
        memcpy(made, *list, *count * sizeof *made);
    made[(*count)++] = values;
    *list = made;
}
