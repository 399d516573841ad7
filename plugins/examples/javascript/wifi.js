// Gives the device's first WiFi network the name that the operator chose.
//
// The same plugin is written in four languages; this is the one in JavaScript.

// The interfaces in wit/ are modules. Names are camel-cased: `ensure-values` is `ensureValues`. A
// function that can fail throws an Error, whose `payload` is the contract's error.
import facts from "trellis:acs/facts@0.1.0";
import log from "trellis:acs/log@0.1.0";
import memory from "trellis:acs/memory@0.1.0";
import parameters from "trellis:acs/parameters@0.1.0";
import session from "trellis:acs/session@0.1.0";
import settings from "trellis:acs/settings@0.1.0";

const SSID = { type: "string", minLength: 1, maxLength: 32 };

const MANIFEST = {
  name: "wifi-javascript",
  version: "0.1.0",
  description: "Sets the name of the WiFi network",
  // Which devices the plugin serves.
  matchers: [{ manufacturer: "Acme Broadband" }],
  // What the operator can set, and the values where nothing is set.
  settings: {
    schema: {
      type: "object",
      properties: { ssid: SSID },
      additionalProperties: false,
    },
    defaults: { ssid: "Trellis" },
  },
  // What operators can have the plugin do.
  actions: {
    "set-ssid": {
      description: "Sets the SSID until the settings say otherwise",
      schema: {
        type: "object",
        properties: { ssid: SSID },
        required: ["ssid"],
        additionalProperties: false,
      },
    },
  },
};

// Counts, in the plugin's memory of the device, how often the name was changed.
const CHANGES = "changes";

// Called when the file is loaded: there is no device yet.
export function describe() {
  return JSON.stringify(MANIFEST);
}

// Called once in each session. The message of what it throws becomes the device's fault.
export function provision() {
  explained(applySettings);
}

// The interface `actions`: what is exported under an interface's name has its functions.
export const actions = {
  // Called when an operator wants an action, after `provision`, in an instance of its own. The server
  // has held the arguments against the action's schema, and there is one action, so its name says
  // nothing new.
  run(_name, json) {
    return explained(() => JSON.stringify(setSsid(JSON.parse(json))));
  },
};

function applySettings() {
  const { ssid } = JSON.parse(settings.get());
  const path = pathBelow(session.root());

  // Asks for the value, and sets it where it is another one. A value without a type is of the type
  // that the device reports. The device keeps the key with the change: it tells who made the last
  // one.
  const values = [{ name: path, value: ssid, valueType: "" }];
  const { written, missing } = parameters.ensureValues(values, "wifi");
  if (missing.length > 0) {
    throw new Error(`the device has no ${path}`);
  }
  facts.publish("wifi.ssid", { tag: "text", val: ssid });

  if (written.length > 0) {
    // A plugin starts afresh in each session; only this memory lasts. Its values are bytes, and
    // QuickJS has no TextEncoder: these are digits only.
    const kept = memory.get(CHANGES) ?? [];
    const changes = Number(String.fromCharCode(...kept)) + 1;
    memory.set(CHANGES, Uint8Array.from(String(changes), (digit) => digit.charCodeAt(0)));
    log.write("info", `the SSID is now "${ssid}"`);
  }
}

function setSsid({ ssid }) {
  const path = pathBelow(session.root());

  // Sets the value without asking for it, and needs its type.
  parameters.setParameterValues([{ name: path, value: ssid, valueType: "string" }], "wifi");
  facts.publish("wifi.ssid", { tag: "text", val: ssid });
  return { ssid };
}

// Where the name is in the device's data model: TR-181 has the root `Device.`, TR-098
// `InternetGatewayDevice.`.
function pathBelow(root) {
  return root === "Device."
    ? "Device.WiFi.SSID.1.SSID"
    : "InternetGatewayDevice.LANDevice.1.WLANConfiguration.1.SSID";
}

// Does the work, and says in the message of what it throws what went wrong.
function explained(work) {
  try {
    return work();
  } catch (error) {
    throw new Error(textOf(error));
  }
}

// What went wrong, for people. `facts` and `memory` give a text, `parameters` a tagged value; an
// error of the plugin's own has no payload.
function textOf({ payload, message }) {
  if (typeof payload === "string") {
    return `not sent: ${payload}`;
  }
  switch (payload?.tag) {
    case "fault": {
      const { code, text, parameters } = payload.val;
      const details = parameters.map((it) => `; ${it.name}: ${it.code} ${it.text}`);
      return `the device answered with fault ${code}: ${text}${details.join("")}`;
    }
    case "refused":
      return `not sent: ${payload.val}`;
    case "lost":
      return `session lost: ${payload.val}`;
    default:
      return message;
  }
}
