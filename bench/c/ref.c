/*
 * The reference: what a tuned C program does with the same bytes (u32be length + payload).
 *
 *   ref sink   MODE SIZE WARM_MS MEASURE_MS PEERS PER_TURN
 *   ref source MODE SIZE WARM_MS MEASURE_MS PEERS PER_TURN
 *
 * MODE stream     the source dials; small frames are copied into large writes, large ones leave by writev
 * MODE turn       the source dials; one write per message
 * MODE call       the source dials and asks, PER_TURN calls in flight: u32be length, u32be id, payload; the sink answers
 *                 each with the same bytes; what came in one read is answered in one write
 * MODE broadcast  the source listens to PEERS peers; PER_TURN messages are encoded once, then written to each
 *
 * The listener prints {"port":N}; the dialer reads N from stdin. Each side ends with one line of JSON.
 * The sink hands each whole payload as (pointer, length) to a counter that is not inlined.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FIRST_BYTE 0x5a
#define HEADER 4
#define LENT_FROM (16 * 1024)   /* payloads from this size on are not copied */
#define BATCH (60 * 1024)       /* bytes of small frames in one write: just below the loopback's segment */
#define LARGE_BATCH 4           /* large frames in one writev */
#define READ_SIZE (256 * 1024)
#define TAIL 0.05               /* seconds sent beyond the window */

static struct { uint64_t count, bytes, sum; } total;
static struct { uint64_t count, bytes; double at; } from, until;
static double first_at;

static const char *mode;
static size_t size, peers, per_turn;
static double warm, measure;

static void die(const char *what) { perror(what); exit(1); }

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static uint32_t get_u32(const unsigned char *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return ntohl(v);
}

static unsigned char *put_header(unsigned char *p, uint32_t length) {
  uint32_t v = htonl(length);
  memcpy(p, &v, 4);
  return p + 4;
}

/* --- sockets ------------------------------------------------------------------------------- */

static void tune(int fd) {
  int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static int listen_loopback(void) {
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t length = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 1024)) die("listen");
  if (getsockname(fd, (struct sockaddr *)&at, &length)) die("getsockname");
  printf("{\"port\":%d}\n", ntohs(at.sin_port));
  fflush(stdout);
  return fd;
}

static int accept_one(int listener) {
  int fd = accept(listener, NULL, NULL);
  if (fd < 0) die("accept");
  tune(fd);
  return fd;
}

static int read_port(void) {
  int port;
  if (scanf("%d", &port) != 1) { fputs("no port on stdin\n", stderr); exit(1); }
  return port;
}

static int dial(int port) {
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port) };
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) die("connect");
  tune(fd);
  return fd;
}

static void write_all(int fd, const unsigned char *p, size_t length) {
  while (length) {
    ssize_t n = write(fd, p, length);
    if (n < 0) die("write");
    p += n, length -= n;
  }
}

/* --- sink ---------------------------------------------------------------------------------- */

static __attribute__((noinline)) void on_message(const unsigned char *payload, size_t length) {
  total.count++;
  total.bytes += length;
  total.sum += payload[0];
}

/* Called once per read, so that no message pays for a clock. */
static void watch(void) {
  if (until.at || !total.count) return;
  double t = now();
  if (!first_at) first_at = t;
  if (!from.at) {
    if (t - first_at >= warm) from.count = total.count, from.bytes = total.bytes, from.at = t;
  } else if (t - from.at >= measure) {
    until.count = total.count, until.bytes = total.bytes, until.at = t;
  }
}

static size_t parse(const unsigned char *buf, size_t fill) {
  size_t at = 0;
  while (fill - at >= HEADER) {
    size_t length = get_u32(buf + at);
    if (fill - at - HEADER < length) break;
    on_message(buf + at + HEADER, length);
    at += HEADER + length;
  }
  return at;
}

/* One connection, blocking. Within a large frame exactly its rest is read, so that nothing has to be moved. */
static void sink_one(int fd) {
  size_t cap = READ_SIZE + 2 * (size + HEADER), fill = 0;
  unsigned char *buf = aligned_alloc(4096, (cap + 4095) & ~(size_t)4095);
  for (;;) {
    size_t want = READ_SIZE;
    if (fill >= HEADER) {
      size_t rest = get_u32(buf) + HEADER - fill;
      if (size >= LENT_FROM && rest > 0) want = rest;
    }
    ssize_t n = read(fd, buf + fill, want);
    if (n < 0) die("read");
    if (n == 0) break;
    fill += n;
    size_t used = parse(buf, fill);
    if (used && used < fill) memmove(buf, buf + used, fill - used);
    fill -= used;
    watch();
  }
}

