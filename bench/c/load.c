/* Load for benchmarks: sends one request over and over and times the answers, whole or streamed.
 *
 *   load --port P --path /v1/... --body FILE [--header 'name: value']... [--connections 32] [--rate R]
 *        [--seconds 3] [--first TEXT] [--expect TEXT]
 *
 * Without --rate the loop is closed: each connection sends again when its answer is complete.
 * With --rate R the loop is open: R requests a second by a fixed timetable, and latency counts from the moment when
 * the request was due, whether or not a connection was free then.
 * --first: the time of the first token is when this text first shows in the answer.
 * --expect: an answer without this text counts as incomplete.
 *
 * After --seconds nothing new is sent, answers on their way get ten seconds. Prints one JSON object. `ok` and the
 * other counts are of all requests, so that they fit the CPU time of the whole run; `rate` is of the window alone.
 *
 * One thread, epoll. Linux only.
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define GRACE_S 10.0
#define LATE_S 0.001

typedef enum { HEAD, SIZED, UNTIL_CLOSE, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, COMPLETE } stage;

typedef struct {
    int fd;
    bool is_busy, wants_write, must_close;
    stage stage;
    int status;
    size_t left; /* bytes to come of the body or of the chunk */
    buffer in;
    size_t parsed; /* how much of `in` is done with */
    buffer body;
    size_t searched; /* how much of `body` cannot begin the first token */
    size_t sent;
    double due_s, first_s;
} connection;

typedef struct {
    float *values;
    size_t count, capacity;
} samples;

static struct {
    int port, connections;
    const char *path, *body_file, *first, *expect;
    double rate, seconds;
    buffer headers;
} options = {.connections = 32, .seconds = 3, .path = "/"};

static struct {
    long sent, ok, refused, broken, incomplete, in_window, events, late;
    int last_status;
    char last_body[300];
} counts;

static buffer request;
static connection *connections;
static int epoll_fd, *idle, idle_count;
static samples latencies_us, firsts_us;
static double start_s, end_s;

/* ---- results */

static void add_sample(samples *s, double value) {
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? s->capacity * 2 : 65536;
        s->values = realloc(s->values, s->capacity * sizeof *s->values);
    }
    s->values[s->count++] = (float)value;
}

static int compare(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double percentile(const samples *sorted, double share) {
    return sorted->count ? (double)sorted->values[(size_t)(share * (double)(sorted->count - 1) + 0.5)] : 0;
}

static long count_events(const buffer *body) {
    long n = 0;
    const char *end = body->data + body->length;
    for (const char *at = body->data; at && (at = find(at, (size_t)(end - at), "data:")); at += 5) n++;
    return n;
}

static void keep_last_bad(const connection *c) {
    counts.last_status = c->status;
    size_t n = c->body.length < sizeof counts.last_body - 1 ? c->body.length : sizeof counts.last_body - 1;
    if (n) memcpy(counts.last_body, c->body.data, n);
    counts.last_body[n] = 0;
    for (char *p = counts.last_body; *p; p++) /* fit to stand inside a JSON string */
        if (*p == '"' || *p == '\\' || (unsigned char)*p < 32 || (unsigned char)*p > 126) *p = '\'';
}

static void print_results(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                   1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    qsort(latencies_us.values, latencies_us.count, sizeof(float), compare);
    qsort(firsts_us.values, firsts_us.count, sizeof(float), compare);
    printf("{\"ok\":%ld,\"refused\":%ld,\"broken\":%ld,\"incomplete\":%ld,\"rate\":%.1f,\"p50_us\":%.1f,"
           "\"p99_us\":%.1f,\"max_us\":%.1f,\"first_p50_us\":%.1f,\"first_p99_us\":%.1f,\"events\":%ld,\"late\":%ld,"
           "\"load_cpu_s\":%.4f,\"last_status\":%d,\"last_body\":\"%s\"}\n",
           counts.ok, counts.refused, counts.broken, counts.incomplete, (double)counts.in_window / options.seconds,
           percentile(&latencies_us, .5), percentile(&latencies_us, .99), percentile(&latencies_us, 1),
           percentile(&firsts_us, .5), percentile(&firsts_us, .99), counts.events, counts.late, cpu_s,
           counts.last_status, counts.last_body);
}

/* ---- connections */

static void open_connection(connection *c) {
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((unsigned short)options.port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(c->fd, (struct sockaddr *)&a, sizeof a)) {
        perror("load: cannot connect");
        exit(2);
    }
    int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
    c->wants_write = c->must_close = false;
    c->in.length = c->parsed = 0;
}

static void reopen(connection *c) {
    close(c->fd);
    open_connection(c);
}

static void send_rest(connection *c) {
    while (c->sent < request.length) {
        ssize_t n = send(c->fd, request.data + c->sent, request.length - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) break; /* full, or broken: then reading will tell */
        c->sent += (size_t)n;
    }
    bool wants_write = c->sent < request.length;
    if (wants_write != c->wants_write) {
        struct epoll_event e = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0u), .data.ptr = c};
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
        c->wants_write = wants_write;
    }
}

