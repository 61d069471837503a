// SPDX-License-Identifier: GPL-2.0-only
/* Asks the metadata service of Amazon EC2 (IMDSv2) about an interface. */
#include "metadata.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define TOKEN_PATH     "/latest/api/token"
#define INTERFACE_PATH "/latest/meta-data/network/interfaces/macs/"

/* Of one request, and of all together. */
#define REQUEST_MS 1000
#define ALL_MS	   3000

/* The functions of libcurl. It is loaded by the few commands that ask: with its
 * thirty libraries, every start of tunload would take several times longer. */
static struct {
	typeof(curl_easy_init) *init;
	typeof(curl_easy_setopt) *set;
	typeof(curl_easy_perform) *perform;
	typeof(curl_easy_getinfo) *info;
	typeof(curl_easy_cleanup) *cleanup;
	typeof(curl_slist_append) *append;
	typeof(curl_slist_free_all) *free_all;
} curl;

static bool load_curl(void)
{
	static const struct symbol symbols[] = {
		{"curl_easy_init", &curl.init},
		{"curl_easy_setopt", &curl.set},
		{"curl_easy_perform", &curl.perform},
		{"curl_easy_getinfo", &curl.info},
		{"curl_easy_cleanup", &curl.cleanup},
		{"curl_slist_append", &curl.append},
		{"curl_slist_free_all", &curl.free_all},
		{0},
	};
	/* Debian's other build of it has another name. */
	static struct library lib = {
		.names = {"libcurl.so.4", "libcurl-gnutls.so.4"},
		.symbols = symbols,
	};

	return library_load(&lib);
}

/* Much longer than any true answer. */
#define TEXT_LEN 16384

struct service {
	const char *url;
	CURL *handle;
	struct curl_slist *headers;
	uint64_t until_ns; /* CLOCK_MONOTONIC */
	bool failed;	   /* an answer is missing */
	char text[TEXT_LEN + 1];
	size_t len;
};

/* Takes a part of an answer; libcurl gives up if not all of it is taken. */
static size_t on_text(char *part, size_t size, size_t n, void *data)
{
	struct service *s = data;

	n *= size;
	if (n > TEXT_LEN - s->len)
		return 0;
	memcpy(s->text + s->len, part, n);
	s->len += n;
	s->text[s->len] = '\0';
	return n;
}

static long milliseconds_left(const struct service *s)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	uint64_t ms = now < s->until_ns ? (s->until_ns - now) / 1000000 : 0;

	return ms < REQUEST_MS ? ms : REQUEST_MS;
}

/* Sends a request and reads the answer to s->text: "" if there is no such
 * thing (404). Any other status is a failure, and ends the talk. */
static char *ask_service(struct service *s, const char *path)
{
	char url[256];
	long status = 0, ms = milliseconds_left(s);

	s->len = 0;
	s->text[0] = '\0';
	if (s->failed)
		return s->text;
	snprintf(url, sizeof(url), "%s%s", s->url, path);
	curl.set(s->handle, CURLOPT_URL, url);
	curl.set(s->handle, CURLOPT_TIMEOUT_MS, ms);
	curl.set(s->handle, CURLOPT_HTTPHEADER, s->headers);
	s->failed = !ms || curl.perform(s->handle);
	if (!s->failed)
		curl.info(s->handle, CURLINFO_RESPONSE_CODE, &status);
	s->failed |= status != 200 && status != 404;
	if (s->failed || status != 200)
		s->text[0] = '\0';
	return s->text;
}

/* The token becomes part of a header of later requests. */
static bool take_token(struct service *s)
{
	struct curl_slist *ttl =
		curl.append(NULL, "X-aws-ec2-metadata-token-ttl-seconds: 60");
	char header[512] = "";
	const char *token;

	s->headers = ttl;
	curl.set(s->handle, CURLOPT_CUSTOMREQUEST, "PUT");
	token = ask_service(s, TOKEN_PATH);
	s->headers = NULL;
	curl.free_all(ttl);
	curl.set(s->handle, CURLOPT_CUSTOMREQUEST, NULL);
	if (!*token || !text_printable(token) ||
	    snprintf(header, sizeof(header), "X-aws-ec2-metadata-token: %s",
		     token) >= (int)sizeof(header))
		return false;
	s->headers = curl.append(NULL, header);
	return s->headers;
}

/* Without a proxy, and only through oif, where the route was examined. */
static bool open_service(struct service *s, const char *url, uint32_t oif)
{
	char device[IFNAMSIZ + 3] = "if!";

	*s = (struct service){
		.url = url,
		.handle = curl.init(),
		.until_ns = clock_ns(CLOCK_MONOTONIC) + ALL_MS * 1000000ull,
	};
	if (!s->handle || !if_indextoname(oif, device + 3))
		return false;
	curl.set(s->handle, CURLOPT_INTERFACE, device);
	curl.set(s->handle, CURLOPT_PROXY, "");
	curl.set(s->handle, CURLOPT_NOSIGNAL, 1L);
	curl.set(s->handle, CURLOPT_WRITEFUNCTION, on_text);
	curl.set(s->handle, CURLOPT_WRITEDATA, s);
	return take_token(s);
}

static void close_service(struct service *s)
{
	curl.free_all(s->headers);
	if (s->handle)
		curl.cleanup(s->handle);
}

/* Asks for a category of the interface: words, each on a line. */
static char *ask_category(struct service *s, const struct link_info *link,
			  const char *category)
{
	const uint8_t *m = link->mac;
	char path[200];

	snprintf(path, sizeof(path),
		 INTERFACE_PATH "%02x:%02x:%02x:%02x:%02x:%02x/%s", m[0], m[1],
		 m[2], m[3], m[4], m[5], category);
	return ask_service(s, path);
}

