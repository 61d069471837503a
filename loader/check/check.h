/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * check/: what on this host keeps the tunnels of an interface from working, or
 * makes them worse. Each area is a function in a file of its own that adds
 * findings; check.c has their table.
 */
#ifndef TUNLOAD_CHECK_H
#define TUNLOAD_CHECK_H

#include "show/show.h"

/* In the order of their weight. */
enum level { LEVEL_OK, LEVEL_WARNING, LEVEL_FAILURE };

/* Indexed by enum level. */
extern const char *const level_names[];

struct finding {
	enum level level;
	const char *area;	/* the name of its row in the table */
	const char *what;	/* the condition in a few words, a constant */
	char peer[TL_NAME_LEN]; /* "": of the interface, or of the host */
	char *why;
	char *command; /* that mends it; NULL: none */
};

/* What is examined, and the findings. */
struct check {
	struct conf conf; /* resolved: the running state, or a file */
	bool attached;
	bool probe;	       /* sends packets to the peers */
	bool no_file;	       /* none is at the default place */
	struct snapshot now;   /* if attached */
	struct link_info link; /* of the interface */
	struct addrs addrs;    /* of the interface */
	struct addrs own;      /* of the host */
	struct next_hop *hop;  /* for next_hop_fault() */
	const char *area;      /* the one that looks now */
	struct finding *findings;
	size_t n;
	bool no_memory; /* a finding is missing */
};

/*
 * The areas, in the order of the output. A row: the function check_NAME(), and
 * what `ok` says if it finds nothing (NULL: no line). A function returns a
 * status: FAILED, printed, only if it could not look.
 */
#define CHECKS(X)                                                              \
	X(kernel, "Linux, BTF, JIT, rights and bpffs serve")                   \
	X(addresses, "our addresses are on their interfaces")                  \
	X(endpoints, "the next hops towards the endpoints are there")          \
	X(routes, "inner packets are routed into the tunnels")                 \
	X(sysctls, "no sysctl drops inner packets")                            \
	X(mtus, "the packets fit into interface and path")                     \
	X(risks, "no setting does what may not be meant")                      \
	X(rivals, "nobody else takes the packets of the tunnels")              \
	X(driver, "nothing is in the way of the driver")                       \
	X(firewall, "no rule of nftables drops inner packets for certain")     \
	X(managers, "nobody else takes our routes away")                       \
	X(traffic, NULL)                                                       \
	X(ec2, NULL)                                                           \
	X(probe, NULL)

#define DECLARE_CHECK(name, ...) int check_##name(struct check *c);
CHECKS(DECLARE_CHECK)
#undef DECLARE_CHECK

/* Adds a finding; p is the peer that it is about, or NULL. */
void found(struct check *c, enum level level, const char *what,
	   const struct peer *p, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Sets the command that mends the last finding. */
void mend(struct check *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Reads what is to be examined: the running state if the interface is attached
 * and no file is named, else the file, or for NULL that at the default place.
 * The caller frees c unless this fails.
 */
int check_read(struct check *c, const char *ifname, const char *file);
void check_free(struct check *c);
/* Lets all areas look. */
int check_run(struct check *c);
/* The weight of the worst finding. */
enum level check_worst(const struct check *c);

/* Prints the findings, for people and as JSON. */
void findings_text(const struct check *c);
int findings_json(const struct check *c);

#endif
