/* A fake provider for benchmarks: it answers at once, costs little and counts what happens to it.
 *
 *   mock_upstream --port P [--pace-ms 20]
 *
 *   POST .../messages            the Anthropic API
 *   POST .../chat/completions    the OpenAI API
 *   GET  /stats                  the counters, as JSON
 *
 * Without "stream": true the answer is whole. With it the model's name decides how the events come:
 *   ...-paced   one event per write, one write every --pace-ms (how real models look)
 *   ...-flood   text without end, as fast as the socket takes it, 256 MiB at most
 *   ...-long-paced   the same with 256 events: an answer of some 500 tokens
 *   else        56 events, four per write, as fast as possible
 *
 * A gateway may rename the model, so the same word counts in the user id too ("user-claude-paced").
 * A request that a real provider would refuse is refused (no key: 401, no max_tokens or version: 400), so that
 * a gateway which does not do its work shows as refused and not as fast.
 *
 * One thread, epoll, nothing allocated for an answer. Linux only.
 */
#define _GNU_SOURCE
#include "buffer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_EVENTS = 64, DELTAS = 50, LONG_ROUNDS = 5, EVENTS_PER_WRITE = 4, FLOOD_LIMIT_BYTES = 256 << 20, WINDOW_BYTES = 4096 };

typedef struct {
    char *bytes;
    size_t length;
} text;

typedef struct {
    text whole;
    text events[MAX_EVENTS];
    int first_delta;
    int event_count;
} script;

typedef enum { IDLE, PACED, FLOODING } mode;

typedef struct connection {
    int fd;
    mode mode;
    const script *script;
    int next_event, rounds;
    bool wants_write;
    long flooded_bytes;
    double due_s;
    buffer in, out;
    size_t out_sent;
    struct connection *previous, *next; /* among the paced ones, the next due first */
    bool is_queued;
} connection;

static struct {
    long requests, refused, streams_started, streams_done, streams_aborted;
    long connections_total, connections_open, events, bytes_sent, largest_body_bytes;
    double last_abort_s;
} counters;

static script anthropic, openai;
static int epoll_fd;
static double pace_s = 0.020;
static connection *paced_first, *paced_last;

static const char STREAM_HEAD[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                                  "Cache-Control: no-cache\r\nrequest-id: req_mock\r\nTransfer-Encoding: chunked\r\n\r\n";
static const char STREAM_END[] = "0\r\n\r\n";
static const char ANSWER[] =
    "Paris is the capital of France. It stands on the river Seine in the north of the country, and it has been the "
    "seat of government for most of the time since the tenth century. About two million people live in the city "
    "itself, and some twelve million in the region around it.";

/* ---- what is sent */

static void set_whole(script *s, const char *json) {
    int n = asprintf(&s->whole.bytes,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nrequest-id: req_mock\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     strlen(json), json);
    s->whole.length = (size_t)n;
}

static void add_event(script *s, const char *event) {
    text *t = &s->events[s->event_count++];
    t->length = (size_t)asprintf(&t->bytes, "%zx\r\n%s\r\n", strlen(event), event);
}

static void write_anthropic_script(void) {
    char t[1024];
    snprintf(t, sizeof t,
             "{\"id\":\"msg_01mock\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-mock\","
             "\"content\":[{\"type\":\"text\",\"text\":\"%s\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,"
             "\"usage\":{\"input_tokens\":212,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"
             "\"output_tokens\":64}}",
             ANSWER);
    set_whole(&anthropic, t);
    add_event(&anthropic,
              "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01mock\","
              "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-mock\",\"content\":[],"
              "\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":212,"
              "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":1}}}\n\n");
    add_event(&anthropic, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
                          "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n");
    add_event(&anthropic, "event: ping\ndata: {\"type\": \"ping\"}\n\n");
    anthropic.first_delta = anthropic.event_count;
    for (int i = 0; i < DELTAS; i++) {
        snprintf(t, sizeof t,
                 "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
                 "\"delta\":{\"type\":\"text_delta\",\"text\":\" tok%d and\"}}\n\n",
                 i);
        add_event(&anthropic, t);
    }
    add_event(&anthropic, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n");
    add_event(&anthropic, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
                          "\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":64}}\n\n");
    add_event(&anthropic, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}

