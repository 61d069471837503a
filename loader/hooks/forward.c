// SPDX-License-Identifier: GPL-2.0-only
/* Puts xdp_forward on the interfaces that `forward` names, by links in driver
 * mode, and takes it off. */
#include <net/if.h>
#include <unistd.h>

#include "one_hook.h"

static bool wants_from(const struct conf *c, enum tl_mode mode)
{
	return c->forward == TL_FORWARD_XDP && mode == TL_MODE_NATIVE;
}

/* The ifindex of the interface that the pinned link is on, 0: none. */
static uint32_t from_ifindex(const char *path)
{
	uint32_t ifindex;
	int fd = pins_link_at(path, &ifindex);

	if (fd >= 0)
		close(fd);
	return ifindex;
}

static int from_failed(const struct conf *c, const char *from, int prog,
		       int err)
{
	char words[TL_REASON_LEN];

	xdp_refusal(from, if_nametoindex(from), prog, err, words);
	return conf_fail(
		interface_origin(c, KEY_FORWARD),
		"forward \"%s\" is not possible: %s: free it, or remove the name",
		from, words);
}

static void from_drop(const char *ifname, const char *from)
{
	char path[PATH_MAX];

	if (!pins_from_path(path, ifname, from))
		link_drop_at(path);
}

/* Another interface may have that name now. */
static int from_put(const struct conf *c, const char *from, int prog,
		    bool is_new)
{
	uint32_t ifindex = if_nametoindex(from), at;
	char path[PATH_MAX];
	int err;

	if (pins_from_path(path, c->ifname, from))
		return FAILED;
	at = from_ifindex(path);
	if (at && at != ifindex)
		link_drop_at(path);
	if (!ifindex)
		return OK;
	err = link_put_at(path, HOOK_XDP, ifindex, prog);
	return err && is_new ? from_failed(c, from, prog, err) : OK;
}

/* Takes the program off all interfaces that c does not name; NULL: off all. */
static int drop_others(const char *ifname, const struct conf *c)
{
	char(*names)[IFNAMSIZ] = NULL;
	size_t n = 0;
	int ret = pins_from_list(ifname, &names, &n);

	for (size_t i = 0; !ret && i < n; i++)
		if (!c || !conf_has_from(c, names[i]))
			from_drop(ifname, names[i]);
	free(names);
	return ret;
}

int forward_attach(const struct programs *g, const struct conf *c,
		   enum tl_mode mode, const struct conf *now)
{
	int ret = OK;

	if (!wants_from(c, mode))
		return drop_others(c->ifname, NULL);
	for_each_from(name, c)
	{
		bool is_new = !now || !conf_has_from(now, name);

		if (!ret)
			ret = from_put(c, name, g->fd[PROG_FORWARD], is_new);
	}
	if (ret)
		drop_others(c->ifname, now);
	return ret ?: drop_others(c->ifname, c);
}

int forward_detach(const char *ifname)
{
	return drop_others(ifname, NULL);
}

/* True if the program is on an interface that c does not name. */
static bool any_other(const struct conf *c, bool wanted)
{
	char(*names)[IFNAMSIZ] = NULL;
	bool any = false;
	size_t n = 0;

	if (!pins_from_list(c->ifname, &names, &n))
		for (size_t i = 0; i < n; i++)
			any |= !wanted || !conf_has_from(c, names[i]);
	free(names);
	return any;
}

bool forward_missing(const struct conf *c, enum tl_mode mode,
		     bool missing[static TL_FORWARD_FROM])
{
	bool wanted = wants_from(c, mode), any = any_other(c, wanted);
	char path[PATH_MAX];
	size_t i = 0;

	memset(missing, 0, TL_FORWARD_FROM * sizeof(*missing));
	if (!wanted)
		return any;
	for_each_from(name, c)
	{
		uint32_t ifindex = if_nametoindex(name);

		missing[i] = ifindex &&
			     !pins_from_path(path, c->ifname, name) &&
			     from_ifindex(path) != ifindex;
		any |= missing[i++];
	}
	return any;
}

void forward_fault(const char *ifname, const char *from,
		   char words[static TL_REASON_LEN])
{
	uint32_t ifindex = if_nametoindex(from);
	char path[PATH_MAX];

	*words = '\0';
	if (!ifindex)
		snprintf(words, TL_REASON_LEN, "there is no such interface");
	else if (pins_from_path(path, ifname, from) ||
		 from_ifindex(path) == ifindex || xdp_taken(ifindex, words))
		return;
	else
		snprintf(
			words, TL_REASON_LEN,
			"its driver refuses native XDP, or somebody took our program off");
}
