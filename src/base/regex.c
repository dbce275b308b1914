// SPDX-License-Identifier: BSD-2-Clause
/*
 * The tree becomes a program (Thompson's construction); matching runs all its threads side by side,
 * one byte of the text at a time, each instruction at most once per byte. So a text of n bytes
 * costs at most n times the program, and the program is bounded.
 *
 * A run of plain bytes at the start of an expression is compared first: most topics of a broker end
 * there.
 */
#include "base/regex.h"

#include "base/regex_parse.h"

#include <assert.h>
#include <errno.h>

#define REGEX_WORK_MAX (REGEX_INSTRUCTIONS_MAX * 10)

enum regex_op { REGEX_OP_SET, REGEX_OP_SPLIT, REGEX_OP_JUMP, REGEX_OP_ASSERT, REGEX_OP_MATCH };

struct regex_instruction {
    enum regex_op op;
    uint32_t a, b; /* where to; SET: a is the index of the set; ASSERT: a is which */
};

struct regex_threads {
    uint32_t *list; /* instructions, each once */
    uint32_t count;
};

struct regex {
    struct regex_instruction *program;
    uint32_t count, capacity;
    struct regex_set *sets;
    uint32_t sets_count, sets_capacity;
    bool too_big;
    unsigned work; /* nodes compiled, copies of repetitions included */
    char prefix[32];
    size_t prefix_size;
    /* scratch */
    struct regex_threads now, next;
    uint32_t *seen; /* per instruction: the step that added it */
    uint32_t *stack;
    uint32_t step;
};

/* --- compiling --- */

static uint32_t regex_emit(struct regex *regex, enum regex_op op, uint32_t a, uint32_t b)
{
    if (regex->count == REGEX_INSTRUCTIONS_MAX) {
        regex->too_big = true;
        return 0;
    }
    if (regex->count == regex->capacity) {
        regex->capacity = regex->capacity == 0 ? 32 : regex->capacity * 2;
        regex->program = xrealloc(regex->program, regex->capacity * sizeof(*regex->program));
    }
    regex->program[regex->count] = (struct regex_instruction){op, a, b};
    return regex->count++;
}

static void regex_emit_set(struct regex *regex, const struct regex_set *set)
{
    if (regex->sets_count == regex->sets_capacity) {
        regex->sets_capacity = regex->sets_capacity == 0 ? 16 : regex->sets_capacity * 2;
        regex->sets = xrealloc(regex->sets, regex->sets_capacity * sizeof(*regex->sets));
    }
    regex->sets[regex->sets_count] = *set;
    if (!regex->too_big)
        regex_emit(regex, REGEX_OP_SET, regex->sets_count++, 0);
}

static void regex_compile(struct regex *regex, const struct regex_tree *tree, uint32_t at);

/* Optional copies end where all of them end: one pass patches the way out. */
static void regex_compile_repeat(
    struct regex *regex, const struct regex_tree *tree, const struct regex_node *node)
{
    for (int i = 0; i < node->min && !regex->too_big; i++)
        regex_compile(regex, tree, node->a);
    if (node->max < 0) {
        uint32_t split = regex_emit(regex, REGEX_OP_SPLIT, regex->count + 1, 0);
        regex_compile(regex, tree, node->a);
        regex_emit(regex, REGEX_OP_JUMP, split, 0);
        regex->program[split].b = regex->count;
        return;
    }
    uint32_t first = regex->count;
    uint32_t *splits = xnew_n(uint32_t, (size_t)(node->max - node->min) + 1);
    int count = 0;
    for (int i = node->min; i < node->max && !regex->too_big; i++) {
        splits[count++] = regex_emit(regex, REGEX_OP_SPLIT, regex->count + 1, 0);
        regex_compile(regex, tree, node->a);
    }
    for (int i = 0; i < count && first < regex->count; i++)
        regex->program[splits[i]].b = regex->count;
    free(splits);
}

static void regex_compile_alternate(
    struct regex *regex, const struct regex_tree *tree, const struct regex_node *node)
{
    uint32_t split = regex_emit(regex, REGEX_OP_SPLIT, regex->count + 1, 0);
    regex_compile(regex, tree, node->a);
    uint32_t jump = regex_emit(regex, REGEX_OP_JUMP, 0, 0);
    regex->program[split].b = regex->count;
    regex_compile(regex, tree, node->b);
    regex->program[jump].a = regex->count;
}

/* A sequence leans to the left and may be as long as the expression: it is walked, not recursed. */
static void regex_compile_concat(struct regex *regex, const struct regex_tree *tree, uint32_t at)
{
    uint32_t count = 0;
    for (uint32_t i = at; tree->nodes[i].kind == REGEX_CONCAT; i = tree->nodes[i].a)
        count++;
    uint32_t *parts = xnew_n(uint32_t, (size_t)count + 1);
    count = 0;
    for (; tree->nodes[at].kind == REGEX_CONCAT; at = tree->nodes[at].a)
        parts[count++] = tree->nodes[at].b;
    regex_compile(regex, tree, at);
    while (count > 0)
        regex_compile(regex, tree, parts[--count]);
    free(parts);
}

static void regex_compile(struct regex *regex, const struct regex_tree *tree, uint32_t at)
{
    const struct regex_node *node = &tree->nodes[at];
    if (++regex->work > REGEX_WORK_MAX)
        regex->too_big = true; /* many copies of nothing */
    if (regex->too_big)
        return;
    switch (node->kind) {
    case REGEX_EMPTY: break;
    case REGEX_SET: regex_emit_set(regex, &node->set); break;
    case REGEX_ASSERT: regex_emit(regex, REGEX_OP_ASSERT, node->assertion, 0); break;
    case REGEX_CONCAT: regex_compile_concat(regex, tree, at); break;
    case REGEX_ALTERNATE: regex_compile_alternate(regex, tree, node); break;
    case REGEX_REPEAT: regex_compile_repeat(regex, tree, node); break;
    }
}

