// As much of JSON as a plugin needs for its settings and actions: what the host gives is well-formed,
// so this reads past everything that is not the member it looks for.

#include "json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *at;
    const char *end;
} reader;

static char next(reader *r) {
    return r->at < r->end ? *r->at++ : '\0';
}

static char peek(reader *r) {
    while (r->at < r->end && strchr(" \t\r\n", *r->at)) {
        r->at++;
    }
    return r->at < r->end ? *r->at : '\0';
}

static uint32_t hex4(reader *r) {
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
        char c = next(r);
        code = code * 16 + (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return code;
}

// Writes a code point as UTF-8.
static char *put(char *out, uint32_t code) {
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

static char *escaped(reader *r, char *out) {
    char c = next(r);
    switch (c) {
    case 'b': return put(out, '\b');
    case 'f': return put(out, '\f');
    case 'n': return put(out, '\n');
    case 'r': return put(out, '\r');
    case 't': return put(out, '\t');
    case 'u': break;
    default: return put(out, (uint32_t)c);
    }
    uint32_t code = hex4(r);
    if (code >= 0xd800 && code < 0xdc00 && r->end - r->at >= 6) {
        // The first half of a pair, whose other half is escaped too.
        r->at += 2;
        code = 0x10000 + ((code - 0xd800) << 10) + (hex4(r) - 0xdc00);
    }
    return put(out, code);
}

// Reads a text, from quote to quote. An escape is never shorter than what it stands for.
static char *text(reader *r) {
    char *start = malloc((size_t)(r->end - r->at) + 1);
    char *out = start;
    if (!start) {
        abort();
    }
    next(r);
    while (r->at < r->end) {
        char c = next(r);
        if (c == '"') {
            break;
        }
        if (c == '\\') {
            out = escaped(r, out);
        } else {
            *out++ = c;
        }
    }
    *out = '\0';
    return start;
}

// Reads past a value of any kind.
static void skip(reader *r) {
    int depth = 0;
    while (r->at < r->end) {
        char c = peek(r);
        if (depth == 0 && (c == ',' || c == '}')) {
            return;
        }
        if (c == '"') {
            free(text(r));
            continue;
        }
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        next(r);
    }
}

// Goes to the value of a member.
static bool find(reader *r, const char *name) {
    peek(r);
    next(r); // The brace.
    while (peek(r) == '"') {
        char *member = text(r);
        bool found = strcmp(member, name) == 0;
        free(member);
        peek(r);
        next(r); // The colon.
        if (found) {
            return true;
        }
        skip(r);
        peek(r);
        next(r); // The comma or the last brace.
    }
    return false;
}

bool json_text(const char *json, size_t len, const char *name, char **value) {
    reader r = {json, json + len};
    if (!find(&r, name) || peek(&r) != '"') {
        return false;
    }
    *value = text(&r);
    return true;
}

bool json_number(const char *json, size_t len, const char *name, double *value) {
    reader r = {json, json + len};
    char digits[32] = "";
    if (!find(&r, name) || !strchr("-0123456789", peek(&r))) {
        return false;
    }
    for (size_t i = 0; i < sizeof digits - 1 && r.at < r.end && !strchr(",} \t\r\n", *r.at); i++) {
        digits[i] = next(&r);
    }
    *value = strtod(digits, NULL);
    return true;
}

char *json_quoted(const char *text) {
    static const char HEX[] = "0123456789abcdef";
    char *start = malloc(strlen(text) * 6 + 3); // At most \u00XX for each byte.
    char *out = start;
    if (!start) {
        abort();
    }
    *out++ = '"';
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20) {
            memcpy(out, "\\u00", 4);
            out += 4;
            *out++ = HEX[c >> 4];
            *out++ = HEX[c & 15];
        } else {
            if (c == '"' || c == '\\') {
                *out++ = '\\';
            }
            *out++ = *text;
        }
    }
    *out++ = '"';
    *out = '\0';
    return start;
}