/* Returns the next word of an answer, or NULL; *rest is NULL at first, then
 * strtok_r()'s. */
static char *next_word(char *text, char **rest)
{
	return strtok_r(*rest ? NULL : text, " \t\r\n", rest);
}

/* Identifiers become part of commands that people copy. */
static bool is_id(const char *word, const char *kind)
{
	size_t n = strlen(kind);

	return !strncmp(word, kind, n) && word[n] &&
	       strlen(word) < EC2_ID_LEN &&
	       !word[n + strspn(word + n, "0123456789abcdef")];
}

/* Asks for the first identifier of that kind; "" if there is none. */
static void ask_id(struct service *s, const struct link_info *link,
		   const char *category, const char *kind, char *id)
{
	char *text = ask_category(s, link, category), *rest = NULL, *word;

	id[0] = '\0';
	while (!*id && (word = next_word(text, &rest)))
		if (is_id(word, kind))
			snprintf(id, EC2_ID_LEN, "%s", word);
}

static int ask_addresses(struct service *s, const struct link_info *link,
			 const char *category, struct ip **to, size_t *n)
{
	char *text = ask_category(s, link, category), *rest = NULL, *word;
	struct ip ip;
	int ret = OK;

	while (!ret && (word = next_word(text, &rest)))
		if (ip_parse(word, &ip))
			ret = push(*to, *n, &ip);
	return ret;
}

static int ask_prefixes(struct service *s, const struct link_info *link,
			const char *category, struct prefix **to, size_t *n)
{
	char *text = ask_category(s, link, category), *rest = NULL, *word;
	struct prefix p;
	const char *why;
	int ret = OK;

	while (!ret && (word = next_word(text, &rest)))
		if (prefix_parse(word, &p, &why))
			ret = push(*to, *n, &p);
	return ret;
}

/* A category lists the public addresses; under each one are the private ones
 * that it is translated to. */
static int ask_translations(struct service *s, const struct link_info *link,
			    struct metadata *m)
{
	char category[40 + IP_STRLEN], text[IP_STRLEN];
	struct ip *outside = NULL, *inside = NULL;
	size_t n = 0, n_inside = 0;
	int ret = ask_addresses(s, link, "ipv4-associations/", &outside, &n);

	for (size_t i = 0; !ret && i < n; i++) {
		snprintf(category, sizeof(category), "ipv4-associations/%s",
			 ip_str(&outside[i], text));
		n_inside = 0;
		ret = ask_addresses(s, link, category, &inside, &n_inside);
		for (size_t k = 0; !ret && k < n_inside; k++)
			ret = push(
				m->translations, m->n_translations,
				(&(struct translation){inside[k], outside[i]}));
	}
	free(outside);
	free(inside);
	return ret;
}

/* Asks for everything; a failed service answers nothing. */
static int ask_all(struct service *s, const struct link_info *link,
		   struct metadata *m)
{
	ask_id(s, link, "interface-id", "eni-", m->interface_id);
	if (!*m->interface_id)
		return OK;
	ask_id(s, link, "security-group-ids", "sg-", m->group_id);
	return ask_addresses(s, link, "local-ipv4s", &m->assigned,
			     &m->n_assigned) ?:
	       ask_addresses(s, link, "ipv6s", &m->assigned, &m->n_assigned) ?:
	       ask_prefixes(s, link, "ipv4-prefix", &m->delegated,
			    &m->n_delegated) ?:
	       ask_prefixes(s, link, "ipv6-prefix", &m->delegated,
			    &m->n_delegated) ?:
	       ask_prefixes(s, link, "vpc-ipv4-cidr-blocks", &m->networks,
			    &m->n_networks) ?:
	       ask_translations(s, link, m);
}

static bool ask_at(const char *url, const struct ip *at,
		   const struct link_info *link, struct metadata *out)
{
	struct service s;
	uint32_t oif = path_outside(at);
	bool told;

	if (!oif || !load_curl())
		return false;
	told = open_service(&s, url, oif) && !ask_all(&s, link, out) &&
	       !s.failed && *out->interface_id;
	close_service(&s);
	if (!told)
		metadata_free(out);
	return told;
}

bool metadata_read(const struct link_info *link, struct metadata *out)
{
	static const struct {
		const char *address, *url;
	} places[] = {
		{"169.254.169.254", "http://169.254.169.254"},
		{"fd00:ec2::254", "http://[fd00:ec2::254]"},
	};
	struct ip at;

	*out = (struct metadata){0};
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (ip_parse(places[i].address, &at) &&
		    ask_at(places[i].url, &at, link, out))
			return true;
	return false;
}

void metadata_free(struct metadata *m)
{
	free(m->assigned);
	free(m->delegated);
	free(m->networks);
	free(m->translations);
	*m = (struct metadata){0};
}

struct ip metadata_outside(const struct metadata *m, const struct ip *local)
{
	for (size_t i = 0; i < m->n_translations; i++)
		if (ip_equal(&m->translations[i].inside, local))
			return m->translations[i].outside;
	return (struct ip){0};
}

struct ip public_address(const char *ifname, const struct ip *local)
{
	struct link_info link;
	struct metadata m;
	struct ip outside = {0};

	if (local->family != 4 || link_info(ifname, &link) ||
	    !metadata_read(&link, &m))
		return outside;
	outside = metadata_outside(&m, local);
	metadata_free(&m);
	return outside;
}
