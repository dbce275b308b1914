// SPDX-License-Identifier: BSD-2-Clause
/*
 * A recursive descent over the expression:
 *
 *   alternation = sequence { "|" sequence }      sequence = { repetition }
 *   repetition  = atom [ * + ? {n} {n,} {n,m} [ ? ] ]
 *   atom        = "(" alternation ")" | "[" class "]" | "." | escape | ^ | $ | byte
 *
 * Lazy and greedy match the same texts, so that mark is read and forgotten. The first fault stays,
 * and everything returns at once.
 */
#include "base/regex_parse.h"

#include "base/regex.h"

#include <errno.h>
#include <string.h>

struct regex_parser {
    const uint8_t *at, *end;
    struct regex_tree *tree;
    int fault;
    unsigned depth;
    bool fold_case, dot_all, lines;
    bool quoted; /* within \Q...\E */
};

static uint32_t parse_alternation(struct regex_parser *parser);

static uint32_t parse_fail(struct regex_parser *parser, int fault)
{
    if (parser->fault == 0)
        parser->fault = fault;
    parser->at = parser->end;
    return 0;
}

static uint32_t parse_node(struct regex_parser *parser, struct regex_node node)
{
    struct regex_tree *tree = parser->tree;
    if (tree->count == REGEX_INSTRUCTIONS_MAX)
        return parse_fail(parser, -E2BIG);
    if (tree->count == tree->capacity) {
        tree->capacity = tree->capacity == 0 ? 32 : tree->capacity * 2;
        tree->nodes = xrealloc(tree->nodes, tree->capacity * sizeof(*tree->nodes));
    }
    tree->nodes[tree->count] = node;
    return tree->count++;
}

static bool parse_peek(const struct regex_parser *parser, char c)
{
    return parser->at < parser->end && *parser->at == (uint8_t)c;
}

static bool parse_take(struct regex_parser *parser, const char *text)
{
    size_t size = strlen(text);
    if ((size_t)(parser->end - parser->at) < size || memcmp(parser->at, text, size) != 0)
        return false;
    parser->at += size;
    return true;
}

/* --- sets --- */

static void set_range(struct regex_set *set, unsigned from, unsigned to)
{
    for (unsigned byte = from; byte <= to && byte < 256; byte++)
        regex_set_add(set, byte);
}

static void set_join(struct regex_set *set, const struct regex_set *other, bool negate)
{
    for (int i = 0; i < 4; i++)
        set->words[i] |= negate ? ~other->words[i] : other->words[i];
}

static void set_fold(struct regex_set *set)
{
    for (unsigned c = 'a'; c <= 'z'; c++) {
        unsigned upper = c - 'a' + 'A';
        if (regex_set_has(set, c))
            regex_set_add(set, upper);
        else if (regex_set_has(set, upper))
            regex_set_add(set, c);
    }
}

struct set_name {
    const char *name;
    const char *ranges; /* pairs of bytes, from and to */
};

static const struct set_name posix_names[] = {
    {"alnum", "09AZaz"},
    {"alpha", "AZaz"},
    {"ascii", "\x01\x7f"},
    {"blank", "\t\t  "},
    {"cntrl", "\x01\x1f\x7f\x7f"},
    {"digit", "09"},
    {"graph", "!~"},
    {"lower", "az"},
    {"print", " ~"},
    {"punct", "!/:@[`{~"},
    {"space", "\t\r  "},
    {"upper", "AZ"},
    {"word", "09AZaz__"},
    {"xdigit", "09AFaf"},
};

/* What of Unicode's categories and scripts is ASCII; any other known one has nothing there. */
static const struct set_name unicode_names[] = {
    {"Any", "\x01\x7f"},
    {"C", "\x01\x1f\x7f\x7f"},
    {"Cc", "\x01\x1f\x7f\x7f"},
    {"L", "AZaz"},
    {"Latin", "AZaz"},
    {"Ll", "az"},
    {"Lu", "AZ"},
    {"N", "09"},
    {"Nd", "09"},
    {"P", "!#%*,/:;?@[]__{{}}"},
    {"Pc", "__"},
    {"Pd", "--"},
    {"Pe", "))]]}}"},
    {"Po", "!#%'**,,./:;?@\\\\"},
    {"Ps", "(([[{{"},
    {"S", "$$++<>^^``||~~"},
    {"Sc", "$$"},
    {"Sk", "^^``"},
    {"Sm", "++<>||~~"},
    {"Z", "  "},
    {"Zs", "  "},
};

