#include "base/added.h"

#include <string.h>

/* Columns that mean the same in every table. */
static const struct {
    const char *name;
    const char *meaning;
} common[] = {
    {"server", "FQDN of the server that it is about."},
    {"forest", "DNS name of the forest's root domain."},
    {"collected_at", "When the source said it; rows that have not changed since keep their time."},
    {"source", "Who says so: an agent's identity, a domain controller, or the controller."},
    {"dn", "Distinguished name."},
    {"object_guid", "objectGUID in hex."},
    {"changed_at", "whenChanged on the domain controller that was read."},
    {"created_at", "When it was made."},
    {"name", "Its name."},
    {"display_name", "Name for people."},
    {"sid", "Security identifier."},
};

size_t umx_added_columns(const struct umx_table *table, struct umx_added_column out[UMX_ADDED_MAX])
{
    static const struct umx_added_column columns[UMX_ADDED_MAX] = {
        {"collected_at", "TEXT", "When it was worked out."},
        {"source", "TEXT", "Who says so."},
        {"age", "INTEGER",
         "Seconds since the source last said this, or said that nothing of it has changed; `collected_at` is when it "
         "last changed."},
        {"stale", "INTEGER",
         "1 when it may no longer be so: the agent is not connected, could not collect it, or has missed two reports; "
         "the forest could not be read. Else 0."},
    };
    size_t count = 0;

    for (size_t i = 0; i < UMX_ADDED_MAX; i++)
        if (protobuf_c_message_descriptor_get_field_by_name(table->record, columns[i].name) == NULL)
            out[count++] = columns[i];
    return count;
}

void umx_column_meaning(const struct umx_table *table, const ProtobufCFieldDescriptor *field, struct umx_text *out)
{
    const char *comment = umx_reflect_comment(table->record->short_name, field->name);
    const char *space = "";

    for (size_t i = 0; comment[0] == '\0' && i < sizeof common / sizeof common[0]; i++)
        if (strcmp(common[i].name, field->name) == 0)
            comment = common[i].meaning;
    umx_text_adds(out, comment);
    if (comment[0] != '\0')
        space = " ";
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        const ProtobufCEnumDescriptor *words = field->descriptor;
        umx_text_addf(out, "%sOne of", space);
        for (unsigned i = 0; i < words->n_values; i++) {
            char buf[24];
            umx_text_addf(out, "%s %s", i > 0 ? "," : "", umx_reflect_word(words, words->values[i].value, buf));
        }
        umx_text_adds(out, ".");
    } else if (comment[0] == '\0' && field->type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessageDescriptor *record = field->descriptor;
        umx_text_adds(out, umx_reflect_comment(record->short_name, NULL));
    }
}