static void send_request(connection *c, double due_s) {
    c->is_busy = true;
    c->stage = HEAD;
    c->in.length = c->parsed = c->body.length = c->searched = c->sent = 0;
    c->due_s = due_s;
    c->first_s = 0;
    counts.sent++;
    send_rest(c);
}

static void count_answer(const connection *c, bool is_broken, double t) {
    if (is_broken) {
        counts.broken++;
    } else if (c->status / 100 != 2) {
        counts.refused++;
        keep_last_bad(c);
    } else if (options.expect && !find(c->body.data, c->body.length, options.expect)) {
        counts.incomplete++;
        keep_last_bad(c);
    } else {
        counts.ok++;
        counts.in_window += t < end_s;
        counts.events += count_events(&c->body);
        add_sample(&latencies_us, (t - c->due_s) * 1e6);
        if (c->first_s > 0) add_sample(&firsts_us, (c->first_s - c->due_s) * 1e6);
    }
}

static void finish(connection *c, bool is_broken) {
    double t = now_s();
    c->is_busy = false;
    count_answer(c, is_broken, t);
    if (is_broken || c->must_close) reopen(c);
    if (options.rate > 0)
        idle[idle_count++] = (int)(c - connections);
    else if (t < end_s)
        send_request(c, t);
}

/* ---- answers */

static void take_body(connection *c, size_t count) {
    buffer_add(&c->body, c->in.data + c->parsed, count);
    c->parsed += count;
    if (!options.first || c->first_s > 0) return;
    size_t n = strlen(options.first);
    if (find(c->body.data + c->searched, c->body.length - c->searched, options.first)) c->first_s = now_s();
    c->searched = c->body.length >= n ? c->body.length - n + 1 : 0;
}

static bool read_head(connection *c) {
    char *end = find(c->in.data, c->in.length, "\r\n\r\n");
    if (!end) return false;
    c->status = atoi(c->in.data + 9);
    c->stage = UNTIL_CLOSE;
    for (char *line = memchr(c->in.data, '\n', c->in.length); line && line < end;
         line = memchr(line + 1, '\n', (size_t)(end + 2 - line - 1))) {
        if (!strncasecmp(line + 1, "content-length:", 15)) {
            c->stage = SIZED;
            c->left = strtoul(line + 16, NULL, 10);
        } else if (!strncasecmp(line + 1, "transfer-encoding:", 18)) {
            c->stage = CHUNK_SIZE;
        } else if (!strncasecmp(line + 1, "connection: close", 17)) {
            c->must_close = true;
        }
    }
    if (c->stage == UNTIL_CLOSE) c->must_close = true;
    c->parsed = (size_t)(end + 4 - c->in.data);
    return true;
}

/* One line of chunked framing; false while it is not complete. */
static bool read_framing_line(connection *c, size_t available) {
    char *line = c->in.data + c->parsed, *eol = memchr(line, '\n', available);
    if (!eol) return false;
    bool is_blank = *line == '\r' || *line == '\n';
    size_t size = strtoul(line, NULL, 16);
    c->parsed = (size_t)(eol + 1 - c->in.data);
    if (c->stage == CHUNK_SIZE) {
        c->left = size;
        c->stage = size ? CHUNK_DATA : TRAILER;
    } else if (c->stage == CHUNK_END) {
        c->stage = CHUNK_SIZE;
    } else if (is_blank) {
        c->stage = COMPLETE;
    }
    return true;
}

/* Take what has arrived; true when the answer is complete. */
static bool parse(connection *c) {
    if (c->stage == HEAD && !read_head(c)) return false;
    while (c->stage != COMPLETE) {
        size_t available = c->in.length - c->parsed;
        if (c->stage == UNTIL_CLOSE) {
            take_body(c, available);
            return false;
        }
        if (c->stage == SIZED || c->stage == CHUNK_DATA) {
            size_t count = available < c->left ? available : c->left;
            take_body(c, count);
            c->left -= count;
            if (c->left) return false;
            c->stage = c->stage == SIZED ? COMPLETE : CHUNK_END;
        } else if (!read_framing_line(c, available)) {
            return false;
        }
    }
    return true;
}

static void on_end(connection *c) {
    if (!c->is_busy)
        reopen(c);
    else
        finish(c, c->stage != UNTIL_CLOSE);
}