static void write_openai_script(void) {
    char t[1024];
    snprintf(t, sizeof t,
             "{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"gpt-mock\","
             "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\",\"refusal\":null},"
             "\"logprobs\":null,\"finish_reason\":\"stop\"}],"
             "\"usage\":{\"prompt_tokens\":212,\"completion_tokens\":64,\"total_tokens\":276}}",
             ANSWER);
    set_whole(&openai, t);
    for (int i = 0; i < DELTAS; i++) {
        snprintf(t, sizeof t,
                 "data: {\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
                 "\"model\":\"gpt-mock\",\"choices\":[{\"index\":0,\"delta\":{%s\"content\":\" tok%d and\"},"
                 "\"finish_reason\":null}]}\n\n",
                 i ? "" : "\"role\":\"assistant\",", i);
        add_event(&openai, t);
    }
    add_event(&openai, "data: {\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
                       "\"model\":\"gpt-mock\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
    add_event(&openai, "data: [DONE]\n\n");
}

/* ---- the queue of paced streams: the pace is the same for all, so first in is first due */

static void queue_add(connection *c) {
    c->previous = paced_last;
    c->next = NULL;
    *(paced_last ? &paced_last->next : &paced_first) = c;
    paced_last = c;
    c->is_queued = true;
}

static void queue_remove(connection *c) {
    if (!c->is_queued) return;
    *(c->previous ? &c->previous->next : &paced_first) = c->next;
    *(c->next ? &c->next->previous : &paced_last) = c->previous;
    c->is_queued = false;
}

/* ---- writing; false means that the connection is dead */

static bool flush(connection *c) {
    while (c->out_sent < c->out.length) {
        ssize_t n = write(c->fd, c->out.data + c->out_sent, c->out.length - c->out_sent);
        if (n < 0 && errno == EAGAIN) break;
        if (n < 0) return false;
        c->out_sent += (size_t)n;
        counters.bytes_sent += n;
    }
    if (c->out_sent == c->out.length) c->out_sent = c->out.length = 0;
    bool wants_write = c->out.length > 0 || c->mode == FLOODING;
    if (wants_write != c->wants_write) {
        struct epoll_event e = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0u), .data.ptr = c};
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
        c->wants_write = wants_write;
    }
    return true;
}

/* Send, and keep what the socket does not take. */
static bool send_bytes(connection *c, const char *bytes, size_t count) {
    if (c->out.length == 0) {
        ssize_t n = write(c->fd, bytes, count);
        if (n < 0 && errno != EAGAIN) return false;
        if (n < 0) n = 0;
        counters.bytes_sent += n;
        bytes += n;
        count -= (size_t)n;
        if (!count) return true;
    }
    buffer_add(&c->out, bytes, count);
    return flush(c);
}

