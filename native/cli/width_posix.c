#include <wchar.h>

#include "cli/width.h"

/* wcwidth knows only what the locale knows; in the C locale it says -1 for all that is not ASCII. */
size_t umx_width_of(uint32_t point)
{
    int width = wcwidth((wchar_t)point);

    return width >= 0 ? (size_t)width : 1;
}
