#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>

// Finds the member `name` of a JSON object, which must be a text. The value is allocated and ends
// with a zero byte. False where there is no such member, or where it is no text.
bool json_text(const char *json, size_t len, const char *name, char **value);

// The same for a number.
bool json_number(const char *json, size_t len, const char *name, double *value);

// Writes a text as JSON, with its quotes. The result is allocated and ends with a zero byte.
char *json_quoted(const char *text);

#endif
