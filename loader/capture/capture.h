/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * capture/: copies the packets of the attached programs into a pcapng file,
 * with their verdicts.
 */
#ifndef TUNLOAD_CAPTURE_H
#define TUNLOAD_CAPTURE_H

#include <stdio.h>

#include "../../bpf/captured.h"
#include "hooks/hooks.h"

/* Writes pcapng (draft-ietf-opsawg-pcapng), in host byte order. Errors are
 * those of the stream: ferror(). */

struct pcapng_frame {
	uint32_t side;	  /* enum tl_side, the number of the interface */
	bool inbound;	  /* else outbound */
	uint64_t time_ns; /* since 1970 */
	uint32_t len;	  /* bytes of the whole frame */
	uint32_t caught;  /* ... and of data */
	const void *data; /* from the Ethernet header on */
	const char *comment;
};

struct pcapng_counts {
	uint64_t begin_ns, end_ns; /* since 1970 */
	uint64_t seen, lost;	   /* frames */
};

/* Writes the head of the file: its origin, and the interfaces "IFACE outer" and
 * "IFACE inner". */
void pcapng_begin(FILE *out, const char *ifname, uint32_t snaplen);
void pcapng_frame(FILE *out, const struct pcapng_frame *frame);
/* Writes the statistics of an interface. */
void pcapng_counts(FILE *out, uint32_t side, const struct pcapng_counts *c);

/* The records of bpf/captured.h. */

/* The verdict of a packet, from the record of its end. */
enum tl_verdict captured_verdict(const struct tl_captured *end);

/* Fills in the outer addresses of a frame as the key of the peer that it came
 * from, or goes to; false if it has none. len: bytes at `frame`. */
bool captured_addresses(const uint8_t *frame, size_t len, bool inbound,
			struct tl_endpoint *key);

/* Reads the secret by which the program tc_egress knows its own packets
 * (bpf/packet/marks.h). */
int read_secret(int prog_fd, uint64_t *secret);

/* Called for each record: the header, and the frame behind it. */
typedef void record_fn(void *ctx, int cpu, const struct tl_captured *record,
		       const uint8_t *frame);

struct record_taker {
	record_fn *take;
	void *ctx;
};

/* Programs that trace those of an interface, and how to read what they send. */
struct tracer {
	struct capture_bpf *skel;
	struct perf_buffer *records;
	struct record_taker taker;
	uint32_t ids[HOOK_COUNT + 1]; /* of the traced programs */
};

/* Traces the pinned programs of ifname; copies snaplen bytes of a frame. */
int tracer_open(struct tracer *t, const char *ifname, uint32_t snaplen,
		const struct record_taker *taker);
/* Waits for records, and gives them to the taker. */
int tracer_poll(struct tracer *t, int timeout_ms);
/* True if the pinned programs are others now. */
bool tracer_is_stale(const struct tracer *t, const char *ifname);
/* Ends the tracing, and gives what is left to the taker. */
void tracer_stop(struct tracer *t);
/* Adds the frames that were lost to lost[], by enum tl_side. */
void tracer_lost(const struct tracer *t, uint64_t lost[TL_SIDES]);
void tracer_close(struct tracer *t);

/* What to capture, and where to. */
struct capture_wish {
	const char *ifname;
	const char *peer; /* only packets of this peer, or NULL */
	uint32_t frames;  /* end after so many; 0: on a signal */
	uint32_t snaplen;
};

/* How many frames were written, and lost. */
struct capture_result {
	bool begun;
	uint64_t written, lost;
};

/* Captures until a signal, so many frames, or until nobody reads any more.
 * begin() returns the stream to write to, or NULL after an error, as soon as no
 * packet is missed. Goes on with the new programs after an upgrade in place. */
int capture(const struct capture_wish *wish, FILE *begin(void *ctx), void *ctx,
	    struct capture_result *out);

#endif
