// SPDX-License-Identifier: GPL-2.0-only
/* Finds, sets, compares and writes keys, by their types; writes a
 * configuration. */
#include "conf.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

typedef bool key_is(const char *word, const char *name);

static bool same_word(const char *word, const char *name)
{
	return !strcmp(word, name);
}

static bool same_letters(const char *word, const char *name)
{
	return !strcasecmp(word, name);
}

static const struct key *find_row(const struct key *k, key_is *is,
				  const char *word)
{
	while (k->name && !is(word, k->name))
		k++;
	return k->name ? k : NULL;
}

/* Says what to write instead of an unknown key of the section of p. */
static void explain_unknown(const struct peer *p, char advice[static 160],
			    const char *word)
{
	const struct key *own = p ? peer_keys : interface_keys;
	const struct key *others = p ? interface_keys : peer_keys;
	const struct key *meant = find_row(own, word_close, word);
	const char *section =
		p ? "the section [interface]" : "a section [peer NAME]";

	if (habit_of_key(word))
		snprintf(advice, 160, "%s", habit_of_key(word));
	else if (meant)
		snprintf(advice, 160, "did you mean \"%s\"?", meant->name);
	else if ((meant = find_row(others, same_letters, word)))
		snprintf(advice, 160, "\"%s\" belongs to %s", meant->name,
			 section);
	else
		snprintf(advice, 160, "remove it, or see tunload.conf(5)");
}

const struct key *key_find(const struct peer *p, struct origin from,
			   const char *name)
{
	const struct key *keys = p ? peer_keys : interface_keys;
	const struct key *k = find_row(keys, same_word, name);
	char section[TL_NAME_LEN + 8] = "[interface]";
	char advice[160];

	if (k)
		return k;
	if (p)
		snprintf(section, sizeof(section), "peer %s", p->name);
	explain_unknown(p, advice, name);
	conf_error(from, "%s: unknown key \"%s\": %s", section, name, advice);
	return NULL;
}

const char *address_fault(const struct ip *ip)
{
	if (ip_is_martian(ip))
		return "is a loopback, multicast, unspecified, broadcast or IPv4-mapped address: use a unicast one";
	if (ip_is_link_local(ip))
		return "is a link-local address: use a global or private one";
	return NULL;
}

const char *list_next(const char **list, size_t *n)
{
	const char *word = *list + strspn(*list, ", \t");

	*n = strcspn(word, ", \t");
	*list = word + *n;
	return *n ? word : NULL;
}

uint32_t *key_number(const struct key *k, void *target)
{
	if (k->type == KEY_IS_ADDRESS || k->type == KEY_IS_OTHER)
		return NULL;
	return (void *)((char *)target + k->offset);
}

static uint32_t number_of(const struct key *k, const void *target)
{
	return *(const uint32_t *)((const char *)target + k->offset);
}

const struct ip *key_address(const struct key *k, const void *target)
{
	if (k->type != KEY_IS_ADDRESS)
		return NULL;
	return (const void *)((const char *)target + k->offset);
}

static bool is_fixed(const struct key *k, const void *target)
{
	return *(const bool *)((const char *)target + k->fixed);
}

void keys_init(const struct key *keys, void *target)
{
	for (const struct key *k = keys; k->name; k++) {
		uint32_t *n = key_number(k, target);

		if (n)
			*n = k->initial;
	}
}

static uint32_t n_words(const struct key *k)
{
	uint32_t n = 0;

	while (n < KEY_WORDS && k->words[n])
		n++;
	return n;
}

static bool is_meaning(const struct key *k, uint32_t n)
{
	return k->word && n == k->meaning;
}

bool key_valid(const struct key *k, uint32_t n)
{
	if (k->type == KEY_IS_CHOICE)
		return n < n_words(k);
	return is_meaning(k, n) || (n >= k->min && n <= k->max);
}

