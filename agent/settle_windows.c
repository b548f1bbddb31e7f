#include "agent/settle.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

#include "agent/config.h"
#include "agent/host/windows_access.h"
#include "agent/host/windows_text.h"
#include "base/open.h"

int umx_settle(const char *config, const char *controller, struct umx_error *err)
{
    wchar_t folder[UMX_AGENT_PATH_MAX];
    size_t length = umx_folder_length(config);
    wchar_t *end;
    FILE *file;
    int status;

    if (length < 2 || umx_wide(config, folder, UMX_AGENT_PATH_MAX) != 0)
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, config, "it is named with the whole path of its folder");
    if (strpbrk(controller, "\r\n") != NULL)
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, "--controller", "it is HOST:PORT");
    for (end = folder + wcslen(folder); end > folder && *end != L'\\' && *end != L'/'; end--)
        continue;
    *end = L'\0';
    status = umx_access_make_folder(folder, UMX_ACCESS_FOLDER, config, err);
    if (status != 0 || umx_exists(config))
        return status;
    if ((file = umx_open(config, "wb")) == NULL)
        return umx_fail(err, UMX_ERR_FILE_UNWRITABLE, config, NULL);
    fprintf(file,
            "; Every setting: docs of umx-agent. The agent reads it when it starts.\r\n[agent]\r\ncontroller = %s\r\n"
            "identity = %.*sidentity.pem\r\nstate = %.*s\r\nhost = local\r\n",
            controller, (int)length, config, (int)length - 1, config);
    if (ferror(file) | fclose(file))
        return umx_fail(err, UMX_ERR_FILE_UNWRITABLE, config, NULL);
    return 0;
}
