// Gives the device's first WiFi network the name that the operator chose.
//
// The same plugin is written in four languages; this is the one in C.

// The contract: made from wit/ by `make`, into build/.
#include "plugin.h"

#include "json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SSID "{ \"type\": \"string\", \"minLength\": 1, \"maxLength\": 32 }"

static const char MANIFEST[] =
    "{"
    "  \"name\": \"wifi-c\","
    "  \"version\": \"0.1.0\","
    "  \"description\": \"Sets the name of the WiFi network\","
    // Which devices the plugin serves.
    "  \"matchers\": [{ \"manufacturer\": \"Acme Broadband\" }],"
    // What the operator can set, and the values where nothing is set.
    "  \"settings\": {"
    "    \"schema\": {"
    "      \"type\": \"object\","
    "      \"properties\": { \"ssid\": " SSID " },"
    "      \"additionalProperties\": false"
    "    },"
    "    \"defaults\": { \"ssid\": \"Trellis\" }"
    "  },"
    // What operators can have the plugin do.
    "  \"actions\": {"
    "    \"set-ssid\": {"
    "      \"description\": \"Sets the SSID until the settings say otherwise\","
    "      \"schema\": {"
    "        \"type\": \"object\","
    "        \"properties\": { \"ssid\": " SSID " },"
    "        \"required\": [\"ssid\"],"
    "        \"additionalProperties\": false"
    "      }"
    "    }"
    "  }"
    "}";

// Counts, in the plugin's memory of the device, how often the name was changed.
static const char CHANGES[] = "changes";

typedef plugin_string_t string;

// The contract's texts have a length and no zero byte at the end. This one borrows; what the host
// only reads needs no more.
static string of(const char *text) {
    return (string){(uint8_t *)text, strlen(text)};
}

// For printf's "%.*s".
#define ARG(s) (int)(s).len, (const char *)(s).ptr

