//! A plugin for tests: the product class of a device of the manufacturer `Guest` says what to
//! do with it, also what no plugin should.

mod script;

use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;

use trellis_plugin::{
    Cpe, Download, Error, InstallOperation, Manifest, Matcher, Notification, Operation, Plugin,
    Result, ScheduledDownload, TimeWindow, Upload,
    serde_json::{Value as Json, json},
};

struct Scripted;

/// Tests make other versions of the file by writing over these texts.
static NAME: &str = "scripted";
static VERSION: &str = "7.0.1";
static FLAVOUR: &str = "flavour:good";
static GREETINGS: &str = "^hello|^.*$";

fn settings_schema() -> Json {
    json!({
        "type": "object",
        "properties": {
            "greeting": { "type": "string", "maxLength": 20, "pattern": black_box(GREETINGS) },
        },
    })
}

impl Plugin for Scripted {
    type Settings = Json;

    fn manifest() -> Manifest {
        Manifest::new(black_box(NAME), black_box(VERSION))
            .description("Does what the product class says")
            .serves(Matcher::new().manufacturer("Guest"))
            .settings(settings_schema(), json!({ "greeting": "hello:unset" }))
            .action(
                "echo",
                "Answers with what it is told",
                json!({
                    "type": "object",
                    "properties": { "text": { "type": "string", "maxLength": 20 } },
                    "required": ["text"],
                    "additionalProperties": false,
                }),
            )
            .action("set", "Sets a parameter", json!({ "type": "object" }))
            .action("fail", "Fails", json!({ "type": "object" }))
            .action("trap", "Panics", json!({ "type": "object" }))
    }

    fn action(cpe: &mut Cpe, _: Json, name: &str, arguments: Json) -> Result<Json> {
        match name {
            "echo" => Ok(json!({ "echo": arguments["text"] })),
            "set" => {
                let text = |name: &str| arguments[name].as_str().unwrap_or_default().to_owned();
                cpe.set([(text("name"), text("value").into())])?;
                cpe.memory().set("set", &text("name"))?;
                Ok(json!({ "sessions": cpe.memory().get::<u32>("sessions")? }))
            }
            "fail" => Err(Error::other("this action fails on purpose")),
            _ => panic!("this action panics on purpose"),
        }
    }

    fn provision(cpe: &mut Cpe, settings: Self::Settings) -> Result<()> {
        if black_box(FLAVOUR) != "flavour:good" {
            panic!("this version fails on purpose");
        }
        match cpe.device().product_class.as_str() {
            "version" => cpe.fact("guest.version", black_box(VERSION)),
            "four" => four(cpe),
            "script" => script::run(cpe, &settings),
            "remember" => remember(cpe),
            // As hash tables are seeded.
            "hashes" => cpe.fact("guest.hash", RandomState::new().hash_one("x").to_string()),
            "settings" => {
                cpe.fact("settings.greeting", settings["greeting"].as_str().unwrap_or_default())
            }
            "all" => all(cpe),
            "ensure" => ensure(cpe),
            "refused" => refused(cpe),
            "lost" => lost(cpe),
            "events" => {
                let events = cpe.events();
                let codes: Vec<&str> = events.iter().map(|event| event.code.as_str()).collect();
                cpe.fact("guest.events", codes.join(","))?;
                let transfers = cpe.completed_transfers();
                let keys: Vec<&str> = transfers.iter().map(|it| it.command_key.as_str()).collect();
                cpe.fact("guest.transfers", keys.join(","))
            }
            "error" => Err(Error::other("this guest fails on purpose")),
            "panic" => panic!("this guest panics on purpose"),
            "loop" => endless(),
            "sleep" => {
                std::thread::sleep(std::time::Duration::from_secs(300));
                Ok(())
            }
            "whole-tree" => {
                let whole = cpe.get_many(["Device."]);
                let code = whole.err().and_then(|error| error.fault().map(|it| it.code));
                cpe.get_many(["Device.DeviceInfo.SoftwareVersion"])?;
                cpe.fact("guest.whole-tree-fault", f64::from(code.unwrap_or_default()))
            }
            "recurse" => {
                black_box(recurse(0));
                Ok(())
            }
            "allocate" => allocate(),
            "flood" => loop {
                cpe.get_many(["Device.DeviceInfo.SoftwareVersion"])?;
            },
            "chatter" => loop {
                cpe.log().info("x");
            },
            "loud-error" => {
                for _ in 0..1_000 {
                    cpe.log().info("x");
                }
                Err(Error::other("this guest fails on purpose, and loudly"))
            }
            "limits" => limits(cpe),
            "trap-after-notes" => {
                cpe.memory().set("before", "kept")?;
                cpe.get_many(["Device.DeviceInfo.SoftwareVersion"])?;
                cpe.memory().set("after", "lost")?;
                panic!("this guest panics after its notes")
            }
            _ => Ok(()),
        }
    }
}