static bool set_named(
    const struct set_name *names, size_t count, struct slice name, struct regex_set *ret_set)
{
    for (size_t i = 0; i < count; i++) {
        if (!slice_equal_str(name, names[i].name))
            continue;
        *ret_set = (struct regex_set){{0}};
        for (const char *range = names[i].ranges; *range != 0; range += 2)
            set_range(ret_set, (uint8_t)range[0], (uint8_t)range[1]);
        return true;
    }
    return false;
}

static void set_perl(char letter, struct regex_set *set)
{
    *set = (struct regex_set){{0}};
    if (letter == 'd') {
        set_range(set, '0', '9');
    } else if (letter == 'w') {
        set_named(posix_names, ARRAY_COUNT(posix_names), SLICE_LIT("word"), set);
    } else {
        set_range(set, '\t', '\n');
        set_range(set, '\f', '\r');
        regex_set_add(set, ' ');
    }
}

/* After "\p" or "\P". */
static void parse_unicode(struct regex_parser *parser, bool negate, struct regex_set *set)
{
    struct slice name = slice_make(parser->at, 1);
    if (parse_take(parser, "{")) {
        const uint8_t *close = memchr(parser->at, '}', (size_t)(parser->end - parser->at));
        if (close == NULL) {
            parse_fail(parser, -EINVAL);
            return;
        }
        if (parse_take(parser, "^"))
            negate = !negate;
        name = slice_make(parser->at, (size_t)(close - parser->at));
        parser->at = close + 1;
    } else if (parser->at < parser->end) {
        parser->at++;
    } else {
        parse_fail(parser, -EINVAL);
        return;
    }
    struct regex_set found = {{0}};
    bool known = set_named(unicode_names, ARRAY_COUNT(unicode_names), name, &found);
    if (!known && (name.size == 0 || name.data[0] < 'A' || name.data[0] > 'Z'))
        parse_fail(parser, -EINVAL);
    set_join(set, &found, negate);
}

/* --- escapes --- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* After "\x": two digits, or braces. Beyond a byte: -1, nothing of a text is that. */
static int parse_hex(struct regex_parser *parser)
{
    bool braces = parse_take(parser, "{");
    int value = 0, digits = 0;
    while (parser->at < parser->end && hex_digit(*parser->at) >= 0 && (braces || digits < 2)) {
        value = value * 16 + hex_digit(*parser->at++);
        digits++;
        if (value > 0x10ffff)
            parse_fail(parser, -EINVAL);
    }
    if (digits == 0 || (!braces && digits != 2) || (braces && !parse_take(parser, "}")))
        parse_fail(parser, -EINVAL);
    return value > 0x7f ? -1 : value;
}

/* After a backslash, the escapes that stand for one byte. -2: it is not one of them. */
static int parse_escaped_byte(struct regex_parser *parser)
{
    if (parser->at == parser->end) {
        parse_fail(parser, -EINVAL);
        return -1;
    }
    uint8_t c = *parser->at++;
    switch (c) {
    case 'a': return '\a';
    case 'f': return '\f';
    case 't': return '\t';
    case 'n': return '\n';
    case 'r': return '\r';
    case 'v': return '\v';
    case 'x': return parse_hex(parser);
    default: break;
    }
    if (c >= '0' && c <= '7') {
        bool octal =
            c == '0' || (parser->at < parser->end && *parser->at >= '0' && *parser->at <= '7');
        if (!octal) { /* \1: a reference back */
            parse_fail(parser, -EINVAL);
            return -1;
        }
        int value = c - '0';
        for (int i = 0;
             i < 2 && parser->at < parser->end && *parser->at >= '0' && *parser->at <= '7'; i++)
            value = value * 8 + (*parser->at++ - '0');
        return value > 0x7f ? -1 : value;
    }
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && c < 0x80)
        return c;
    parser->at--;
    return -2;
}

