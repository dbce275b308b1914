// SPDX-License-Identifier: BSD-2-Clause
/*
 * properties: a logical line is one or more lines joined by trailing backslashes (leading blanks of
 * a continued line do not count). It is split at the first '=', ':' or blank that is not escaped,
 * then both halves are unescaped.
 */
#include "server/properties.h"

#include <ctype.h>
#include <stdio.h>

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static struct slice skip_blanks(struct slice s)
{
    while (s.size > 0 && is_blank(s.data[0]))
        s = slice_make(s.data + 1, s.size - 1);
    return s;
}

/* One line without its end; false when the text is at its end. */
static bool line_next(struct slice *rest, struct slice *ret_line)
{
    if (rest->size == 0)
        return false;
    size_t size = 0;
    while (size < rest->size && rest->data[size] != '\n' && rest->data[size] != '\r')
        size++;
    *ret_line = slice_make(rest->data, size);
    size_t end = size;
    if (end < rest->size)
        end +=
            rest->data[end] == '\r' && end + 1 < rest->size && rest->data[end + 1] == '\n' ? 2 : 1;
    *rest = slice_make(rest->data + end, rest->size - end);
    return true;
}

static bool line_continues(struct slice line)
{
    size_t backslashes = 0;
    while (backslashes < line.size && line.data[line.size - 1 - backslashes] == '\\')
        backslashes++;
    return backslashes % 2 == 1;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (uint8_t)tolower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void append_utf8(struct buffer *buffer, uint32_t point)
{
    if (point < 0x80)
        buffer_printf(buffer, "%c", (int)point);
    else if (point < 0x800)
        buffer_printf(buffer, "%c%c", (int)(0xC0 | point >> 6), (int)(0x80 | (point & 0x3F)));
    else
        buffer_printf(buffer, "%c%c%c", (int)(0xE0 | point >> 12),
            (int)(0x80 | (point >> 6 & 0x3F)), (int)(0x80 | (point & 0x3F)));
}

/* \uXXXX at the start of `s` (after the backslash); 0: malformed, taken as plain text. */
static size_t unescape_unicode(struct slice s, struct buffer *buffer)
{
    uint32_t point = 0;
    if (s.size < 5)
        return 0;
    for (size_t i = 1; i <= 4; i++) {
        int digit = hex_value(s.data[i]);
        if (digit < 0)
            return 0;
        point = point << 4 | (uint32_t)digit;
    }
    append_utf8(buffer, point);
    return 5;
}

static void unescape(struct slice s, struct buffer *buffer)
{
    for (size_t i = 0; i < s.size; i++) {
        uint8_t c = s.data[i];
        if (c != '\\' || i + 1 == s.size) {
            buffer_append(buffer, &c, 1);
            continue;
        }
        c = s.data[++i];
        size_t taken = c == 'u' ? unescape_unicode(slice_make(s.data + i, s.size - i), buffer) : 0;
        if (taken > 0) {
            i += taken - 1;
            continue;
        }
        static const char from[] = "tnrf", to[] = "\t\n\r\f";
        const char *known = memchr(from, c, sizeof(from) - 1);
        if (known != NULL)
            c = (uint8_t)to[known - from];
        buffer_append(buffer, &c, 1);
    }
}

static void logical_line_set(struct config *config, struct slice line, const char *where)
{
    struct buffer name = BUFFER_NULL, value = BUFFER_NULL;
    size_t end = 0;
    while (end < line.size && line.data[end] != '=' && line.data[end] != ':' &&
           !is_blank(line.data[end]))
        end += line.data[end] == '\\' && end + 1 < line.size ? 2 : 1;
    struct slice rest = skip_blanks(slice_make(line.data + end, line.size - end));
    if (rest.size > 0 && (rest.data[0] == '=' || rest.data[0] == ':'))
        rest = skip_blanks(slice_make(rest.data + 1, rest.size - 1));
    while (rest.size > 0 && is_blank(rest.data[rest.size - 1]))
        rest.size--;
    unescape(slice_make(line.data, end), &name);
    unescape(rest, &value);
    config_set(config, buffer_slice(&name), buffer_slice(&value), CONFIG_FROM_FILE, where);
    buffer_deinit(&name);
    buffer_deinit(&value);
}

void properties_parse(struct config *config, struct slice text, const char *where)
{
    struct buffer logical = BUFFER_NULL;
    struct slice line;
    unsigned number = 0;
    while (line_next(&text, &line)) {
        unsigned first = ++number;
        line = skip_blanks(line);
        if (line.size == 0 || line.data[0] == '#' || line.data[0] == '!')
            continue;
        logical.size = 0;
        while (line_continues(line)) {
            buffer_append(&logical, line.data, line.size - 1);
            if (!line_next(&text, &line))
                line = SLICE_LIT("");
            number++;
            line = skip_blanks(line);
        }
        buffer_append_slice(&logical, line);
        _cleanup_(freep) char *place = xasprintf("%s:%u", where, first);
        logical_line_set(config, buffer_slice(&logical), place);
    }
    buffer_deinit(&logical);
}

/* --- the environment --- */

/* Variables of the images that configure Java or the image itself, not the broker. */
static const char *const environment_excluded[] = {"VERSION", "HEAP_OPTS", "LOG4J_OPTS", "OPTS",
    "JMX_OPTS", "JMX_HOSTNAME", "JMX_PORT", "JVM_PERFORMANCE_OPTS", "GC_LOG_OPTS",
    "LOG4J_ROOT_LOGLEVEL", "LOG4J_LOGGERS", "TOOLS_LOG4J_LOGLEVEL", "CLUSTER_ID",
    "KRAFT_CLUSTER_ID", "ENABLE_KRAFT", "HOME", "DIR", "CONF_DIR", "CONF_FILE", "VOLUME_DIR",
    "MOUNTED_CONF_DIR", "CERTS_DIR", "INITSCRIPTS_DIR", "DAEMON_USER", "DAEMON_GROUP", "BASE_DIR",
    "DEFAULT_CONF_DIR", "CREATE_TOPICS", "CLIENT_USERS", "CLIENT_PASSWORDS", "INTER_BROKER_USER",
    "INTER_BROKER_PASSWORD", "CONTROLLER_USER", "CONTROLLER_PASSWORD", "SKIP_KRAFT_STORAGE_INIT",
    "EXTRA_FLAGS", "DEBUG", "SERVER_CONFIG", "URL", "USER"};

static const char *environment_suffix(const char *name)
{
    static const char *const prefixes[] = {"KAFKA_CFG_", "KAFKA_"};
    for (size_t i = 0; i < ARRAY_COUNT(prefixes); i++) {
        size_t size = strlen(prefixes[i]);
        if (strncmp(name, prefixes[i], size) == 0)
            return name + size;
    }
    return NULL;
}

char *environment_key(const char *name)
{
    const char *suffix = environment_suffix(name);
    if (suffix == NULL || suffix[0] == '\0')
        return NULL;
    for (size_t i = 0; i < ARRAY_COUNT(environment_excluded); i++) {
        if (strcmp(suffix, environment_excluded[i]) == 0)
            return NULL;
    }
    char *key = xmalloc(strlen(suffix) + 1), *to = key;
    while (*suffix != '\0') {
        size_t underscores = strspn(suffix, "_");
        if (underscores == 0) {
            *to++ = (char)tolower((unsigned char)*suffix++);
            continue;
        }
        size_t taken = underscores > 3 ? 3 : underscores;
        *to++ = taken == 1 ? '.' : taken == 2 ? '_' : '-';
        suffix += taken;
    }
    *to = '\0';
    return key;
}

void environment_load(struct config *config, char *const *environment)
{
    for (; *environment != NULL; environment++) {
        const char *equals = strchr(*environment, '=');
        if (equals == NULL)
            continue;
        _cleanup_(freep) char *name =
            xstrdup_slice(slice_make(*environment, (size_t)(equals - *environment)));
        _cleanup_(freep) char *key = environment_key(name);
        if (key != NULL)
            config_set(config, slice_from_str(key), slice_from_str(equals + 1),
                CONFIG_FROM_ENVIRONMENT, name);
    }
}