static bool send_json(connection *c, int status, const char *json) {
    char t[2048];
    int n = snprintf(t, sizeof t, "HTTP/1.1 %d Mock\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     status, strlen(json), json);
    return send_bytes(c, t, (size_t)n);
}

static bool refuse(connection *c, int status, const char *kind, const char *message) {
    char t[512];
    counters.refused++;
    snprintf(t, sizeof t, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"%s\"}}", kind, message);
    return send_json(c, status, t);
}

static bool end_stream(connection *c) {
    c->mode = IDLE;
    counters.streams_done++;
    return send_bytes(c, STREAM_END, sizeof STREAM_END - 1);
}

static bool send_next_paced(connection *c) {
    const text *event = &c->script->events[c->next_event++];
    if (!send_bytes(c, event->bytes, event->length)) return false;
    counters.events++;
    if (c->next_event == c->script->first_delta + DELTAS && --c->rounds > 0) c->next_event = c->script->first_delta;
    if (c->next_event == c->script->event_count) return end_stream(c);
    c->due_s += pace_s;
    queue_add(c);
    return true;
}

static bool begin_flood(connection *c) {
    for (int i = 0; i < 4; i++, counters.events++) /* what stands before the text, and its first piece */
        if (!send_bytes(c, c->script->events[i].bytes, c->script->events[i].length)) return false;
    return true;
}

static bool send_flood(connection *c) {
    const text *event = &c->script->events[10];
    while (c->out.length == 0) {
        char batch[16384];
        size_t length = 0;
        for (; length + event->length < sizeof batch; length += event->length, counters.events++)
            memcpy(batch + length, event->bytes, event->length);
        c->flooded_bytes += (long)length;
        if (c->flooded_bytes > FLOOD_LIMIT_BYTES) return end_stream(c);
        if (!send_bytes(c, batch, length)) return false;
    }
    return flush(c);
}

static bool send_burst(connection *c, const script *s) {
    for (int i = 0; i < s->event_count;) {
        char batch[8192];
        size_t length = 0;
        for (int k = 0; k < EVENTS_PER_WRITE && i < s->event_count; k++, i++, counters.events++) {
            memcpy(batch + length, s->events[i].bytes, s->events[i].length);
            length += s->events[i].length;
        }
        if (i == s->event_count) {
            memcpy(batch + length, STREAM_END, sizeof STREAM_END - 1);
            length += sizeof STREAM_END - 1;
        }
        if (!send_bytes(c, batch, length)) return false;
    }
    counters.streams_done++;
    return true;
}

/* ---- reading requests */

typedef struct {
    const char *head, *body;
    size_t head_length, body_length;
} request;

/* The value of a header, up to the end of its line, or NULL. */
static const char *header(const request *r, const char *name) {
    const char *end = r->head + r->head_length;
    size_t n = strlen(name);
    for (const char *line = memchr(r->head, '\n', r->head_length); line && line + 1 + n < end;
         line = memchr(line + 1, '\n', (size_t)(end - line - 1)))
        if (!strncasecmp(line + 1, name, n) && line[1 + n] == ':') return line + 2 + n + strspn(line + 2 + n, " ");
    return NULL;
}

/* Does the body hold this text at its beginning or end? Prompts in the middle of large bodies are not searched. */
static bool body_has(const request *r, const char *wanted) {
    if (r->body_length <= 2 * WINDOW_BYTES) return find(r->body, r->body_length, wanted) != NULL;
    return find(r->body, WINDOW_BYTES, wanted) || find(r->body + r->body_length - WINDOW_BYTES, WINDOW_BYTES, wanted);
}

static bool answer_stats(connection *c) {
    char t[1024];
    snprintf(t, sizeof t,
             "{\"requests\":%ld,\"refused\":%ld,\"streams_started\":%ld,\"streams_done\":%ld,\"streams_aborted\":%ld,"
             "\"connections_total\":%ld,\"connections_open\":%ld,\"events\":%ld,\"bytes_sent\":%ld,"
             "\"largest_body_bytes\":%ld,\"last_abort_s\":%.6f}",
             counters.requests, counters.refused, counters.streams_started, counters.streams_done,
             counters.streams_aborted, counters.connections_total, counters.connections_open, counters.events,
             counters.bytes_sent, counters.largest_body_bytes, counters.last_abort_s);
    return send_json(c, 200, t);
}

static bool answer_stream(connection *c, const request *r, const script *s) {
    counters.streams_started++;
    if (!send_bytes(c, STREAM_HEAD, sizeof STREAM_HEAD - 1)) return false;
    c->script = s;
    c->next_event = 0;
    if (body_has(r, "-paced\"")) {
        c->mode = PACED;
        c->rounds = body_has(r, "-long-paced\"") ? LONG_ROUNDS : 1;
        c->due_s = now_s();
        return send_next_paced(c);
    }
    if (body_has(r, "-flood\"")) {
        c->mode = FLOODING;
        c->flooded_bytes = 0;
        return begin_flood(c) && send_flood(c);
    }
    return send_burst(c, s);
}

static bool answer(connection *c, const request *r) {
    if (!strncmp(r->head, "GET ", 4)) return answer_stats(c);
    counters.requests++;
    if ((long)r->body_length > counters.largest_body_bytes) counters.largest_body_bytes = (long)r->body_length;
    size_t line = (size_t)((const char *)memchr(r->head, '\r', r->head_length) - r->head);
    const script *s = find(r->head, line, "/chat/completions") ? &openai : &anthropic;
    if (s == &anthropic && !find(r->head, line, "/messages"))
        return refuse(c, 404, "not_found_error", "no such route");
    if (!header(r, "x-api-key") && !header(r, "authorization"))
        return refuse(c, 401, "authentication_error", "no key");
    if (s == &anthropic && !header(r, "anthropic-version"))
        return refuse(c, 400, "invalid_request_error", "anthropic-version: header is required");
    if (s == &anthropic && !body_has(r, "\"max_tokens\""))
        return refuse(c, 400, "invalid_request_error", "max_tokens: Field required");
    if (body_has(r, "\"stream\":true") || body_has(r, "\"stream\": true")) return answer_stream(c, r, s);
    return send_bytes(c, s->whole.bytes, s->whole.length);
}

/* Join a chunked body in place. Returns the bytes that it took on the wire, 0 if it is not complete yet. */
static size_t join_chunks(char *body, size_t available, size_t *joined) {
    size_t at = 0;
    bool is_complete = false;
    while (!is_complete) { /* look for the end first: bytes may be moved only once */
        char *eol = memchr(body + at, '\n', available - at);
        if (!eol) return 0;
        size_t size = strtoul(body + at, NULL, 16), data = (size_t)(eol + 1 - body);
        if (data + size + 2 > available) return 0;
        at = data + size + 2;
        is_complete = size == 0;
    }
    size_t used = at;
    *joined = at = 0;
    for (;;) {
        char *eol = memchr(body + at, '\n', available - at);
        size_t size = strtoul(body + at, NULL, 16), data = (size_t)(eol + 1 - body);
        if (!size) return used;
        memmove(body + *joined, body + data, size);
        *joined += size;
        at = data + size + 2;
    }
}

/* Answer every request that is complete. */
static bool handle_input(connection *c) {
    while (c->in.length && c->mode == IDLE) {
        c->in.data[c->in.length] = 0;
        char *blank = find(c->in.data, c->in.length, "\r\n\r\n");
        if (!blank) return c->in.length < 65536;
        request r = {.head = c->in.data, .head_length = (size_t)(blank + 4 - c->in.data), .body = blank + 4};
        size_t available = c->in.length - r.head_length, used;
        const char *length = header(&r, "content-length");
        if (header(&r, "expect") && !available && !send_bytes(c, "HTTP/1.1 100 Continue\r\n\r\n", 25)) return false;
        if (header(&r, "transfer-encoding")) {
            used = join_chunks(blank + 4, available, &r.body_length);
            if (!used) return true;
        } else {
            used = r.body_length = length ? strtoul(length, NULL, 10) : 0;
            if (available < used) return true;
        }
        if (!answer(c, &r)) return false;
        buffer_drop(&c->in, r.head_length + used);
    }
    return true;
}

static bool read_some(connection *c) {
    buffer_reserve(&c->in, c->in.length < 65536 ? 16384 : c->in.length);
    ssize_t n = read(c->fd, c->in.data + c->in.length, c->in.capacity - c->in.length - 1);
    if (n < 0) return errno == EAGAIN;
    if (n == 0) return false;
    c->in.length += (size_t)n;
    return handle_input(c);
}

/* ---- the loop */

static void open_connection(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection *c = calloc(1, sizeof *c);
    c->fd = fd;
    counters.connections_total++;
    counters.connections_open++;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
}

static void close_connection(connection *c) {
    if (c->mode != IDLE) {
        counters.streams_aborted++;
        counters.last_abort_s = now_s();
    }
    queue_remove(c);
    close(c->fd);
    buffer_free(&c->in);
    buffer_free(&c->out);
    free(c);
    counters.connections_open--;
}

static void on_ready(connection *c, unsigned events) {
    bool is_alive = true;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) is_alive = read_some(c);
    if (is_alive && (events & EPOLLOUT)) {
        is_alive = flush(c);
        if (is_alive && c->mode == FLOODING && !c->out.length) is_alive = send_flood(c);
    }
    if (!is_alive) close_connection(c);
}

