/* limit_wire: the least an IMAP client can do to empty a mailbox; the limit of this machine.
 *
 *   fetch   LOGIN, SELECT, UID FETCH BODY.PEEK[] in groups of 8 MiB; the bytes are dropped
 *   hash    + SHA-256 of every message
 *   zstd    + one zstd frame of level 3 for every message
 *   append  + written to one file, fdatasync once for each group
 *   prove   + page cache dropped, read back, decompressed, hashed, compared
 *   delete  + UID STORE \Deleted and UID EXPUNGE of the group
 *
 * It has no ledger, parses no report and survives no crash.
 *
 * build: cc -O2 -o limit_wire limit_wire.c -lcrypto -lzstd
 * usage: limit_wire PORT USER PASSWORD STAGE FILE     (127.0.0.1, without TLS)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zstd.h>

#define GROUP_BYTES (8u << 20)
#define LEVEL 3

enum { FETCH, HASH, ZSTD, APPEND, PROVE, DELETE, STAGES };
static const char *const names[STAGES] = {"fetch", "hash", "zstd", "append", "prove", "delete"};

struct bytes { unsigned char *at; size_t size; };
struct stored { off_t offset; size_t stored_bytes, size_bytes; unsigned char digest[32]; };
struct listed { unsigned uid; size_t size_bytes; };

static int stage, sock, file = -1;
static unsigned char wire[1 << 18];
static size_t wire_at, wire_end;
static char line[1 << 16];
static EVP_MD_CTX *hasher;
static ZSTD_CCtx *compressor;
static ZSTD_DCtx *decompressor;
static struct bytes message, frame;
static struct stored *group;
static size_t group_count, group_room;
static long long messages, raw_bytes, stored_bytes;

static void die(const char *what) { perror(what); exit(1); }

static void *grown(void *at, size_t size) {
    if (!(at = realloc(at, size))) die("memory");
    return at;
}

static void room(struct bytes *b, size_t size) {
    if (size > b->size) b->at = grown(b->at, b->size = size + size / 4);
}

static void receive(void) {
    ssize_t n = recv(sock, wire, sizeof wire, 0);
    if (n <= 0) die("recv");
    wire_at = 0;
    wire_end = n;
}

static void read_line(void) {
    for (size_t length = 0;;) {
        if (wire_at == wire_end) receive();
        unsigned char *from = wire + wire_at, *newline = memchr(from, '\n', wire_end - wire_at);
        size_t n = newline ? (size_t)(newline - from) + 1 : wire_end - wire_at;
        if (length + n >= sizeof line) die("line too long");
        memcpy(line + length, from, n);
        length += n;
        wire_at += n;
        if (newline) { line[length] = 0; return; }
    }
}

static void say(const char *command) {
    size_t n = strlen(command);
    if (send(sock, command, n, 0) != (ssize_t)n) die("send");
}

static int answered(void) {                  /* has the tagged answer come? */
    if (strncmp(line, "a ", 2)) return 0;
    if (strncmp(line, "a OK", 4)) { fputs(line, stderr); exit(1); }
    return 1;
}

static void order(const char *command) {
    say(command);
    do read_line(); while (!answered());
}

static void take(size_t size) {              /* one literal */
    struct stored s = {.offset = stored_bytes, .size_bytes = size};
    room(&message, size);
    if (stage >= HASH) EVP_DigestInit_ex(hasher, EVP_sha256(), NULL);
    for (size_t at = 0; at < size;) {
        if (wire_at == wire_end) receive();
        size_t n = wire_end - wire_at < size - at ? wire_end - wire_at : size - at;
        if (stage >= HASH) EVP_DigestUpdate(hasher, wire + wire_at, n);
        if (stage >= ZSTD) memcpy(message.at + at, wire + wire_at, n);
        at += n;
        wire_at += n;
    }
    messages++;
    raw_bytes += size;
    if (stage >= HASH) EVP_DigestFinal_ex(hasher, s.digest, NULL);
    if (stage < ZSTD) return;
    room(&frame, ZSTD_compressBound(size));
    s.stored_bytes = ZSTD_compressCCtx(compressor, frame.at, frame.size, message.at, size, LEVEL);
    if (ZSTD_isError(s.stored_bytes)) die("zstd");
    stored_bytes += s.stored_bytes;
    if (stage < APPEND) return;
    for (size_t at = 0; at < s.stored_bytes;) {
        ssize_t n = write(file, frame.at + at, s.stored_bytes - at);
        if (n <= 0) die("write");
        at += n;
    }
    if (group_count == group_room)
        group = grown(group, (group_room = group_room ? group_room * 2 : 1024) * sizeof *group);
    group[group_count++] = s;
}

