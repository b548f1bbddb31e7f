/* From events to the document: a source of events that the test writes down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"
#include "cli/pump.h"

enum { ITEM = UMX__RUN_EVENT__KIND__ITEM, PROGRESS = UMX__RUN_EVENT__KIND__PROGRESS };
enum {
    WARNING = UMX__RUN_EVENT__KIND__WARNING,
    ERROR_EVENT = UMX__RUN_EVENT__KIND__ERROR,
    END = UMX__RUN_EVENT__KIND__END
};

struct line {
    int kind; /* 0: a timeout; -1: the connection breaks */
    const char *type;
    const char *json;
};

struct script {
    const struct line *lines;
    size_t count, at;
    bool cancelled;
};

static bool pressed;

static int next(void *user, uint32_t timeout_ms, struct umx_pump_event *event, struct umx_error *err)
{
    struct script *script = user;

    assert_true(timeout_ms > 0 && timeout_ms <= 1000);
    if (script->cancelled || script->at == script->count)
        return UMX_PUMP_END;
    const struct line *line = &script->lines[script->at++];
    if (line->kind == 0)
        return UMX_PUMP_TIMEOUT;
    if (line->kind < 0)
        return umx_fail(err, UMX_ERR_PEER_UNREACHABLE, "controller", NULL);
    event->kind = (Umx__RunEvent__Kind)line->kind;
    umx_text_copy(event->type, sizeof event->type, line->type);
    event->body = json_loads(line->json, JSON_DECODE_ANY, NULL);
    return UMX_PUMP_EVENT;
}

static void cancel(void *user)
{
    ((struct script *)user)->cancelled = true;
}

static bool interrupted(void)
{
    return pressed;
}

struct run {
    struct umx_cli cli;
    struct script script;
    struct umx_document document;
    struct umx_error error;
    char *said;
    size_t said_length;
};

static int run(struct run *run, const char *operation, const struct line *lines, size_t count,
               const struct umx_call_sink *sink)
{
    *run = (struct run){.script = {.lines = lines, .count = count}};
    run->cli.err = open_memstream(&run->said, &run->said_length);
    assert_non_null(run->cli.err);
    const struct umx_pump_source source = {
        .user = &run->script, .next = next, .cancel = cancel, .interrupted = interrupted};
    assert_int_equal(umx_document_open(&run->document, operation, &run->error), 0);
    int status = umx_pump(&run->cli, &source, sink, &run->document, &run->error);
    fclose(run->cli.err);
    return status;
}

static void done(struct run *run)
{
    umx_document_close(&run->document);
    free(run->said);
}

#define RUN(r, operation, lines, sink) run(r, operation, lines, sizeof lines / sizeof lines[0], sink)

static void items_and_scalars_become_one_document(void **state)
{
    static const struct line lines[] = {
        {ITEM, "findings", "{\"id\":\"forests/trust\",\"status\":\"fail\"}"},
        {0, NULL, NULL},
        {PROGRESS, "progress", "{\"activity\":\"reading\",\"done\":1,\"total\":2}"},
        {ITEM, "findings", "{\"id\":\"forests/dns\",\"status\":\"pass\"}"},
        {END, "end", "{\"counts\":{\"pass\":1,\"fail\":1}}"},
    };
    struct run r;

    (void)state;
    assert_int_equal(RUN(&r, "check", lines, NULL), 0);
    char *text = json_dumps(r.document.root, JSON_COMPACT);
    assert_string_equal(text, "{\"findings\":[{\"id\":\"forests/trust\",\"status\":\"fail\"},{\"id\":\"forests/dns\","
                              "\"status\":\"pass\"}],\"counts\":{\"pass\":1,\"fail\":1}}");
    free(text);
    assert_string_equal(r.said, ""); /* standard error is no terminal here */
    assert_string_equal(r.document.primary, "findings");
    done(&r);
}

static void promised_arrays_are_there_when_empty(void **state)
{
    static const struct line lines[] = {{END, "end", "{\"asked\":0,\"answered\":0}"}};
    struct run r;

    (void)state;
    assert_int_equal(RUN(&r, "query", lines, NULL), 0);
    char *text = json_dumps(r.document.root, JSON_COMPACT);
    assert_string_equal(text, "{\"rows\":[],\"silent\":[],\"asked\":0,\"answered\":0}");
    free(text);
    done(&r);
}

static void warnings_are_said_and_make_it_partial(void **state)
{
    static const struct line unreachable[] = {
        {WARNING, "warning",
         "{\"id\":\"UMX-1201\",\"what\":\"a.test\",\"why\":\"no answer\",\"remedy\":\"look\",\"status\":-9}"},
        {END, "end", "{}"},
    };
    static const struct line harmless[] = {{WARNING, "warning", "{\"id\":\"UMX-1702\",\"status\":-16}"},
                                           {END, "end", "{}"}};
    struct run r;

    (void)state;
    assert_int_equal(RUN(&r, "status", unreachable, NULL), 0);
    assert_true(r.document.partial);
    assert_string_equal(r.said, "umx: warning UMX-1201: a.test: no answer; look\n");
    done(&r);
    assert_int_equal(RUN(&r, "status", harmless, NULL), 0);
    assert_false(r.document.partial);
    assert_int_equal(r.document.warnings, 1);
    done(&r);
}

