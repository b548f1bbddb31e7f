#include <stdlib.h>

#include "cli/place.h"

void umx_identity_place(struct umx_text *path)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");

    if (config != NULL && config[0] == '/')
        umx_text_addf(path, "%s/umx/identity.pem", config);
    else
        umx_text_addf(path, "%s/.config/umx/identity.pem", home != NULL ? home : "");
}
