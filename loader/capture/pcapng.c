// SPDX-License-Identifier: GPL-2.0-only
/* Writes pcapng (draft-ietf-opsawg-pcapng): section, interfaces, frames,
 * statistics. */
#include "capture.h"

#include <string.h>
#include <sys/utsname.h>

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_FRAME = 6,
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4d

/* Options; the numbers of some depend on the block. */
enum {
	OPT_END = 0,
	OPT_COMMENT = 1,
	FRAME_FLAGS = 2,
	INTERFACE_NAME = 2,
	INTERFACE_DESCRIPTION = 3,
	INTERFACE_TSRESOL = 9,
	SECTION_OS = 3,
	SECTION_APPLICATION = 4,
	STATISTICS_START = 2,
	STATISTICS_END = 3,
	STATISTICS_SEEN = 4,
	STATISTICS_LOST = 5,
};

#define FLAG_INBOUND  1
#define FLAG_OUTBOUND 2

#define NANOSECONDS 9 /* INTERFACE_TSRESOL: a negative power of ten */
#define ETHERNET    1 /* link type */

/* Part of a block while it is made: whole words. */
struct part {
	size_t len;
	uint8_t bytes[512];
};

static void put(struct part *p, const void *data, size_t len)
{
	static const uint8_t zeros[4];
	size_t padding = -len & 3;

	if (p->len + len + padding > sizeof(p->bytes))
		return;
	memcpy(p->bytes + p->len, data, len);
	memcpy(p->bytes + p->len + len, zeros, padding);
	p->len += len + padding;
}

static void put32(struct part *p, uint32_t value)
{
	put(p, &value, sizeof(value));
}

/* Times are two words, the high one first. */
static void put_time(struct part *p, uint64_t ns)
{
	put32(p, ns >> 32);
	put32(p, ns);
}

static void option(struct part *p, uint16_t code, const void *data, size_t len)
{
	const uint16_t head[2] = {code, len};

	put(p, head, sizeof(head));
	put(p, data, len);
}

static void option_text(struct part *p, uint16_t code, const char *text)
{
	option(p, code, text, strlen(text));
}

static void option_time(struct part *p, uint16_t code, uint64_t ns)
{
	const uint32_t words[2] = {ns >> 32, ns};

	option(p, code, words, sizeof(words));
}

/* Writes a block: the fixed part, data padded to whole words, the options. */
static void write_block(FILE *out, uint32_t type, const struct part *fixed,
			const void *data, size_t len,
			const struct part *options)
{
	static const uint8_t zeros[4];
	const size_t padding = -len & 3;
	const uint32_t total = 12 + fixed->len + len + padding + options->len;
	const uint32_t head[2] = {type, total};

	fwrite(head, sizeof(head), 1, out);
	fwrite(fixed->bytes, fixed->len, 1, out);
	if (len)
		fwrite(data, len, 1, out);
	fwrite(zeros, 1, padding, out);
	fwrite(options->bytes, options->len, 1, out);
	fwrite(&total, sizeof(total), 1, out);
}

static void write_section(FILE *out)
{
	const uint16_t version[2] = {1, 0};
	struct part fixed = {0}, options = {0};
	struct utsname u = {0};
	char os[sizeof(u.sysname) + sizeof(u.release) + 1];

	uname(&u);
	snprintf(os, sizeof(os), "%s %s", u.sysname, u.release);
	put32(&fixed, BYTE_ORDER_MAGIC);
	put(&fixed, version, sizeof(version));
	put_time(&fixed, -1); /* an unknown length */
	option_text(&options, SECTION_OS, os);
	option_text(&options, SECTION_APPLICATION, "tunload " VERSION);
	option(&options, OPT_END, "", 0);
	write_block(out, BLOCK_SECTION, &fixed, NULL, 0, &options);
}

static void write_interface(FILE *out, const char *ifname, const char *side,
			    const char *description, uint32_t snaplen)
{
	const uint16_t link[2] = {ETHERNET, 0};
	const uint8_t resolution = NANOSECONDS;
	struct part fixed = {0}, options = {0};
	char name[IFNAMSIZ + 8];

	snprintf(name, sizeof(name), "%s %s", ifname, side);
	put(&fixed, link, sizeof(link));
	put32(&fixed, snaplen);
	option_text(&options, INTERFACE_NAME, name);
	option_text(&options, INTERFACE_DESCRIPTION, description);
	option(&options, INTERFACE_TSRESOL, &resolution, 1);
	option(&options, OPT_END, "", 0);
	write_block(out, BLOCK_INTERFACE, &fixed, NULL, 0, &options);
}

void pcapng_begin(FILE *out, const char *ifname, uint32_t snaplen)
{
	write_section(out);
	write_interface(out, ifname, "outer", "as on the wire", snaplen);
	write_interface(out, ifname, "inner", "without the outer header",
			snaplen);
}

void pcapng_frame(FILE *out, const struct pcapng_frame *frame)
{
	const uint32_t flags = frame->inbound ? FLAG_INBOUND : FLAG_OUTBOUND;
	struct part fixed = {0}, options = {0};

	put32(&fixed, frame->side);
	put_time(&fixed, frame->time_ns);
	put32(&fixed, frame->caught);
	put32(&fixed, frame->len);
	option_text(&options, OPT_COMMENT, frame->comment);
	option(&options, FRAME_FLAGS, &flags, sizeof(flags));
	option(&options, OPT_END, "", 0);
	write_block(out, BLOCK_FRAME, &fixed, frame->data, frame->caught,
		    &options);
}

void pcapng_counts(FILE *out, uint32_t side, const struct pcapng_counts *c)
{
	struct part fixed = {0}, options = {0};

	put32(&fixed, side);
	put_time(&fixed, c->end_ns);
	option_time(&options, STATISTICS_START, c->begin_ns);
	option_time(&options, STATISTICS_END, c->end_ns);
	option(&options, STATISTICS_SEEN, &c->seen, sizeof(c->seen));
	option(&options, STATISTICS_LOST, &c->lost, sizeof(c->lost));
	option(&options, OPT_END, "", 0);
	write_block(out, BLOCK_STATISTICS, &fixed, NULL, 0, &options);
}
