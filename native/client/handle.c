#include "client/handle.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * A handle: bit 0 is set, which no pointer to an object has; then the kind, the place in the table and the turn of that
 * place. A place comes back with the next turn, so that an old handle does not fit.
 */
enum { KIND_AT = 1, PLACE_AT = 3, PLACE_BITS = 17, TURN_AT = PLACE_AT + PLACE_BITS, FIRST_SIZE = 64 };

#define PLACE_MASK (((uintptr_t)1 << PLACE_BITS) - 1)
#define TURN_MASK (UINTPTR_MAX >> TURN_AT)

_Static_assert(UMX_HANDLES_MAX < 1 << PLACE_BITS, "a handle has room for every place");

struct place {
    enum umx_handle_kind kind;
    bool open;
    unsigned holders; /* an open handle counts as one */
    uintptr_t turn;
    void *object; /* NULL: the place is free */
    void (*release)(void *object);
    size_t next; /* of a free place: the next free one */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct place *places;
static size_t size; /* of places; also the end of the chain of free ones */
static size_t first_free;

static bool grow(void)
{
    size_t wanted = size == 0 ? FIRST_SIZE : 2 * size;

    if (wanted > UMX_HANDLES_MAX)
        wanted = UMX_HANDLES_MAX;
    struct place *more = realloc(places, wanted * sizeof *more);
    if (more == NULL)
        return false;
    /* Where this copy of the library lies: handles of another one in the same process do not fit. */
    uintptr_t turn = (uintptr_t)&places >> 4;
    for (size_t i = size; i < wanted; i++)
        more[i] = (struct place){.next = i + 1, .turn = turn};
    places = more;
    first_free = size;
    size = wanted;
    return true;
}

static void *name(size_t at)
{
    const struct place *place = &places[at];

    return (void *)((place->turn & TURN_MASK) << TURN_AT | (uintptr_t)at << PLACE_AT |
                    (uintptr_t)place->kind << KIND_AT | 1);
}

/* Also a handle that was closed and is still held; NULL when there is no such thing. The mutex is held. */
static struct place *find(const void *handle)
{
    size_t at = ((uintptr_t)handle >> PLACE_AT) & PLACE_MASK;

    return at < size && places[at].object != NULL && name(at) == handle ? &places[at] : NULL;
}

static struct place *find_open(enum umx_handle_kind kind, const void *handle)
{
    struct place *place = find(handle);

    return place != NULL && place->open && place->kind == kind ? place : NULL;
}

int umx_handle_open(enum umx_handle_kind kind, void *object, void (*release)(void *object), void **handle,
                    struct umx_error *err)
{
    int status = 0;

    *handle = NULL;
    pthread_mutex_lock(&mutex);
    if (first_free == size && size == UMX_HANDLES_MAX) {
        status = umx_fail(err, UMX_ERR_TOO_MANY_HANDLES, NULL, NULL);
    } else if (first_free == size && !grow()) {
        status = umx_fail(err, UMX_ERR_MEMORY, "a handle", NULL);
    } else {
        size_t at = first_free;
        struct place *place = &places[at];
        first_free = place->next;
        *place = (struct place){
            .kind = kind, .open = true, .holders = 1, .turn = place->turn + 1, .object = object, .release = release};
        *handle = name(at);
    }
    pthread_mutex_unlock(&mutex);
    return status;
}

void *umx_handle_hold(enum umx_handle_kind kind, const void *handle)
{
    pthread_mutex_lock(&mutex);
    struct place *place = find_open(kind, handle);
    void *object = place != NULL ? place->object : NULL;
    if (place != NULL)
        place->holders++;
    pthread_mutex_unlock(&mutex);
    return object;
}

void umx_handle_drop(const void *handle)
{
    struct place last = {0};

    pthread_mutex_lock(&mutex);
    struct place *place = find(handle);
    if (place != NULL && --place->holders == 0) {
        last = *place;
        place->object = NULL;
        place->next = first_free;
        first_free = (size_t)(place - places);
    }
    pthread_mutex_unlock(&mutex);
    if (last.object != NULL)
        last.release(last.object);
}

void umx_handle_close(enum umx_handle_kind kind, const void *handle, void (*stop)(void *object))
{
    pthread_mutex_lock(&mutex);
    struct place *place = find_open(kind, handle);
    void *object = place != NULL ? place->object : NULL;
    if (place != NULL)
        place->open = false;
    pthread_mutex_unlock(&mutex);
    if (object == NULL)
        return;
    if (stop != NULL)
        stop(object);
    umx_handle_drop(handle);
}