static void an_error_about_one_target_is_said_and_the_rest_stands(void **state)
{
    static const struct line lines[] = {
        {ERROR_EVENT, "error",
         "{\"id\":\"UMX-1201\",\"what\":\"a.test\",\"why\":\"no\",\"remedy\":\"look\",\"status\":-9}"},
        {ITEM, "rows", "{}"},
        {END, "end", "{}"}};
    struct run r;

    (void)state;
    assert_int_equal(RUN(&r, "query", lines, NULL), 0);
    assert_true(r.document.partial);
    assert_string_equal(r.said, "umx: error UMX-1201: a.test: no; look\n");
    assert_int_equal(json_array_size(umx_document_array(&r.document, "rows")), 1);
    done(&r);
}

static void error_bodies_become_errors(void **state)
{
    json_t *body = json_pack("{s:s,s:s,s:s,s:i}", "id", "UMX-1306", "what", "p1", "why", "gone", "status", -5);
    struct umx_error err = {0};

    (void)state;
    assert_int_equal(umx_document_error(body, &err), UMX_E_NOT_FOUND);
    assert_int_equal(err.id, UMX_ERR_PLAN_NOT_FOUND);
    assert_string_equal(err.what, "p1");
    assert_string_equal(err.why, "gone");
    assert_int_equal(umx_document_error(NULL, &err), UMX_E_FORMAT);
    assert_int_equal(err.id, UMX_ERR_ANSWER_INVALID);
    json_decref(body);
}

static void hostile_answers_are_refused(void **state)
{
    static const struct line no_end[] = {{ITEM, "rows", "{}"}};
    static const struct line no_json[] = {{ITEM, "rows", "{"}, {END, "end", "{}"}};
    static const struct line no_type[] = {{ITEM, "", "{}"}, {END, "end", "{}"}};
    static const struct line after_end[] = {{END, "end", "{}"}, {-1, NULL, NULL}};
    static const struct line broken[] = {{ITEM, "rows", "{}"}, {-1, NULL, NULL}};
    struct run r;

    (void)state;
    assert_int_equal(RUN(&r, "query", no_end, NULL), UMX_E_FORMAT);
    assert_int_equal(r.error.id, UMX_ERR_ANSWER_INVALID);
    done(&r);
    assert_int_equal(RUN(&r, "query", no_json, NULL), UMX_E_FORMAT);
    assert_true(r.script.cancelled);
    done(&r);
    assert_int_equal(RUN(&r, "query", no_type, NULL), UMX_E_FORMAT);
    done(&r);
    assert_int_equal(RUN(&r, "query", after_end, NULL), 0);
    assert_int_equal(r.script.at, 1); /* after the end nothing is asked */
    done(&r);
    assert_int_equal(RUN(&r, "query", broken, NULL), UMX_E_UNREACHABLE);
    done(&r);
}

static void an_interrupt_cancels(void **state)
{
    static const struct line lines[] = {{ITEM, "entries", "{}"}, {END, "end", "{}"}};
    struct run r;

    (void)state;
    pressed = true;
    assert_int_equal(RUN(&r, "plan.watch", lines, NULL), UMX_E_CANCELLED);
    pressed = false;
    assert_true(r.script.cancelled);
    assert_int_equal(r.error.id, UMX_ERR_CANCELLED);
    assert_int_equal(umx_status_exit(r.error.status), 1);
    done(&r);
}

static size_t seen;

static int take(void *user, const char *type, const json_t *item, struct umx_error *err)
{
    assert_string_equal(type, "records");
    assert_true(json_is_object(item));
    seen++;
    return user == NULL ? 0 : umx_fail(err, UMX_ERR_FILE_UNWRITABLE, "x", NULL);
}

static void a_sink_takes_the_items(void **state)
{
    static const struct line lines[] = {{ITEM, "records", "{}"}, {ITEM, "records", "{}"}, {END, "end", "{\"n\":2}"}};
    const struct umx_call_sink drops = {.item = take}, keeps = {.item = take, .keep = true};
    const struct umx_call_sink refuses = {.item = take, .user = &seen};
    struct run r;

    (void)state;
    seen = 0;
    assert_int_equal(RUN(&r, "snapshot", lines, &drops), 0);
    assert_int_equal(seen, 2);
    assert_null(umx_document_array(&r.document, "records"));
    done(&r);
    assert_int_equal(RUN(&r, "snapshot", lines, &keeps), 0);
    assert_int_equal(json_array_size(umx_document_array(&r.document, "records")), 2);
    done(&r);
    assert_int_equal(RUN(&r, "snapshot", lines, &refuses), UMX_E_IO);
    assert_int_equal(r.error.id, UMX_ERR_FILE_UNWRITABLE);
    assert_true(r.script.cancelled);
    done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_and_scalars_become_one_document),
        cmocka_unit_test(promised_arrays_are_there_when_empty),
        cmocka_unit_test(warnings_are_said_and_make_it_partial),
        cmocka_unit_test(an_error_about_one_target_is_said_and_the_rest_stands),
        cmocka_unit_test(error_bodies_become_errors),
        cmocka_unit_test(hostile_answers_are_refused),
        cmocka_unit_test(an_interrupt_cancels),
        cmocka_unit_test(a_sink_takes_the_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