static void on_readable(connection *c) {
    if (c->parsed == c->in.length) c->parsed = c->in.length = 0;
    buffer_reserve(&c->in, 65536);
    ssize_t n = recv(c->fd, c->in.data + c->in.length, c->in.capacity - c->in.length - 1, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        on_end(c);
        return;
    }
    c->in.length += (size_t)n;
    if (c->is_busy && parse(c)) finish(c, false);
}

/* ---- the loop */

static void build_request(void) {
    buffer body = {0};
    FILE *f = options.body_file ? fopen(options.body_file, "rb") : NULL;
    if (options.body_file && !f) {
        perror(options.body_file);
        exit(2);
    }
    for (size_t n = 1; f && n;) {
        buffer_reserve(&body, 1 << 20);
        n = fread(body.data + body.length, 1, 1 << 20, f);
        body.length += n;
    }
    if (f) fclose(f);
    char head[512];
    int n = snprintf(head, sizeof head,
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nAccept: */*\r\n"
                     "Content-Length: %zu\r\n",
                     options.path, options.port, body.length);
    buffer_add(&request, head, (size_t)n);
    if (options.headers.length) buffer_add(&request, options.headers.data, options.headers.length);
    buffer_add(&request, "\r\n", 2);
    if (body.length) buffer_add(&request, body.data, body.length);
    buffer_free(&body);
}

static int open_timer(void) {
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    double interval_s = 1 / options.rate;
    time_t whole = (time_t)interval_s;
    struct timespec t = {.tv_sec = whole, .tv_nsec = (long)((interval_s - (double)whole) * 1e9)};
    struct itimerspec timer = {.it_interval = t, .it_value = t};
    timerfd_settime(fd, 0, &timer, NULL);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
    return fd;
}

static bool is_over(double t, long due_count) {
    if (t < end_s) return false;
    if (t > end_s + GRACE_S) return true;
    return options.rate > 0 ? counts.sent == due_count && idle_count == options.connections
                            : counts.ok + counts.refused + counts.broken + counts.incomplete == counts.sent;
}

/* Send what is due while there are free connections; the k-th request is due at start + k / rate. */
static void send_due(long due_count) {
    while (counts.sent < due_count && idle_count) {
        double due_s = start_s + (double)(counts.sent + 1) / options.rate, t = now_s();
        if (due_s > t) due_s = t;
        if (t - due_s > LATE_S) counts.late++;
        send_request(&connections[idle[--idle_count]], due_s);
    }
}

static void run(void) {
    int timer = options.rate > 0 ? open_timer() : -1;
    long due_count = 0;
    start_s = now_s();
    end_s = start_s + options.seconds;
    for (int i = 0; i < options.connections; i++) {
        if (options.rate > 0)
            idle[idle_count++] = i;
        else
            send_request(&connections[i], start_s);
    }
    while (!is_over(now_s(), due_count)) {
        struct epoll_event ready[256];
        int n = epoll_wait(epoll_fd, ready, 256, 20);
        for (int i = 0; i < n; i++) {
            connection *c = ready[i].data.ptr;
            unsigned long ticks;
            if (!c) {
                if (read(timer, &ticks, sizeof ticks) == sizeof ticks && now_s() < end_s) due_count += (long)ticks;
                continue;
            }
            if (ready[i].events & EPOLLOUT) send_rest(c);
            if (ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_readable(c);
        }
        send_due(due_count);
    }
    for (int i = 0; i < options.connections; i++) counts.broken += connections[i].is_busy; /* never answered */
}

static void read_options(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (!strcmp(name, "--port")) options.port = atoi(value);
        else if (!strcmp(name, "--path")) options.path = value;
        else if (!strcmp(name, "--body")) options.body_file = value;
        else if (!strcmp(name, "--first")) options.first = value;
        else if (!strcmp(name, "--expect")) options.expect = value;
        else if (!strcmp(name, "--connections")) options.connections = atoi(value);
        else if (!strcmp(name, "--rate")) options.rate = atof(value);
        else if (!strcmp(name, "--seconds")) options.seconds = atof(value);
        else if (!strcmp(name, "--header")) {
            buffer_add(&options.headers, value, strlen(value));
            buffer_add(&options.headers, "\r\n", 2);
        } else {
            fprintf(stderr, "load: unknown option %s\n", name);
            exit(2);
        }
    }
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* do not outlive the driver */
    signal(SIGPIPE, SIG_IGN);
    build_request();
    epoll_fd = epoll_create1(0);
    connections = calloc((size_t)options.connections, sizeof *connections);
    idle = calloc((size_t)options.connections, sizeof *idle);
    for (int i = 0; i < options.connections; i++) open_connection(&connections[i]);
    run();
    print_results();
    return 0;
}
