#include "store/heap.h"

#include <sqlite3.h>

struct budget {
    bool counting;
    bool refused;
    size_t cap;
    size_t used;
};

static _Thread_local struct budget budget;
static sqlite3_mem_methods system_methods;
static bool installed;

/* Memory of a time before begin may be given back while counting: the count stops at 0. */
static void give_back(size_t size)
{
    budget.used = size < budget.used ? budget.used - size : 0;
}

static bool allowed(size_t size)
{
    if (!budget.counting || (budget.used <= budget.cap && size <= budget.cap - budget.used))
        return true;
    budget.refused = true;
    return false;
}

static void *counted_malloc(int size)
{
    size_t rounded = (size_t)system_methods.xRoundup(size);

    if (!allowed(rounded))
        return NULL;
    void *p = system_methods.xMalloc(size);
    if (p != NULL && budget.counting)
        budget.used += (size_t)system_methods.xSize(p);
    return p;
}

static void counted_free(void *p)
{
    if (p != NULL && budget.counting)
        give_back((size_t)system_methods.xSize(p));
    system_methods.xFree(p);
}

static void *counted_realloc(void *p, int size)
{
    size_t before = (size_t)system_methods.xSize(p);

    if ((size_t)size > before && !allowed((size_t)size - before))
        return NULL;
    void *moved = system_methods.xRealloc(p, size);
    if (moved != NULL && budget.counting) {
        give_back(before);
        budget.used += (size_t)system_methods.xSize(moved);
    }
    return moved;
}

/* Before main: SQLite takes it only before it is first used. */
__attribute__((constructor)) static void install(void)
{
    sqlite3_mem_methods methods;

    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_methods) != SQLITE_OK)
        return;
    methods = system_methods;
    methods.xMalloc = counted_malloc;
    methods.xFree = counted_free;
    methods.xRealloc = counted_realloc;
    installed = sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK;
    /* Its own count of the whole process, which nobody asks for, takes one lock of all threads at every allocation. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

bool umx_heap_begin(size_t cap)
{
    budget = (struct budget){.counting = installed, .cap = cap};
    return installed;
}

bool umx_heap_refused(void)
{
    return budget.refused;
}

void umx_heap_end(void)
{
    budget = (struct budget){0};
}