/* \d \D \s \S \w \W \p \P into the set. False: something else follows. */
static bool parse_escaped_set(struct regex_parser *parser, struct regex_set *set)
{
    if (parser->at == parser->end)
        return false;
    char c = (char)*parser->at;
    struct regex_set perl;
    switch (c) {
    case 'd':
    case 's':
    case 'w':
    case 'D':
    case 'S':
    case 'W':
        parser->at++;
        set_perl((char)(c | 0x20), &perl);
        set_join(set, &perl, (c & 0x20) == 0);
        return true;
    case 'p':
    case 'P':
        parser->at++;
        parse_unicode(parser, c == 'P', set);
        return true;
    default: return false;
    }
}

static uint32_t parse_set(struct regex_parser *parser, struct regex_set set)
{
    if (parser->fold_case)
        set_fold(&set);
    return parse_node(parser, (struct regex_node){.kind = REGEX_SET, .set = set});
}

static uint32_t parse_byte(struct regex_parser *parser, int byte)
{
    struct regex_set set = {{0}};
    if (byte >= 0)
        regex_set_add(&set, (unsigned)byte);
    return parse_set(parser, set);
}

static uint32_t parse_assert(struct regex_parser *parser, enum regex_assert assertion)
{
    return parse_node(parser, (struct regex_node){.kind = REGEX_ASSERT, .assertion = assertion});
}

static uint32_t parse_escape(struct regex_parser *parser)
{
    struct regex_set set = {{0}};
    if (parse_escaped_set(parser, &set))
        return parse_set(parser, set);
    if (parse_take(parser, "A"))
        return parse_assert(parser, REGEX_TEXT_BEGIN);
    if (parse_take(parser, "z"))
        return parse_assert(parser, REGEX_TEXT_END);
    if (parse_take(parser, "b"))
        return parse_assert(parser, REGEX_WORD_EDGE);
    if (parse_take(parser, "B"))
        return parse_assert(parser, REGEX_WORD_INSIDE);
    if (parse_take(parser, "C")) {
        set_range(&set, 0, 255);
        return parse_set(parser, set);
    }
    if (parse_take(parser, "Q")) {
        parser->quoted = true;
        return parse_node(parser, (struct regex_node){.kind = REGEX_EMPTY});
    }
    int byte = parse_escaped_byte(parser);
    return byte == -2 ? parse_fail(parser, -EINVAL) : parse_byte(parser, byte);
}

/* --- classes --- */

/* "[:name:]" or "[:^name:]". False: it is not one. */
static bool parse_posix(struct regex_parser *parser, struct regex_set *set)
{
    const uint8_t *start = parser->at;
    if (!parse_take(parser, "[:"))
        return false;
    bool negate = parse_take(parser, "^");
    const uint8_t *name = parser->at;
    while (parser->at < parser->end && *parser->at >= 'a' && *parser->at <= 'z')
        parser->at++;
    struct slice text = slice_make(name, (size_t)(parser->at - name));
    if (!parse_take(parser, ":]")) {
        parser->at = start;
        return false;
    }
    struct regex_set found;
    if (set_named(posix_names, ARRAY_COUNT(posix_names), text, &found))
        set_join(set, &found, negate);
    else
        parse_fail(parser, -EINVAL);
    return true;
}

/* One end of a range; -1: no byte of ASCII. */
static int parse_class_byte(struct regex_parser *parser)
{
    if (parse_take(parser, "\\")) {
        int byte = parse_escaped_byte(parser);
        if (byte == -2)
            parse_fail(parser, -EINVAL);
        return byte;
    }
    uint8_t c = *parser->at++;
    if (c < 0x80)
        return c;
    while (parser->at < parser->end && (*parser->at & 0xc0) == 0x80)
        parser->at++;
    return -1;
}