struct leaf { int fd; size_t fill; unsigned char carry[2048]; };

/* Many connections with small frames: one shared buffer, what is left of a frame is carried per connection. */
static void sink_many(int port) {
  static unsigned char buf[2048 + 64 * 1024];
  struct leaf *leaves = calloc(peers, sizeof *leaves);
  struct epoll_event ready[256];
  size_t open = peers;
  int poll = epoll_create1(0);
  for (size_t i = 0; i < peers; i++) {
    struct epoll_event interest = { .events = EPOLLIN, .data.ptr = &leaves[i] };
    leaves[i].fd = dial(port);
    epoll_ctl(poll, EPOLL_CTL_ADD, leaves[i].fd, &interest);
  }
  while (open) {
    int n = epoll_wait(poll, ready, 256, -1);
    for (int i = 0; i < n; i++) {
      struct leaf *leaf = ready[i].data.ptr;
      memcpy(buf, leaf->carry, leaf->fill);
      ssize_t got = read(leaf->fd, buf + leaf->fill, 64 * 1024);
      if (got <= 0) { close(leaf->fd); open--; continue; }
      size_t fill = leaf->fill + got, used = parse(buf, fill);
      leaf->fill = fill - used;
      memcpy(leaf->carry, buf + used, leaf->fill);
    }
    watch();
  }
}

/* Answers every frame with itself, id included. */
static void sink_calls(int fd) {
  unsigned char *in = malloc(2 * READ_SIZE), *out = malloc(2 * READ_SIZE);
  size_t fill = 0;
  for (;;) {
    ssize_t n = read(fd, in + fill, READ_SIZE);
    if (n < 0) die("read");
    if (n == 0) break;
    fill += n;
    size_t at = 0;
    unsigned char *p = out;
    while (fill - at >= HEADER) {
      size_t length = get_u32(in + at);
      if (fill - at - HEADER < length) break;
      on_message(in + at + HEADER + 4, length - 4);
      p = put_header(p, length);
      memcpy(p, in + at + HEADER, length);
      p += length;
      at += HEADER + length;
    }
    if (p > out) write_all(fd, out, p - out);
    if (at < fill) memmove(in, in + at, fill - at);
    fill -= at;
  }
}

static void print_sink(void) {
  printf("{\"count\":%llu,\"bytes\":%llu,\"sum\":%llu,\"windowCount\":%llu,\"windowBytes\":%llu,\"windowMs\":%.3f,\"windowEnd\":%llu}\n",
         (unsigned long long)total.count, (unsigned long long)total.bytes, (unsigned long long)total.sum,
         (unsigned long long)(until.count - from.count), (unsigned long long)(until.bytes - from.bytes),
         (until.at - from.at) * 1000, (unsigned long long)until.count);
}

/* --- source -------------------------------------------------------------------------------- */

static void writev_all(int fd, struct iovec *v, int parts) {
  while (parts) {
    ssize_t n = writev(fd, v, parts);
    if (n < 0) die("writev");
    while (parts && (size_t)n >= v->iov_len) n -= v->iov_len, v++, parts--;
    if (parts) v->iov_base = (char *)v->iov_base + n, v->iov_len -= n;
  }
}

