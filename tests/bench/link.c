/* link: a TCP relay on loopback that behaves like a line: delay, bandwidth, a full buffer.
 *
 * Bytes leave at the bandwidth of the line and arrive the delay later; what has not
 * left yet waits in a buffer of QUEUE_BYTES, and when that is full the relay reads no
 * more, so that the sender feels the line.  The bandwidth is that of each direction and
 * is shared by all connections.  Not imitated: loss and the slow start of TCP.
 *
 * At SIGUSR1 it prints how often a client spoke after the server had spoken (the round
 * trips it waited for) and how many bytes came from the server.
 *
 * build: cc -O2 -o link link.c
 * usage: link LISTEN_PORT TARGET_PORT ONE_WAY_MS MBIT_S       (0 ms, 0 Mbit/s: a plain relay)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE_BYTES 16384
#define QUEUE_BYTES (256 << 10)
#define CONNECTIONS_MAX 64

enum { UP, DOWN };                           /* from the client, from the server */
struct piece { struct piece *next; double due; size_t size, sent; char bytes[PIECE_BYTES]; };
struct way { int from, to, ended, shut; struct piece *first, *last; size_t held; };
struct connection { struct way ways[2]; int spoke; };

static struct connection connections[CONNECTIONS_MAX];
static int count;
static double delay, bytes_s, free_at[2];
static long long round_trips, bytes_down;
static volatile sig_atomic_t asked;

static void on_signal(int signal) { asked = signal; }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void set_up(int fd) {
    int one = 1, buffer = QUEUE_BYTES;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void welcome(int listener, struct sockaddr_in *target) {
    int client = accept(listener, NULL, NULL), server = socket(AF_INET, SOCK_STREAM, 0);
    if (client < 0) { close(server); return; }
    if (count == CONNECTIONS_MAX || connect(server, (struct sockaddr *)target, sizeof *target)) {
        close(client);
        close(server);
        return;
    }
    set_up(client);
    set_up(server);
    connections[count++] = (struct connection){
        .ways = {{.from = client, .to = server}, {.from = server, .to = client}}, .spoke = DOWN};
}

static void take(struct connection *c, int direction, double at) {
    struct way *w = &c->ways[direction];
    struct piece *p = malloc(sizeof *p);
    if (!p) exit(1);
    ssize_t n = recv(w->from, p->bytes, PIECE_BYTES, 0);
    if (n <= 0) {
        free(p);
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) w->ended = 1;
        return;
    }
    if (direction == UP && c->spoke == DOWN) round_trips++;
    c->spoke = direction;
    if (direction == DOWN) bytes_down += n;
    double *line = &free_at[direction];
    if (*line < at) *line = at;
    if (bytes_s > 0) *line += n / bytes_s;
    p->due = *line + delay;
    p->size = n;
    p->sent = 0;
    p->next = NULL;
    w->held += n;
    if (w->last) w->last->next = p; else w->first = p;
    w->last = p;
}

static void give(struct way *w) {
    struct piece *p = w->first;
    ssize_t n = send(w->to, p->bytes + p->sent, p->size - p->sent, MSG_NOSIGNAL);
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR) return;
        w->ended = 1;
        n = p->size - p->sent;               /* nobody is there to take it */
    }
    p->sent += n;
    w->held -= n;
    if (p->sent < p->size) return;
    if (!(w->first = p->next)) w->last = NULL;
    free(p);
}

static void close_ended(void) {
    for (int i = 0; i < count; i++) {
        struct way *ways = connections[i].ways;
        for (struct way *w = ways; w < ways + 2; w++)
            if (w->ended && !w->first && !w->shut) { shutdown(w->to, SHUT_WR); w->shut = 1; }
        if (ways[UP].shut && ways[DOWN].shut) {
            close(ways[UP].from);
            close(ways[UP].to);
            connections[i--] = connections[--count];
        }
    }
}

static void relay(int listener, struct sockaddr_in *target) {
    struct pollfd wanted[1 + 4 * CONNECTIONS_MAX];
    struct { struct connection *connection; int direction; } whose[1 + 4 * CONNECTIONS_MAX];
    size_t held_max = QUEUE_BYTES + (size_t)(bytes_s * delay);
    while (asked != SIGTERM) {
        if (asked == SIGUSR1) {
            printf("%lld round trips %lld bytes\n", round_trips, bytes_down);
            fflush(stdout);
            asked = 0;
        }
        double at = now(), wake = at + 1;
        int n = 0;
        wanted[n++] = (struct pollfd){.fd = listener, .events = POLLIN};
        for (struct connection *c = connections; c < connections + count; c++)
            for (int direction = UP; direction <= DOWN; direction++) {
                struct way *w = &c->ways[direction];
                whose[n].connection = c;
                whose[n].direction = direction;
                if (!w->ended && w->held < held_max)
                    wanted[n++] = (struct pollfd){.fd = w->from, .events = POLLIN};
                whose[n].connection = c;
                whose[n].direction = direction;
                if (w->first && w->first->due <= at)
                    wanted[n++] = (struct pollfd){.fd = w->to, .events = POLLOUT};
                else if (w->first && w->first->due < wake)
                    wake = w->first->due;
            }
        struct timespec wait = {(time_t)(wake - at), (long)((wake - at - (time_t)(wake - at)) * 1e9)};
        if (ppoll(wanted, n, &wait, NULL) < 0) continue;
        at = now();
        for (int i = 1; i < n; i++) {
            if (!wanted[i].revents) continue;
            struct connection *c = whose[i].connection;
            if (wanted[i].events == POLLIN) take(c, whose[i].direction, at);
            else give(&c->ways[whose[i].direction]);
        }
        if (wanted[0].revents) welcome(listener, target);
        close_ended();
    }
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, target = here;
    target.sin_port = htons(atoi(argv[2]));
    delay = atof(argv[3]) / 1e3;
    bytes_s = atof(argv[4]) * 1e6 / 8;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 16)) {
        perror("link");
        return 1;
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    relay(listener, &target);
    return 0;
}