static void prove(void) {
    off_t start = group_count ? group[0].offset : 0;
    posix_fadvise(file, start, stored_bytes - start, POSIX_FADV_DONTNEED);
    for (struct stored *s = group; s < group + group_count; s++) {
        unsigned char digest[32];
        room(&frame, s->stored_bytes);
        room(&message, s->size_bytes);
        if (pread(file, frame.at, s->stored_bytes, s->offset) != (ssize_t)s->stored_bytes) die("pread");
        if (ZSTD_decompressDCtx(decompressor, message.at, s->size_bytes, frame.at, s->stored_bytes)
            != s->size_bytes) die("decompress");
        EVP_Digest(message.at, s->size_bytes, digest, NULL, EVP_sha256(), NULL);
        if (memcmp(digest, s->digest, sizeof digest)) die("digest differs");
    }
}

static void work_off(unsigned first, unsigned last) {
    char command[128];
    snprintf(command, sizeof command, "a UID FETCH %u:%u (UID BODY.PEEK[])\r\n", first, last);
    say(command);
    for (read_line(); !answered(); read_line()) {
        char *literal = strrchr(line, '{');
        if (literal && strstr(literal, "}\r\n")) take(strtoull(literal + 1, NULL, 10));
    }
    if (stage >= APPEND && fdatasync(file)) die("fdatasync");
    if (stage >= PROVE) prove();
    group_count = 0;
    if (stage < DELETE) return;
    snprintf(command, sizeof command, "a UID STORE %u:%u +FLAGS.SILENT (\\Deleted)\r\n", first, last);
    order(command);
    snprintf(command, sizeof command, "a UID EXPUNGE %u:%u\r\n", first, last);
    order(command);
}

static size_t list(struct listed **all) {
    size_t count = 0, rooms = 0;
    say("a UID FETCH 1:* (UID RFC822.SIZE)\r\n");
    for (read_line(); !answered(); read_line()) {
        char *uid = strstr(line, "UID "), *size = strstr(line, "RFC822.SIZE ");
        if (!uid || !size) continue;
        if (count == rooms) *all = grown(*all, (rooms = rooms ? rooms * 2 : 4096) * sizeof **all);
        (*all)[count++] = (struct listed){strtoul(uid + 4, NULL, 10), strtoull(size + 12, NULL, 10)};
    }
    return count;
}

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    while (stage < STAGES && strcmp(names[stage], argv[4])) stage++;
    if (stage == STAGES) return 2;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    sock = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(sock, (struct sockaddr *)&to, sizeof to)) die("connect");
    setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    file = open(argv[5], O_CREAT | O_TRUNC | O_RDWR, 0600);
    if (file < 0) die(argv[5]);
    hasher = EVP_MD_CTX_new();
    compressor = ZSTD_createCCtx();
    decompressor = ZSTD_createDCtx();
    read_line();
    char command[512];
    snprintf(command, sizeof command, "a LOGIN %s %s\r\n", argv[2], argv[3]);
    order(command);
    order("a SELECT INBOX\r\n");
    struct listed *all = NULL;
    size_t count = list(&all);
    for (size_t first = 0, end; first < count; first = end) {
        size_t bytes = all[first].size_bytes;
        for (end = first + 1; end < count && bytes + all[end].size_bytes <= GROUP_BYTES; end++)
            bytes += all[end].size_bytes;
        work_off(all[first].uid, all[end - 1].uid);
    }
    order("a LOGOUT\r\n");
    printf("%lld messages %lld bytes %lld stored\n", messages, raw_bytes, stored_bytes);
    return 0;
}