/* The one byte of a set; -1: it has more, or none. */
static int regex_set_single(const struct regex_set *set)
{
    int single = -1;
    for (unsigned byte = 0; byte < 256; byte++) {
        if (!regex_set_has(set, byte))
            continue;
        if (single >= 0)
            return -1;
        single = (int)byte;
    }
    return single;
}

static void regex_find_prefix(struct regex *regex)
{
    for (uint32_t at = 0; regex->prefix_size < sizeof(regex->prefix); at++) {
        const struct regex_instruction *instruction = &regex->program[at];
        if (instruction->op == REGEX_OP_ASSERT && at == 0)
            continue;
        if (instruction->op != REGEX_OP_SET)
            return;
        int byte = regex_set_single(&regex->sets[instruction->a]);
        if (byte < 0)
            return;
        regex->prefix[regex->prefix_size++] = (char)byte;
    }
}

int regex_new(struct slice pattern, struct regex **ret_regex)
{
    struct regex_tree tree;
    int result = regex_parse(pattern, &tree);
    if (result != 0) {
        free(tree.nodes);
        return result;
    }
    struct regex *regex = xnew(struct regex);
    regex_compile(regex, &tree, tree.root);
    regex_emit(regex, REGEX_OP_MATCH, 0, 0);
    free(tree.nodes);
    if (regex->too_big) {
        regex_free(regex);
        return -E2BIG;
    }
    regex_find_prefix(regex);
    regex->now.list = xnew_n(uint32_t, regex->count);
    regex->next.list = xnew_n(uint32_t, regex->count);
    regex->seen = xnew_n(uint32_t, regex->count);
    regex->stack = xnew_n(uint32_t, (size_t)regex->count * 2);
    *ret_regex = regex;
    return 0;
}

void regex_free(struct regex *regex)
{
    if (regex == NULL)
        return;
    free(regex->program);
    free(regex->sets);
    free(regex->now.list);
    free(regex->next.list);
    free(regex->seen);
    free(regex->stack);
    free(regex);
}

/* --- matching --- */

static bool regex_is_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool regex_holds(enum regex_assert assertion, struct slice text, size_t pos)
{
    bool word_before = pos > 0 && regex_is_word(text.data[pos - 1]);
    bool word_after = pos < text.size && regex_is_word(text.data[pos]);
    switch (assertion) {
    case REGEX_TEXT_BEGIN: return pos == 0;
    case REGEX_TEXT_END: return pos == text.size;
    case REGEX_LINE_BEGIN: return pos == 0 || text.data[pos - 1] == '\n';
    case REGEX_LINE_END: return pos == text.size || text.data[pos] == '\n';
    case REGEX_WORD_EDGE: return word_before != word_after;
    case REGEX_WORD_INSIDE: return word_before == word_after;
    }
    return false;
}

/* Adds an instruction and all that it leads to without taking a byte. */
static void regex_follow(struct regex *regex, struct regex_threads *threads, uint32_t start,
    struct slice text, size_t pos)
{
    uint32_t depth = 0;
    regex->stack[depth++] = start;
    while (depth > 0) {
        uint32_t at = regex->stack[--depth];
        if (regex->seen[at] == regex->step)
            continue;
        regex->seen[at] = regex->step;
        const struct regex_instruction *instruction = &regex->program[at];
        switch (instruction->op) {
        case REGEX_OP_SET:
        case REGEX_OP_MATCH: threads->list[threads->count++] = at; break;
        case REGEX_OP_JUMP: regex->stack[depth++] = instruction->a; break;
        case REGEX_OP_SPLIT:
            regex->stack[depth++] = instruction->b;
            regex->stack[depth++] = instruction->a;
            break;
        case REGEX_OP_ASSERT:
            if (regex_holds((enum regex_assert)instruction->a, text, pos))
                regex->stack[depth++] = at + 1;
            break;
        }
        assert(depth <= regex->count * 2);
    }
}

static void regex_next_step(struct regex *regex)
{
    if (++regex->step != 0)
        return;
    memset(regex->seen, 0, regex->count * sizeof(*regex->seen));
    regex->step = 1;
}

bool regex_matches(struct regex *regex, struct slice text)
{
    if (text.size < regex->prefix_size ||
        (regex->prefix_size > 0 && memcmp(text.data, regex->prefix, regex->prefix_size) != 0))
        return false;
    regex_next_step(regex);
    regex->now.count = 0;
    regex_follow(regex, &regex->now, 0, text, 0);
    for (size_t pos = 0; pos < text.size && regex->now.count > 0; pos++) {
        regex_next_step(regex);
        regex->next.count = 0;
        for (uint32_t i = 0; i < regex->now.count; i++) {
            uint32_t at = regex->now.list[i];
            const struct regex_instruction *instruction = &regex->program[at];
            if (instruction->op == REGEX_OP_SET &&
                regex_set_has(&regex->sets[instruction->a], text.data[pos]))
                regex_follow(regex, &regex->next, at + 1, text, pos + 1);
        }
        struct regex_threads was = regex->now;
        regex->now = regex->next;
        regex->next = was;
    }
    for (uint32_t i = 0; i < regex->now.count; i++) {
        if (regex->program[regex->now.list[i]].op == REGEX_OP_MATCH)
            return true;
    }
    return false;
}