int key_error(const struct key *k, const void *target, struct origin from,
	      const char *value, const char *fmt, ...)
{
	const char *peer =
		k->of_peer ? ((const struct peer *)target)->name : "";
	char fault[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(fault, sizeof(fault), fmt, args);
	va_end(args);
	return conf_error(from, "%s%s%s%s \"%s\" %s", *peer ? "peer " : "",
			  peer, *peer ? ": " : "", k->name, value, fault);
}

static int set_number(const struct key *k, void *target, struct origin from,
		      const char *value)
{
	uint32_t *n = key_number(k, target);

	if (k->word && !strcmp(value, k->word)) {
		*n = k->meaning;
		return OK;
	}
	if (k->most && !strcmp(value, k->most)) {
		*n = k->max;
		return OK;
	}
	if (number_parse(value, k->min, k->max, n) ||
	    (k->hex && hex_parse(value, n)))
		return OK;
	return key_error(k, target, from, value,
			 "is not a number from %u to %u%s%s%s%s%s", k->min,
			 k->max, k->word ? ", or " : "", k->word ?: "",
			 k->most ? ", or " : "", k->most ?: "", k->hint ?: "");
}

/* Joins the words of a CHOICE. */
static const char *words_str(const struct key *k, const char *between,
			     char buf[static KEY_STRLEN])
{
	size_t used = 0;

	buf[0] = '\0';
	for (uint32_t i = 0; i < n_words(k) && used < KEY_STRLEN; i++)
		used += snprintf(buf + used, KEY_STRLEN - used, "%s%s",
				 i ? between : "", k->words[i]);
	return buf;
}

static int set_choice(const struct key *k, void *target, struct origin from,
		      const char *value)
{
	char words[KEY_STRLEN];

	for (uint32_t i = 0; i < n_words(k); i++) {
		if (!strcmp(value, k->words[i])) {
			*key_number(k, target) = i;
			return OK;
		}
	}
	if (n_words(k) == 2)
		return key_error(k, target, from, value, "is neither %s nor %s",
				 k->words[1], k->words[0]);
	return key_error(k, target, from, value, "is none of %s",
			 words_str(k, ", ", words));
}

/* Sets an address; `auto` is the same as no setting. */
static int set_address(const struct key *k, void *target, struct origin from,
		       const char *value)
{
	static const char *const kinds[] = {[4] = "IPv4", [6] = "IPv6"};
	bool fixed = strcmp(value, "auto");
	const char *fault;
	struct ip ip = {0};

	if (fixed &&
	    (!ip_parse(value, &ip) || (k->family && ip.family != k->family)))
		return key_error(k, target, from, value,
				 "is not an %s address: give one%s, or auto",
				 k->family ? kinds[k->family] : "IP",
				 k->hint ?: "");
	fault = address_fault(&ip);
	if (fault)
		return key_error(k, target, from, value, "%s", fault);
	*(struct ip *)((char *)target + k->offset) = ip;
	*(bool *)((char *)target + k->fixed) = fixed;
	return OK;
}

int key_set(const struct key *k, void *target, struct origin from,
	    const char *value)
{
	switch (k->type) {
	case KEY_IS_NUMBER:
		return set_number(k, target, from, value);
	case KEY_IS_CHOICE:
		return set_choice(k, target, from, value);
	case KEY_IS_ADDRESS:
		return set_address(k, target, from, value);
	default:
		return k->ops->set(k, target, from, value);
	}
}

static bool is_same(const struct key *k, const void *a, const void *b)
{
	if (k->type == KEY_IS_OTHER)
		return k->ops->same(a, b);
	if (k->type != KEY_IS_ADDRESS)
		return number_of(k, a) == number_of(k, b);
	return is_fixed(k, a) == is_fixed(k, b) &&
	       (!is_fixed(k, a) ||
		ip_equal(key_address(k, a), key_address(k, b)));
}

bool keys_same(const struct key *keys, const void *a, const void *b)
{
	for (const struct key *k = keys; k->name; k++) {
		if (!is_same(k, a, b))
			return false;
	}
	return true;
}

static const char *number_str(const struct key *k, uint32_t n,
			      char buf[static KEY_STRLEN])
{
	if (k->type == KEY_IS_CHOICE)
		return n < n_words(k) ? k->words[n] : "";
	if (is_meaning(k, n))
		return k->word;
	if (k->most && n == k->max)
		return k->most;
	snprintf(buf, KEY_STRLEN, k->hex && n ? "%#x" : "%u", n);
	return buf;
}

const char *key_str(const struct key *k, const void *target,
		    char buf[static KEY_STRLEN])
{
	if (k->type != KEY_IS_ADDRESS)
		return number_str(k, number_of(k, target), buf);
	if (!is_fixed(k, target))
		return "auto";
	return ip_str(key_address(k, target), buf);
}

const char *key_default(const struct key *k, char buf[static KEY_STRLEN])
{
	if (k->type == KEY_IS_OTHER)
		return k->word ?: "";
	if (k->type == KEY_IS_ADDRESS)
		return "auto";
	return number_str(k, k->initial, buf);
}

const char *key_values(const struct key *k, char buf[static KEY_STRLEN])
{
	switch (k->type) {
	case KEY_IS_NUMBER:
		snprintf(buf, KEY_STRLEN, "%u-%u%s%s%s%s", k->min, k->max,
			 k->word ? "|" : "", k->word ?: "", k->most ? "|" : "",
			 k->most ?: "");
		return buf;
	case KEY_IS_CHOICE:
		return words_str(k, "|", buf);
	case KEY_IS_ADDRESS:
		return "A|auto";
	default:
		return k->values;
	}
}

static bool has_default(const struct key *k, const void *target)
{
	return k->type == KEY_IS_ADDRESS ? !is_fixed(k, target)
					 : number_of(k, target) == k->initial;
}

static void write_key(FILE *out, const struct key *k, const void *target)
{
	char text[KEY_STRLEN];

	if (k->type == KEY_IS_OTHER) {
		k->ops->write(out, k, target);
		return;
	}
	if (!k->always && has_default(k, target))
		return;
	fprintf(out, "%s = %s", k->name, key_str(k, target, text));
	/* Appends the address that `auto` chose. */
	if (k->type == KEY_IS_ADDRESS && !is_fixed(k, target) &&
	    key_address(k, target)->family)
		fprintf(out, " # %s", ip_str(key_address(k, target), text));
	fputc('\n', out);
}

static void keys_write(FILE *out, const struct key *keys, const void *target)
{
	for (const struct key *k = keys; k->name; k++)
		write_key(out, k, target);
}

void conf_write(FILE *out, const struct conf *c)
{
	fprintf(out, "[interface]\n");
	keys_write(out, interface_keys, c);
	for_each_peer (p, c) {
		fprintf(out, "\n[peer %s]\n", p->name);
		if (*p->waiting)
			fprintf(out, "# waits: %s\n", p->waiting);
		keys_write(out, peer_keys, p);
	}
}
