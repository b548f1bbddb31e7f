#include "directory/version.h"

enum { BASE = 0x70008000, POOL_SHIFT = 16 };

struct umx_version umx_version_decode(int32_t number)
{
    uint32_t bits = (uint32_t)number;
    return (struct umx_version){
        .major = (int32_t)(bits >> 22 & 0x3F),
        .minor = (int32_t)(bits >> 16 & 0x3F),
        .build = (int32_t)(bits & 0x7FFF),
    };
}

int32_t umx_version_encode(struct umx_version version)
{
    return (int32_t)((uint32_t)BASE + (((uint32_t)version.major & 0x3F) << 22) +
                     (((uint32_t)version.minor & 0x3F) << 16) + ((uint32_t)version.build & 0x7FFF));
}

int32_t umx_version_pool_major(int32_t number)
{
    return number < 0 ? 0 : number > UINT16_MAX ? number >> POOL_SHIFT : number;
}
