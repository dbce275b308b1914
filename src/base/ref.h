// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * ref: an atomic reference count with the function that ends the object. Any thread; `free` runs on
 * the thread of the last unref and so may touch only what no loop owns.
 */
#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>

struct ref {
    atomic_uint count;
    void (*free)(struct ref *ref);
};

static inline void ref_init(struct ref *ref, void (*free)(struct ref *ref))
{
    atomic_init(&ref->count, 1);
    ref->free = free;
}

static inline struct ref *ref_get(struct ref *ref)
{
    if (ref != NULL) {
        unsigned before = atomic_fetch_add_explicit(&ref->count, 1, memory_order_relaxed);
        assert(before > 0);
    }
    return ref;
}

static inline void ref_put(struct ref *ref)
{
    if (ref == NULL)
        return;
    unsigned before = atomic_fetch_sub_explicit(&ref->count, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1)
        ref->free(ref);
}

static inline unsigned ref_count(struct ref *ref)
{
    return atomic_load_explicit(&ref->count, memory_order_acquire);
}
