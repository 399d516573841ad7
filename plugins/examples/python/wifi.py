"""Gives the device's first WiFi network the name that the operator chose.

The same plugin is written in four languages; this is the one in Python.
"""

import json
from collections.abc import Callable

# The interfaces in wit/ are modules below wit_world, which componentize-py makes. Their names are
# those of Python: `ensure-values` is `ensure_values`. A function that can fail raises Err, whose
# `value` is the contract's error.
import wit_world
from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import facts, log, memory, parameters, session, settings
from wit_world.imports.types import Error_Fault, Error_Lost, Error_Refused, ParameterValue

SSID = {"type": "string", "minLength": 1, "maxLength": 32}

MANIFEST = {
    "name": "wifi-python",
    "version": "0.1.0",
    "description": "Sets the name of the WiFi network",
    # Which devices the plugin serves.
    "matchers": [{"manufacturer": "Acme Broadband"}],
    # What the operator can set, and the values where nothing is set.
    "settings": {
        "schema": {
            "type": "object",
            "properties": {"ssid": SSID},
            "additionalProperties": False,
        },
        "defaults": {"ssid": "Trellis"},
    },
    # What operators can have the plugin do.
    "actions": {
        "set-ssid": {
            "description": "Sets the SSID until the settings say otherwise",
            "schema": {
                "type": "object",
                "properties": {"ssid": SSID},
                "required": ["ssid"],
                "additionalProperties": False,
            },
        },
    },
}

# Counts, in the plugin's memory of the device, how often the name was changed.
CHANGES = "changes"


class WitWorld(wit_world.WitWorld):
    """The plugin. componentize-py looks for a class of this name."""

    def describe(self) -> str:
        """Called when the file is loaded: there is no device yet."""
        return json.dumps(MANIFEST)

    def provision(self) -> None:
        """Called once in each session. The text in Err becomes the device's fault."""
        explained(apply_settings)


class Actions(exports.Actions):
    """The interface `actions`. The class has its name."""

    def run(self, name: str, arguments: str) -> str:
        """Called when an operator wants an action, after `provision`, in an instance of its own. The
        server has held the arguments against the action's schema, and there is one action, so its
        name says nothing new.
        """
        return explained(lambda: json.dumps(set_ssid(**json.loads(arguments))))


class Failure(Exception):
    """What goes wrong in the plugin itself."""


def apply_settings() -> None:
    ssid = json.loads(settings.get())["ssid"]
    path = path_below(session.root())

    # Asks for the value, and sets it where it is another one. A value without a type is of the
    # type that the device reports. The device keeps the key with the change: it tells who made
    # the last one.
    ensured = parameters.ensure_values([ParameterValue(path, ssid, "")], "wifi")
    if ensured.missing:
        raise Failure(f"the device has no {path}")
    facts.publish("wifi.ssid", facts.Fact_Text(ssid))

    if ensured.written:
        # A plugin starts afresh in each session; only this memory lasts. Its values are bytes.
        changes = int(memory.get(CHANGES) or b"0") + 1
        memory.set(CHANGES, str(changes).encode())
        log.write(log.Level.INFO, f'the SSID is now "{ssid}"')


def set_ssid(ssid: str) -> dict[str, str]:
    path = path_below(session.root())

    # Sets the value without asking for it, and needs its type.
    parameters.set_parameter_values([ParameterValue(path, ssid, "string")], "wifi")
    facts.publish("wifi.ssid", facts.Fact_Text(ssid))
    return {"ssid": ssid}


def path_below(root: str) -> str:
    """Where the name is in the device's data model: TR-181 has the root `Device.`, TR-098
    `InternetGatewayDevice.`.
    """
    if root == "Device.":
        return "Device.WiFi.SSID.1.SSID"
    return "InternetGatewayDevice.LANDevice.1.WLANConfiguration.1.SSID"


def explained[T](work: Callable[[], T]) -> T:
    """Does the work, and says what went wrong in an Err: any other exception would end the run
    without a word.
    """
    try:
        return work()
    except Exception as error:
        raise Err(text_of(error)) from error


def text_of(error: Exception) -> str:
    """What went wrong, for people."""
    match error:
        case Failure():
            return str(error)
        case Err(Error_Fault(fault)):
            details = "".join(f"; {it.name}: {it.code} {it.text}" for it in fault.parameters)
            return f"the device answered with fault {fault.code}: {fault.text}{details}"
        case Err(Error_Lost(why)):
            return f"session lost: {why}"
        case Err(Error_Refused(why)) | Err(str(why)):  # `facts` and `memory` give a text.
            return f"not sent: {why}"
        case _:
            return f"{type(error).__name__}: {error}"