/// A session of four requests.
fn four(cpe: &mut Cpe) -> Result<()> {
    for object in ["DeviceInfo", "ManagementServer", "Time", "WiFi"] {
        cpe.get_many([format!("Device.{object}.")])?;
    }
    Ok(())
}

/// Counts the sessions, in memory and as a fact.
fn remember(cpe: &mut Cpe) -> Result<()> {
    let sessions = cpe.memory().get::<u32>("sessions")?.unwrap_or_default() + 1;
    cpe.memory().set("sessions", &sessions)?;
    let version = cpe.get::<String>("Device.DeviceInfo.SoftwareVersion")?;
    cpe.fact("device.software-version", version)?;
    cpe.fact("guest.sessions", f64::from(sessions))
}

/// All twenty requests of the standard; each one's outcome is a fact.
fn all(cpe: &mut Cpe) -> Result<()> {
    let table = "Device.NAT.PortMapping.";
    note(cpe, "GetRPCMethods", |cpe| cpe.rpc_methods().map(|methods| methods.len().to_string()))?;
    note(cpe, "GetParameterNames", |cpe| cpe.names(table).map(|names| names.len().to_string()))?;
    note(cpe, "GetParameterValues", |cpe| cpe.get("Device.DeviceInfo.SoftwareVersion"))?;
    note(cpe, "SetParameterValues", |cpe| {
        cpe.set([("Device.Time.NTPServer1", "ntp.example".into())]).map(text)
    })?;
    note(cpe, "SetParameterAttributes", |cpe| {
        cpe.notify(["Device.Time.NTPServer1"], Notification::Passive).map(text)
    })?;
    note(cpe, "GetParameterAttributes", |cpe| {
        cpe.attributes(["Device.Time.NTPServer1"]).map(|rows| rows[0].notification.to_string())
    })?;
    note(cpe, "AddObject", |cpe| cpe.add_object(table).map(|row| row.instance_number.to_string()))?;
    note(cpe, "DeleteObject", |cpe| cpe.delete_object(&format!("{table}1.")).map(text))?;
    note(cpe, "GetOptions", |cpe| cpe.options("").map(text))?;
    note(cpe, "SetVouchers", |cpe| cpe.set_vouchers(&["AAAA".to_owned()]).map(text))?;
    note(cpe, "ScheduleInform", |cpe| cpe.schedule_inform(3600, "inform-1").map(text))?;
    note(cpe, "Download", |cpe| cpe.download(download()).map(text))?;
    note(cpe, "Upload", |cpe| {
        let file_type = "3 Vendor Configuration File 1".to_owned();
        let url = "http://files.example/up".to_owned();
        let command_key = "up-1".to_owned();
        cpe.upload(Upload { command_key, file_type, url, ..Upload::default() }).map(text)
    })?;
    note(cpe, "ScheduleDownload", |cpe| cpe.schedule_download(scheduled()).map(text))?;
    note(cpe, "GetQueuedTransfers", |cpe| {
        cpe.queued_transfers().map(|transfers| transfers.len().to_string())
    })?;
    note(cpe, "GetAllQueuedTransfers", |cpe| {
        cpe.all_queued_transfers().map(|transfers| transfers.len().to_string())
    })?;
    note(cpe, "CancelTransfer", |cpe| cpe.cancel_transfer("sd-1").map(text))?;
    note(cpe, "ChangeDUState", |cpe| {
        let install = InstallOperation {
            url: "http://files.example/app".to_owned(),
            uuid: None,
            username: None,
            password: None,
            execution_env_ref: None,
        };
        cpe.change_du_state(&[Operation::Install(install)], "du-1").map(text)
    })?;
    note(cpe, "Reboot", |cpe| cpe.reboot("reboot-1").map(text))?;
    note(cpe, "FactoryReset", |cpe| cpe.factory_reset().map(text))
}

fn note(cpe: &mut Cpe, name: &str, call: impl FnOnce(&mut Cpe) -> Result<String>) -> Result<()> {
    let outcome = match call(cpe) {
        Ok(text) => text,
        Err(Error::Fault(fault)) => format!("fault {}", fault.code),
        Err(other) => return Err(other),
    };
    cpe.fact(&format!("rpc.{name}"), outcome)
}