static void run_due(void) {
    double t = now_s();
    while (paced_first && paced_first->due_s <= t) {
        connection *c = paced_first;
        queue_remove(c);
        bool is_alive = send_next_paced(c);
        if (is_alive && c->mode == IDLE) is_alive = handle_input(c); /* a request that waited behind the stream */
        if (!is_alive) close_connection(c);
    }
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((unsigned short)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 4096)) {
        perror("mock_upstream: cannot listen");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv) {
    int port = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--port")) port = atoi(argv[i + 1]);
        if (!strcmp(argv[i], "--pace-ms")) pace_s = atof(argv[i + 1]) / 1e3;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* do not outlive the driver */
    signal(SIGPIPE, SIG_IGN);
    write_anthropic_script();
    write_openai_script();
    int listener = listen_on(port);
    epoll_fd = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        struct epoll_event ready[256];
        double wait_s = paced_first ? paced_first->due_s - now_s() : -1;
        int timeout_ms = !paced_first ? -1 : wait_s <= 0 ? 0 : (int)(wait_s * 1e3 + 0.999);
        int n = epoll_wait(epoll_fd, ready, 256, timeout_ms);
        for (int i = 0; i < n; i++) {
            if (ready[i].data.ptr) {
                on_ready(ready[i].data.ptr, ready[i].events);
                continue;
            }
            for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) open_connection(fd);
        }
        run_due();
    }
}
