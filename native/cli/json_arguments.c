#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/when.h"

int umx_json_text(json_t *object, const char *key, const char *value)
{
    return value == NULL ? 0 : json_object_set_new(object, key, json_string(value));
}

int umx_json_list(json_t *object, const char *key, const struct umx_args *args, const char *option)
{
    json_t *list = NULL;

    for (size_t i = 0; umx_args_nth(args, option, i) != NULL; i++) {
        if (list == NULL)
            list = json_array();
        if (list == NULL || json_array_append_new(list, json_string(umx_args_nth(args, option, i))) != 0)
            return -1;
    }
    return list == NULL ? 0 : json_object_set_new(object, key, list);
}

int umx_json_time(json_t *object, const char *key, const char *value, const char *what, struct umx_error *err)
{
    char text[UMX_CLOCK_TEXT];
    int64_t at;

    if (value == NULL)
        return 0;
    int status = umx_when_parse(value, umx_clock_now(), what, &at, err);
    if (status != 0)
        return status;
    return json_object_set_new(object, key, json_string(umx_clock_format(at, text)));
}

int umx_json_number(json_t *object, const char *key, const char *value, const char *what, struct umx_error *err)
{
    char *end;

    if (value == NULL)
        return 0;
    errno = 0;
    long number = strtol(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || number < 0 || number > INT32_MAX)
        return umx_fail(err, UMX_ERR_USAGE, what, "`%s` is not a number from 0 to %d", value, INT32_MAX);
    return json_object_set_new(object, key, json_integer(number));
}