static unsigned char *make_payload(void) {
  unsigned char *payload = aligned_alloc(4096, (size + 4095) & ~(size_t)4095);
  memset(payload, 0x20, size);
  payload[0] = FIRST_BYTE;
  return payload;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Keeps per_turn calls in flight; an id is a slot, whose call was begun at `begun`. Prints what a caller prints. */
static void source_calls(int fd) {
  unsigned char *payload = make_payload(), *in = malloc(2 * READ_SIZE), *out = malloc(per_turn * (size + 8));
  double *begun = calloc(per_turn, sizeof *begun), *took = malloc(4000000 * sizeof *took);
  uint32_t *ready = malloc(per_turn * sizeof *ready);
  size_t free_slots = per_turn, fill = 0, times = 0;
  uint64_t sent = 0, answered = 0, window = 0;
  double start = now() + warm, end = start + measure, opened = 0, closed = 0, t = now();
  for (size_t i = 0; i < per_turn; i++) ready[i] = i;
  while (t < end || answered < sent) {
    unsigned char *p = out;
    while (free_slots && t < end) {
      uint32_t id = ready[--free_slots], be = htonl(id);
      p = put_header(p, size + 4);
      memcpy(p, &be, 4);
      memcpy(p + 4, payload, size);
      p += 4 + size;
      begun[id] = t;
      sent++;
    }
    if (p > out) write_all(fd, out, p - out);
    ssize_t n = read(fd, in + fill, READ_SIZE);
    if (n <= 0) die("read");
    fill += n;
    t = now();
    size_t at = 0;
    while (fill - at >= HEADER) {
      size_t length = get_u32(in + at);
      if (fill - at - HEADER < length) break;
      uint32_t id = get_u32(in + at + HEADER);
      if (id >= per_turn || length != size + 4 || in[at + HEADER + 4] != FIRST_BYTE) {
        fputs("an answer is not what was sent\n", stderr);
        exit(1);
      }
      answered++;
      ready[free_slots++] = id;
      if (t >= start && t <= end) {
        if (!opened) opened = t;
        else window++;
        closed = t;
        if (per_turn == 1 && begun[id] >= start && times < 4000000) took[times++] = (t - begun[id]) * 1e6;
      }
      at += HEADER + length;
    }
    if (at < fill) memmove(in, in + at, fill - at);
    fill -= at;
  }
  qsort(took, times, sizeof *took, by_value);
  printf("{\"sent\":%llu,\"p50\":%.3f,\"p99\":%.3f,\"callsPerSecond\":%.3f}\n", (unsigned long long)sent,
         times ? took[times / 2] : 0, times ? took[(size_t)(times * 0.99)] : 0, window / (closed - opened));
}

static uint64_t source_one(int fd, double seconds) {
  unsigned char *payload = make_payload(), *batch = malloc(BATCH);
  unsigned char head[HEADER];
  uint64_t sent = 0;
  double end = now() + seconds;
  put_header(head, size);
  while (now() < end) {
    if (size >= LENT_FROM) {
      struct iovec v[2 * LARGE_BATCH];
      for (int i = 0; i < 2 * LARGE_BATCH; i += 2) {
        v[i] = (struct iovec){ head, HEADER };
        v[i + 1] = (struct iovec){ payload, size };
      }
      writev_all(fd, v, 2 * LARGE_BATCH);
      sent += LARGE_BATCH;
    } else {
      unsigned char *p = batch;
      size_t frames = strcmp(mode, "turn") == 0 ? 1 : BATCH / (size + HEADER);
      for (size_t i = 0; i < frames; i++) {
        p = put_header(p, size);
        memcpy(p, payload, size);
        p += size;
      }
      write_all(fd, batch, p - batch);
      sent += frames;
    }
  }
  return sent;
}

static uint64_t source_broadcast(int *fds, double seconds) {
  unsigned char *payload = make_payload(), *batch = malloc(per_turn * (size + HEADER));
  uint64_t sent = 0;
  double end = now() + seconds;
  while (now() < end) {
    unsigned char *p = batch;
    for (size_t i = 0; i < per_turn; i++) {
      p = put_header(p, size);
      memcpy(p, payload, size);
      p += size;
    }
    for (size_t i = 0; i < peers; i++) write_all(fds[i], batch, p - batch);
    sent += per_turn;
  }
  return sent;
}

/* ------------------------------------------------------------------------------------------- */

int main(int argc, char **argv) {
  if (argc != 8) { fputs("usage: ref sink|source MODE SIZE WARM_MS MEASURE_MS PEERS PER_TURN\n", stderr); return 2; }
  int is_sink = strcmp(argv[1], "sink") == 0;
  mode = argv[2];
  size = strtoul(argv[3], NULL, 10);
  warm = atof(argv[4]) / 1000;
  measure = atof(argv[5]) / 1000;
  peers = strtoul(argv[6], NULL, 10);
  per_turn = strtoul(argv[7], NULL, 10);
  int broadcast = strcmp(mode, "broadcast") == 0;
  double seconds = warm + measure + TAIL;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  alarm(60); /* never outlives a bench that was killed */

  if (is_sink) {
    if (broadcast) sink_many(read_port());
    else if (strcmp(mode, "call") == 0) sink_calls(accept_one(listen_loopback()));
    else sink_one(accept_one(listen_loopback()));
    print_sink();
    return 0;
  }
  int fds[peers];
  if (broadcast) {
    int listener = listen_loopback();
    for (size_t i = 0; i < peers; i++) fds[i] = accept_one(listener);
  } else {
    fds[0] = dial(read_port());
  }
  if (strcmp(mode, "call") == 0) {
    source_calls(fds[0]);
    return 0;
  }
  uint64_t sent = broadcast ? source_broadcast(fds, seconds) : source_one(fds[0], seconds);
  printf("{\"sent\":%llu}\n", (unsigned long long)sent);
  return 0;
}