fn text(value: impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

fn download() -> Download {
    Download {
        command_key: "dl-1".to_owned(),
        file_type: "1 Firmware Upgrade Image".to_owned(),
        url: "http://files.example/fw-9.9.9.bin".to_owned(),
        password: "not-to-be-seen".to_owned(),
        ..Download::default()
    }
}

fn scheduled() -> ScheduledDownload {
    let window = TimeWindow {
        start: 0,
        end: 3600,
        mode: "1 At Any Time".to_owned(),
        ..TimeWindow::default()
    };
    ScheduledDownload {
        command_key: "sd-1".to_owned(),
        file_type: "2 Web Content".to_owned(),
        url: "http://files.example/web".to_owned(),
        windows: vec![window],
        ..ScheduledDownload::default()
    }
}

/// What `ensure` and `ensure_instance` do the first time and the second.
fn ensure(cpe: &mut Cpe) -> Result<()> {
    for round in ["first", "second"] {
        let wanted =
            [("Device.Time.NTPServer1", "ensured.example".into()), ("Device.No.Such", "x".into())];
        let ensured = cpe.ensure(wanted)?;
        cpe.fact(&format!("{round}.written"), ensured.written.join(","))?;
        cpe.fact(&format!("{round}.missing"), ensured.missing.join(","))?;
        let keys = [("Description", "guest".into())];
        let row = cpe.ensure_instance("Device.NAT.PortMapping.", keys)?;
        cpe.fact(&format!("{round}.row"), f64::from(row))?;
    }
    let names = cpe.walk("Device.NAT.")?;
    cpe.fact("walk.names", f64::from(u32::try_from(names.len()).unwrap_or_default()))
}

/// Requests that the host must not send.
fn refused(cpe: &mut Cpe) -> Result<()> {
    let long = "k".repeat(33);
    for (name, result) in [
        ("long-command-key", cpe.reboot(&long)),
        ("zero-delay", cpe.schedule_inform(0, "x")),
        (
            "user-in-url",
            cpe.download(Download { url: "http://a:b@c/".to_owned(), ..download() }).map(|_| ()),
        ),
        ("control-character", cpe.set([("Device.Time.NTPServer1", "a\u{2}b".into())]).map(|_| ())),
        ("twice", cpe.set([("Device.A", "1".into()), ("Device.A", "2".into())]).map(|_| ())),
        ("no-dot", cpe.add_object("Device.NAT.PortMapping").map(|_| ())),
    ] {
        let said = match result {
            Err(Error::Refused(why)) => why,
            other => format!("not refused: {other:?}"),
        };
        cpe.fact(&format!("refused.{name}"), said)?;
    }
    Ok(())
}

/// Passes limits that do not end the run, which the operator has set low, and publishes what it is
/// told then.
fn limits(cpe: &mut Cpe) -> Result<()> {
    let memory = cpe.memory().set("memory", &"x".repeat(100));
    let deadlines = (0..3).try_for_each(|it| cpe.deadlines().set_in(&format!("no-{it}"), 3_600));
    let fact = cpe.fact("long", "x".repeat(201));
    let list = cpe.get_many((0..6).map(|it| format!("Device.Time.NTPServer{it}"))).map(|_| ());
    for _ in 0..5 {
        cpe.log().info("a line");
    }
    for (name, told) in
        [("memory", memory), ("deadlines", deadlines), ("fact-bytes", fact), ("list-items", list)]
    {
        let told = told.err().map_or_else(|| "nothing".to_owned(), |error| error.to_string());
        cpe.fact(&format!("limit.{name}"), told)?;
    }
    let mut facts = (0..9).map(|it| cpe.fact(&format!("number-{it}"), 1));
    match facts.find_map(Result::err) {
        // There is room for it: this fact is one that is known.
        Some(error) => cpe.fact("number-0", error.to_string()),
        None => Ok(()),
    }
}

/// Notes that the session was lost, and that it stays lost.
fn lost(cpe: &mut Cpe) -> Result<()> {
    let first = cpe.get::<String>("Device.DeviceInfo.SoftwareVersion");
    let second = cpe.get::<String>("Device.DeviceInfo.SoftwareVersion");
    if let (Err(Error::Lost(why)), Err(Error::Lost(_))) = (&first, &second) {
        cpe.memory().set("lost", why)?;
        cpe.fact("guest.lost", why.as_str())?;
    }
    first.map(|_| ())
}

fn endless() -> ! {
    let mut number = 0_u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}

#[allow(unconditional_recursion, reason = "that is the point")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse(depth + 1) + frame[0]
}

fn allocate() -> Result<()> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(vec![1; 1 << 20]);
        black_box(&kept);
    }
}

trellis_plugin::export!(Scripted);
