/* UM service and call-router settings, as the Exchange shell of this server shows them. */
#include <stdlib.h>

#include "agent/collect/shell_script.h"
#include "base/text.h"

static const struct source {
    const char *command;
    const char *service;
} sources[] = {
    /* 2013 and 2016 know Get-UMService, 2007 and 2010 Get-UMServer: one of the two is there. */
    {"Get-UMService", "MSExchangeUM"},
    {"Get-UMServer", "MSExchangeUM"},
    {"Get-UMCallRouterSettings", "MSExchangeUMCR"},
};

static char *lower(char *text)
{
    for (char *p = text; p != NULL && *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 32);
    return text;
}

static bool number_of(const char *text, long least, long most, int32_t *out)
{
    char *end = NULL;
    long number = text != NULL && *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;

    if (number < least || number > most || *end != '\0')
        return false;
    *out = (int32_t)number;
    return true;
}

static bool port_of(const char *text, int32_t *port)
{
    return number_of(text, 1, 65535, port);
}

static bool count_of(const char *text, int32_t *count)
{
    return number_of(text, 0, 1000000, count);
}

static void fill(struct umx_collect *collect, const struct umx_shell_record *record, const char *service)
{
    struct umx_rows *rows = collect->rows;
    Umx__UmSetting *row = umx_rows_add(rows, &umx__um_setting__descriptor);

    if (row == NULL)
        return;
    row->server = umx_rows_text(rows, collect->host->identity.fqdn);
    row->service = umx_rows_text(rows, service);
    row->startup_mode = lower(umx_rows_text(rows, umx_shell_value(record, "UMStartupMode", 0)));
    row->certificate_thumbprint = umx_rows_text(rows, umx_shell_value(record, "UMCertificateThumbprint", 0));
    row->sip_access_service = umx_rows_text(rows, umx_shell_value(record, "SIPAccessService", 0));
    row->has_tcp_port = port_of(umx_shell_value(record, "SipTcpListeningPort", 0), &row->tcp_port);
    row->has_tls_port = port_of(umx_shell_value(record, "SipTlsListeningPort", 0), &row->tls_port);
    row->has_active_calls = count_of(umx_shell_value(record, "ActiveCalls", 0), &row->active_calls);
    row->dial_plan = umx_shell_list(rows, record, "DialPlans", &row->n_dial_plan);
}

int umx_collect_um_setting(struct umx_collect *collect, struct umx_error *err)
{
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        struct umx_shell_record *records = NULL;
        size_t count = 0;
        int status = umx_shell_read(collect->host, collect->scratch, sources[i].command, &records, &count, err);
        if (status != 0)
            return status;
        for (size_t j = 0; j < count; j++)
            fill(collect, &records[j], sources[i].service);
    }
    return 0;
}