static void parse_class_range(struct regex_parser *parser, struct regex_set *set)
{
    int from = parse_class_byte(parser), to = from;
    if (parser->at + 1 < parser->end && parser->at[0] == '-' && parser->at[1] != ']') {
        parser->at++;
        to = parse_class_byte(parser);
        if (from >= 0 && to < 0)
            to = 0x7f; /* up to something beyond ASCII */
        else if (to < from)
            parse_fail(parser, -EINVAL);
    }
    if (from >= 0 && to >= 0)
        set_range(set, (unsigned)from, (unsigned)to);
}

static uint32_t parse_class(struct regex_parser *parser)
{
    struct regex_set set = {{0}}, all = {{0}};
    bool negate = parse_take(parser, "^");
    for (bool first = true; first || !parse_peek(parser, ']'); first = false) {
        if (parser->at == parser->end)
            return parse_fail(parser, -EINVAL);
        if (parse_posix(parser, &set))
            continue;
        if (parse_peek(parser, '\\')) {
            parser->at++;
            if (parse_escaped_set(parser, &set))
                continue;
            parser->at--;
        }
        parse_class_range(parser, &set);
        if (parser->fault != 0)
            return 0;
    }
    parser->at++;
    if (parser->fold_case)
        set_fold(&set);
    set_join(&all, &set, negate);
    return parse_node(parser, (struct regex_node){.kind = REGEX_SET, .set = all});
}

/* --- groups --- */

/* "i-s" and the like, up to ":" or ")". False: fault. */
static bool parse_flags(struct regex_parser *parser)
{
    bool on = true, any = false;
    while (parser->at < parser->end) {
        switch (*parser->at) {
        case 'i': parser->fold_case = on; break;
        case 's': parser->dot_all = on; break;
        case 'm': parser->lines = on; break;
        case 'U': break; /* lazy for greedy: the same texts */
        case '-':
            if (!on)
                return false;
            on = any = false;
            parser->at++;
            continue;
        default: return any;
        }
        any = true;
        parser->at++;
    }
    return false;
}

static bool parse_name(struct regex_parser *parser)
{
    const uint8_t *start = parser->at;
    for (; parser->at < parser->end; parser->at++) {
        uint8_t c = *parser->at;
        if (c == '>')
            return parser->at++ > start;
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                c == '_'))
            return false;
    }
    return false;
}

/* After "(". Flags that are set without a colon hold until the group around them ends. */
static uint32_t parse_group(struct regex_parser *parser)
{
    bool fold_case = parser->fold_case, dot_all = parser->dot_all, lines = parser->lines;
    if (parse_take(parser, "?P<") || parse_take(parser, "?<")) {
        if (!parse_name(parser))
            return parse_fail(parser, -EINVAL);
    } else if (parse_take(parser, "?:")) {
        /* nothing to remember */
    } else if (parse_take(parser, "?")) {
        if (!parse_flags(parser))
            return parse_fail(parser, -EINVAL);
        if (parse_take(parser, ")"))
            return parse_node(parser, (struct regex_node){.kind = REGEX_EMPTY});
        if (!parse_take(parser, ":"))
            return parse_fail(parser, -EINVAL);
    }
    uint32_t inner = parse_alternation(parser);
    if (!parse_take(parser, ")"))
        return parse_fail(parser, -EINVAL);
    parser->fold_case = fold_case;
    parser->dot_all = dot_all;
    parser->lines = lines;
    return inner;
}

static uint32_t parse_atom(struct regex_parser *parser)
{
    if (parser->quoted) {
        uint32_t byte = parse_byte(parser, *parser->at++);
        parser->quoted = !parse_take(parser, "\\E"); /* what then follows may repeat it */
        return byte;
    }
    uint8_t c = *parser->at++;
    struct regex_set set = {{0}};
    switch (c) {
    case '(': return parse_group(parser);
    case '[': return parse_class(parser);
    case '\\': return parse_escape(parser);
    case '.':
        set_range(&set, 0, 255);
        if (!parser->dot_all)
            set.words[0] &= ~((uint64_t)1 << '\n');
        return parse_set(parser, set);
    case '^': return parse_assert(parser, parser->lines ? REGEX_LINE_BEGIN : REGEX_TEXT_BEGIN);
    case '$': return parse_assert(parser, parser->lines ? REGEX_LINE_END : REGEX_TEXT_END);
    case '*':
    case '+':
    case '?': return parse_fail(parser, -EINVAL); /* nothing to repeat */
    default: return parse_byte(parser, c);
    }
}

