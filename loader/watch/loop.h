/* SPDX-License-Identifier: GPL-2.0-only */
/* For watch/: what the parts of the loop share. */
#ifndef TUNLOAD_WATCH_LOOP_H
#define TUNLOAD_WATCH_LOOP_H

#include <poll.h>
#include <syslog.h>

#include "names.h"
#include "watch.h"

#define NEVER	  UINT64_MAX
#define NS_PER_MS 1000000ull

/* What the loop waits for. */
struct fds {
	struct pollfd all[32];
	nfds_t n;
};
/* Adds a descriptor to read from, or to wait for those events of poll(2); a
 * negative one is left out. */
void fds_add(struct fds *fds, int fd);
void fds_add_for(struct fds *fds, int fd, short events);

struct watch;

/* A part of the loop; any function may be NULL. After each wait, all parts
 * work, in the order of the table in loop.c. */
struct part {
	/* Adds the descriptors that wake the part up. */
	void (*wait)(const struct watch *w, struct fds *fds);
	/* Returns when it has something to do, or NEVER. */
	uint64_t (*next)(const struct watch *w);
	/* Does what is due, and reads what has come; never blocks. */
	void (*work)(struct watch *w, uint64_t now_ns);
};
extern const struct part signals_part, host_part, attached_part, peers_part,
	names_part, align_part, exec_part, service_part, tell_part;

/* A child process; it and its children are killed when it takes too long. */
struct job {
	pid_t pid;	   /* 0: none */
	int out;	   /* reads what it says; -1: nothing */
	uint64_t began_ns; /* CLOCK_MONOTONIC */
	bool killed;
};
#define JOB_NS (30 * NS_PER_S)
/* Returns 0 in the child, whose *to_parent, if not NULL, is to write to. */
pid_t job_fork(struct job *job, int *to_parent);
/* Kills it if it has run for too long. True if it has ended; *status is as
 * waitpid() has it. */
bool job_ended(struct job *job, uint64_t now_ns, int *status);
uint64_t job_deadline(const struct job *job);

/* Facts about a peer, as "TUNLOAD_NAME=value": the environment of --exec, and
 * fields in the journal. */
#define FACTS_MAX 12
struct facts {
	char *all[FACTS_MAX];
	size_t n;
};
void fact_add(struct facts *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void facts_free(struct facts *f);

/* Prints a line, to the journal with facts (which may be NULL) if standard
 * error goes there. priority is one of syslog's. */
void watch_log(int priority, const struct facts *facts, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* For report_divert(): logs an error or warning, unless the last one was the
 * same. */
void watch_report(void *unused, const char *line);

/* A peer of the running state. */
struct watched {
	struct life life;
	uint64_t received;		  /* packets, when last looked at */
	char reason[TL_WAITING_LEN + 64]; /* of its state, or "" */
	bool is_new;			  /* not looked at yet */
	bool others; /* carry what it shares, see life_needs_others() */
};

/* A change that --exec is yet to be told of. */
struct change {
	struct facts facts;
	struct change *next;
};

#define WHY_LEN	   512
#define STATUS_LEN 128

struct watch {
	const struct watch_options *options;
	bool ended;    /* by a signal */
	bool ready;    /* systemd was told so */
	bool attached; /* maps are open, now and watched are read */
	bool can_send; /* echo is open */
	bool told;     /* why it is not attached */

	/* attached.c */
	uint32_t changes; /* of the maps, as counted in `generations` */
	struct maps maps;
	uint64_t pin;	  /* the inode of a pin */
	uint64_t look_ns; /* when to look again */

	/* peers.c */
	struct conf now;	 /* the running state */
	struct watched *watched; /* one for each peer of now, as sorted */
	struct echo echo;

	struct names_followed names;

	/* host.c, align.c */
	struct mnl_socket *host;
	struct job align;
	uint64_t align_ns; /* when to align next */
	uint64_t rest_ns;  /* not before, except ... */
	bool at_once;	   /* ... if others are to carry a peer's prefixes */
	size_t said_len;   /* of what the job has said */

	/* exec.c */
	struct job command;
	struct change *first, **last;
	size_t n_changes;

	/* service.c */
	uint64_t ping_ns; /* when to tell systemd again that all is well */
	uint64_t ping_every_ns; /* 0: systemd does not ask */

	int signals;  /* signals.c */
	int listener; /* tell.c */
	char status[STATUS_LEN];
	char why[WHY_LEN]; /* it is not attached */
	char said[8192];
};

/* signals.c, host.c, exec.c */
int signals_open(struct watch *w);
void signals_close(struct watch *w);
int host_open(struct watch *w);
void host_close(struct watch *w);
void exec_close(struct watch *w);

/* attached.c: forgets what is attached. */
void attached_close(struct watch *w);

/* peers.c: reads the running state, anew or again. */
int peers_read(struct watch *w);
void peers_free(struct watch *w);

/* tell.c */
void tell_open(struct watch *w);
void tell_close(struct watch *w);

/* What is known of a peer of another state, if its path is the same. */
const struct watched *was_watched(const struct watch *w, const struct peer *p);

/* align.c: wants the tunnels brought in line with the host, soon. */
void align_soon(struct watch *w);

/* names.c: reads the names of a new running state, of which w->now is the one
 * before. */
void names_read(struct watch *w, const struct conf *now,
		const struct watched *watched);
void names_close(struct watch *w);
/* Like watch_state_changed(). */
void names_state_changed(struct watch *w, size_t i, enum life_state before);
/* The names that have lost the address in use, for align_due(). The caller
 * frees only the array. */
struct answers names_lost(struct watch *w);

/* changed.c. Called after each change of the state of peer i of w->now. */
void watch_state_changed(struct watch *w, size_t i, enum life_state before);

/* exec.c: --exec is to be told; takes over the facts. */
void exec_push(struct watch *w, struct facts *facts);

#endif
