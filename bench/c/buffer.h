/* What both programs share: a clock, a growing buffer and a search in it. */
#ifndef LOCKGATE_BENCH_BUFFER_H
#define LOCKGATE_BENCH_BUFFER_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Seconds of the machine's monotonic clock: the same clock in every process, Python's time.monotonic() included. */
static inline double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

typedef struct {
    char *data;
    size_t length, capacity;
} buffer;

/* Make room for `more` bytes after the end, and for a closing zero. */
static inline void buffer_reserve(buffer *b, size_t more) {
    size_t need = b->length + more + 1;
    if (need <= b->capacity) return;
    b->capacity = need * 2 > 16384 ? need * 2 : 16384;
    b->data = realloc(b->data, b->capacity);
    if (!b->data) {
        fputs("out of memory\n", stderr);
        exit(2);
    }
}

static inline void buffer_add(buffer *b, const char *bytes, size_t count) {
    buffer_reserve(b, count);
    memcpy(b->data + b->length, bytes, count);
    b->length += count;
}

/* Forget the first `count` bytes. */
static inline void buffer_drop(buffer *b, size_t count) {
    memmove(b->data, b->data + count, b->length - count);
    b->length -= count;
}

static inline void buffer_free(buffer *b) {
    free(b->data);
    *b = (buffer){0};
}

static inline char *find(const char *bytes, size_t count, const char *text) {
    return memmem(bytes, count, text, strlen(text));
}

#endif