/* --- repetitions --- */

static bool parse_number(const uint8_t **at, const uint8_t *end, int *ret_number)
{
    const uint8_t *start = *at;
    int number = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        if (number <= REGEX_REPEAT_MAX)
            number = number * 10 + (**at - '0');
    }
    *ret_number = number;
    return *at > start;
}

/* False: there is none (a brace that counts nothing is a brace). */
static bool parse_count(struct regex_parser *parser, int *ret_min, int *ret_max)
{
    if (parser->at == parser->end || parser->quoted)
        return false;
    if (parse_take(parser, "*")) {
        *ret_min = 0, *ret_max = -1;
    } else if (parse_take(parser, "+")) {
        *ret_min = 1, *ret_max = -1;
    } else if (parse_take(parser, "?")) {
        *ret_min = 0, *ret_max = 1;
    } else {
        const uint8_t *at = parser->at;
        if (*at++ != '{' || !parse_number(&at, parser->end, ret_min))
            return false;
        *ret_max = *ret_min;
        if (at < parser->end && *at == ',') {
            at++;
            if (!parse_number(&at, parser->end, ret_max))
                *ret_max = -1;
        }
        if (at == parser->end || *at != '}')
            return false;
        parser->at = at + 1;
        if (*ret_min > REGEX_REPEAT_MAX || *ret_max > REGEX_REPEAT_MAX ||
            (*ret_max >= 0 && *ret_max < *ret_min))
            parse_fail(parser, -EINVAL);
    }
    parse_take(parser, "?");
    return true;
}

static uint32_t parse_repetition(struct regex_parser *parser)
{
    uint32_t atom = parse_atom(parser);
    int min, max;
    if (!parse_count(parser, &min, &max))
        return atom;
    if (parser->fault != 0)
        return 0;
    atom = parse_node(
        parser, (struct regex_node){.kind = REGEX_REPEAT, .a = atom, .min = min, .max = max});
    return parse_count(parser, &min, &max) ? parse_fail(parser, -EINVAL) : atom;
}

static uint32_t parse_sequence(struct regex_parser *parser)
{
    uint32_t sequence = parse_node(parser, (struct regex_node){.kind = REGEX_EMPTY});
    while (parser->at < parser->end) {
        if (parser->quoted && parse_take(parser, "\\E")) {
            parser->quoted = false;
            continue;
        }
        if (!parser->quoted && (parse_peek(parser, '|') || parse_peek(parser, ')')))
            break;
        uint32_t next = parse_repetition(parser);
        sequence =
            parse_node(parser, (struct regex_node){.kind = REGEX_CONCAT, .a = sequence, .b = next});
    }
    return sequence;
}

static uint32_t parse_alternation(struct regex_parser *parser)
{
    if (++parser->depth > REGEX_DEPTH_MAX)
        return parse_fail(parser, -E2BIG);
    uint32_t left = parse_sequence(parser);
    while (!parser->quoted && parse_take(parser, "|")) {
        uint32_t right = parse_sequence(parser);
        left =
            parse_node(parser, (struct regex_node){.kind = REGEX_ALTERNATE, .a = left, .b = right});
    }
    parser->depth--;
    return left;
}

int regex_parse(struct slice pattern, struct regex_tree *ret_tree)
{
    *ret_tree = (struct regex_tree){NULL, 0, 0, 0};
    if (pattern.size > REGEX_SIZE_MAX)
        return -E2BIG;
    struct regex_parser parser = {
        .at = pattern.data, .end = pattern.data + pattern.size, .tree = ret_tree};
    ret_tree->root = parse_alternation(&parser);
    if (parser.fault == 0 && parser.at < parser.end)
        return -EINVAL; /* a ")" too many */
    return parser.fault;
}