static char *format(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Like printf, into memory of its own. An instance lives for one session, and its memory goes
// with it: a plugin as short as this one frees nothing.
static char *format(const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, arguments);
    char *text = malloc((size_t)len + 1);
    if (!text) {
        abort(); // The run ends as a fault.
    }
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

// Where the name is in the device's data model: TR-181 has the root `Device.`, TR-098
// `InternetGatewayDevice.`.
static const char *path_below(string root) {
    string device = of("Device.");
    if (root.len == device.len && memcmp(root.ptr, device.ptr, root.len) == 0) {
        return "Device.WiFi.SSID.1.SSID";
    }
    return "InternetGatewayDevice.LANDevice.1.WLANConfiguration.1.SSID";
}

// What went wrong, for people.
static char *text_of(const trellis_acs_types_error_t *error) {
    switch (error->tag) {
    case TRELLIS_ACS_TYPES_ERROR_FAULT: {
        const trellis_acs_types_cpe_fault_t *fault = &error->val.fault;
        char *text =
            format("the device answered with fault %u: %.*s", fault->code, ARG(fault->text));
        for (size_t i = 0; i < fault->parameters.len; i++) {
            const trellis_acs_types_parameter_fault_t *it = &fault->parameters.ptr[i];
            text = format("%s; %.*s: %u %.*s", text, ARG(it->name), it->code, ARG(it->text));
        }
        return text;
    }
    case TRELLIS_ACS_TYPES_ERROR_REFUSED:
        return format("not sent: %.*s", ARG(error->val.refused));
    default:
        return format("session lost: %.*s", ARG(error->val.lost));
    }
}

// Counts one change. Null, or what went wrong.
static char *count_change(void) {
    string key = of(CHANGES);
    plugin_list_u8_t value;
    unsigned long long changes = 0;
    if (trellis_acs_memory_get(&key, &value)) {
        changes = strtoull(format("%.*s", ARG(value)), NULL, 10);
    }
    string text = of(format("%llu", changes + 1));
    string why;
    value = (plugin_list_u8_t){text.ptr, text.len};
    return trellis_acs_memory_set(&key, &value, &why) ? NULL : format("not sent: %.*s", ARG(why));
}

// Publishes the fact. Null, or what went wrong.
static char *publish(const char *ssid) {
    string name = of("wifi.ssid"), why;
    trellis_acs_facts_fact_t fact = {TRELLIS_ACS_FACTS_FACT_TEXT, {.text = of(ssid)}};
    return trellis_acs_facts_publish(&name, &fact, &why) ? NULL : format("not sent: %.*s", ARG(why));
}

// What each session does. Null, or what went wrong.
static char *apply_settings(void) {
    string settings, root;
    char *ssid;
    trellis_acs_settings_get(&settings);
    if (!json_text((const char *)settings.ptr, settings.len, "ssid", &ssid)) {
        return format("the settings do not fit this plugin: ssid is no text");
    }
    trellis_acs_session_root(&root);
    const char *path = path_below(root);

    // Asks for the value, and sets it where it is another one. A value without a type is of the
    // type that the device reports. The device keeps the key with the change: it tells who made
    // the last one. A function that can fail returns false and fills in its error.
    trellis_acs_types_parameter_value_t wanted = {of(path), of(ssid), of("")};
    trellis_acs_parameters_list_parameter_value_t values = {&wanted, 1};
    string parameter_key = of("wifi");
    trellis_acs_parameters_ensured_t ensured;
    trellis_acs_types_error_t error;
    if (!trellis_acs_parameters_ensure_values(&values, &parameter_key, &ensured, &error)) {
        return text_of(&error);
    }
    if (ensured.missing.len > 0) {
        return format("the device has no %s", path);
    }

    char *failure = publish(ssid);
    if (failure) {
        return failure;
    }

    if (ensured.written.len > 0) {
        // A plugin starts afresh in each session; only this memory lasts.
        failure = count_change();
        if (failure) {
            return failure;
        }
        string line = of(format("the SSID is now \"%s\"", ssid));
        trellis_acs_log_write(TRELLIS_ACS_LOG_LEVEL_INFO, &line);
    }
    return NULL;
}

// What the action does. Null, or what went wrong.
static char *set_ssid(const char *ssid) {
    string root;
    trellis_acs_session_root(&root);

    // Sets the value without asking for it, and needs its type.
    trellis_acs_types_parameter_value_t wanted = {of(path_below(root)), of(ssid), of("string")};
    trellis_acs_parameters_list_parameter_value_t values = {&wanted, 1};
    string parameter_key = of("wifi");
    uint32_t status;
    trellis_acs_types_error_t error;
    if (!trellis_acs_parameters_set_parameter_values(&values, &parameter_key, &status, &error)) {
        return text_of(&error);
    }
    return publish(ssid);
}

// The three functions that the host calls. What they return is freed by the contract's code once
// the host has read it: it must be allocated.

// Called when the file is loaded: there is no device yet.
void exports_plugin_describe(string *manifest) {
    plugin_string_dup(manifest, MANIFEST);
}

// Called once in each session. The error's text becomes the device's fault.
bool exports_plugin_provision(string *error) {
    char *failure = apply_settings();
    if (failure) {
        *error = of(failure);
    }
    return !failure;
}

// `run` of the interface `actions`. Called when an operator wants an action, after `provision`, in an
// instance of its own. The server has held the arguments against the action's schema, and there is
// one action, so its name says nothing new.
bool exports_trellis_acs_actions_run(
    string *name, string *arguments, string *answer, string *error
) {
    (void)name;
    char *ssid;
    if (!json_text((const char *)arguments->ptr, arguments->len, "ssid", &ssid)) {
        *error = of(format("the arguments do not fit this action: ssid is no text"));
        return false;
    }
    char *failure = set_ssid(ssid);
    if (failure) {
        *error = of(failure);
        return false;
    }
    *answer = of(format("{ \"ssid\": %s }", json_quoted(ssid)));
    return true;
}
