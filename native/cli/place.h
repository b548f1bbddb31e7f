/* Where an operator's identity is when nothing says otherwise. */
#ifndef UMX_CLI_PLACE_H
#define UMX_CLI_PLACE_H

#include "base/text.h"

void umx_identity_place(struct umx_text *path);

#endif
