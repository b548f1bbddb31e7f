#include "rpc/pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "rpc/platform.h"

struct job {
    void (*work)(void *);
    void *user;
};

struct umx_rpc_pool {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t *threads;
    struct job *jobs; /* a ring with two places for each thread: one may be done and not yet back */
    size_t size;
    size_t places;
    size_t first;
    size_t waiting; /* jobs not yet taken */
    size_t busy;    /* jobs given and not done */
    bool ending;
};

static void *run(void *user)
{
    struct umx_rpc_pool *pool = user;

    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (pool->waiting == 0 && !pool->ending)
            pthread_cond_wait(&pool->changed, &pool->mutex);
        if (pool->waiting == 0)
            break;
        struct job job = pool->jobs[pool->first];
        pool->first = (pool->first + 1) % pool->places;
        pool->waiting--;
        pthread_mutex_unlock(&pool->mutex);
        job.work(job.user);
        pthread_mutex_lock(&pool->mutex);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

struct umx_rpc_pool *umx_rpc_pool_new(size_t threads)
{
    struct umx_rpc_pool *pool = calloc(1, sizeof *pool);
    struct umx_rpc_mask before;

    if (pool == NULL)
        return NULL;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->changed, NULL);
    pool->threads = calloc(threads, sizeof *pool->threads);
    pool->places = 2 * threads;
    pool->jobs = calloc(pool->places, sizeof *pool->jobs);
    umx_rpc_mask(&before);
    while (pool->threads != NULL && pool->jobs != NULL && pool->size < threads &&
           pthread_create(&pool->threads[pool->size], NULL, run, pool) == 0)
        pool->size++;
    umx_rpc_unmask(&before);
    if (pool->size == threads)
        return pool;
    umx_rpc_pool_free(pool);
    return NULL;
}

bool umx_rpc_pool_run(struct umx_rpc_pool *pool, void (*work)(void *), void *user)
{
    bool taken = false;

    pthread_mutex_lock(&pool->mutex);
    if (pool->busy < pool->size && !pool->ending) {
        pool->jobs[(pool->first + pool->waiting) % pool->places] = (struct job){.work = work, .user = user};
        pool->waiting++;
        pool->busy++;
        taken = true;
        pthread_cond_signal(&pool->changed);
    }
    pthread_mutex_unlock(&pool->mutex);
    return taken;
}

void umx_rpc_pool_done(struct umx_rpc_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->busy--;
    pthread_mutex_unlock(&pool->mutex);
}

void umx_rpc_pool_free(struct umx_rpc_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->ending = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
    for (size_t i = 0; i < pool->size; i++)
        pthread_join(pool->threads[i], NULL);
    free(pool->threads);
    free(pool->jobs);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}
