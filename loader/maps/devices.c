// SPDX-License-Identifier: GPL-2.0-only
/* Writes the host's devices, for forwarding in XDP. */
#include "maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

static int read_device(const struct maps *m, uint32_t slot,
		       struct tl_device *out)
{
	if (bpf_map_lookup_elem(m->devices, &slot, out))
		return fail("cannot read the map \"devices\": %s",
			    strerror(errno));
	return OK;
}

static void want_device(struct tl_device want[static TL_DEVICES],
			const struct device *d)
{
	struct tl_device *row = &want[d->ifindex % TL_DEVICES];

	if (row->ifindex)
		return;
	row->ifindex = d->ifindex;
	row->flags = d->sends ? TL_DEVICE_F_SENDS : 0;
	memcpy(row->mac, d->mac, sizeof(row->mac));
}

static void want_index(struct tl_device want[static TL_DEVICES],
		       uint32_t ifindex, const struct host_facts *facts)
{
	for (size_t i = 0; i < facts->n_devices; i++)
		if (facts->devices[i].ifindex == ifindex)
			want_device(want, &facts->devices[i]);
}

/* The interface itself comes first, then those that packets come from: of
 * devices with the same slot, the first one stays. */
static void want_devices(struct tl_device want[static TL_DEVICES],
			 const struct conf *c, const struct host_facts *facts)
{
	memset(want, 0, TL_DEVICES * sizeof(*want));
	want_index(want, c->ifindex, facts);
	for_each_from(name, c) want_index(want, if_nametoindex(name), facts);
	for (size_t i = 0; i < facts->n_devices; i++)
		want_device(want, &facts->devices[i]);
}

int devices_apply(const struct maps *m, const struct conf *c,
		  const struct host_facts *facts)
{
	struct tl_device want[TL_DEVICES], now;

	want_devices(want, c, facts);
	for (uint32_t i = 0; i < TL_DEVICES; i++) {
		if (read_device(m, i, &now))
			return FAILED;
		if (!memcmp(&now, &want[i], sizeof(now)))
			continue;
		if (bpf_map_update_elem(m->devices, &i, &want[i], BPF_ANY))
			return fail("cannot write the map \"devices\": %s",
				    strerror(errno));
	}
	return OK;
}

int devices_pending(const struct maps *m, const struct conf *c,
		    const struct host_facts *facts, bool *any)
{
	struct tl_device want[TL_DEVICES], now;

	want_devices(want, c, facts);
	for (uint32_t i = 0; i < TL_DEVICES; i++) {
		if (read_device(m, i, &now))
			return FAILED;
		*any |= memcmp(&now, &want[i], sizeof(now)) != 0;
	}
	return OK;
}

int devices_sending(const struct maps *m, uint32_t **out, size_t *n)
{
	struct tl_device now;

	*out = NULL;
	*n = 0;
	for (uint32_t i = 0; i < TL_DEVICES; i++) {
		if (read_device(m, i, &now))
			return FAILED;
		if (now.flags & TL_DEVICE_F_SENDS &&
		    push(*out, *n, &now.ifindex))
			return FAILED;
	}
	return OK;
}
