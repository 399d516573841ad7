//! A plugin for tests that is written against the contract alone, and does in each hook what no
//! plugin should: the product class of a device of the manufacturer `Bare` says what.

use std::hint::black_box;

use exports::trellis::acs::admission::Decision;
use exports::trellis::acs::{actions, admission, expiry};
use trellis::acs::{deadlines, facts, parameters, session};

wit_bindgen::generate!({ world: "full-vendor-plugin", path: "../../wit" });

/// Tests make a file whose `describe` misbehaves by writing over this text.
static DESCRIBE: &str = "describe:well";

static MANIFEST: &str = r#"{
    "name": "bare",
    "version": "0.1.0",
    "matchers": [{ "manufacturer": "Bare" }],
    "actions": { "loop": {}, "flood": {}, "no-json": {} },
    "admit": true
}"#;

struct Bare;

export!(Bare);

impl Guest for Bare {
    fn describe() -> String {
        match black_box(DESCRIBE) {
            "describe:trap" => panic!("describe breaks"),
            "describe:loop" => endless(),
            "describe:half" => MANIFEST[..30].to_owned(),
            "describe:list" => "[1, 2, 3]".to_owned(),
            _ => MANIFEST.to_owned(),
        }
    }

    /// A class such as `expired-loop` has the deadline `loop` set.
    fn provision() -> Result<(), String> {
        facts::publish("bare.served", &facts::Fact::Flag(true))?;
        match class().strip_prefix("expired-") {
            Some(how) => deadlines::set(how, session::now()),
            None => Ok(()),
        }
    }
}

impl actions::Guest for Bare {
    fn run(name: String, _: String) -> Result<String, String> {
        match name.as_str() {
            "no-json" => Ok("{ \"half\": ".to_owned()),
            how => misbehave(how),
        }
    }
}

impl admission::Guest for Bare {
    fn admit() -> Decision {
        match class().strip_prefix("admit-") {
            Some(how) => misbehave(how),
            None => Decision::Accept,
        }
    }
}

impl expiry::Guest for Bare {
    fn expired(name: String) -> Result<(), String> {
        misbehave(&name)
    }
}

fn class() -> String {
    session::get_device_id().product_class
}

fn misbehave(how: &str) -> ! {
    match how {
        "loop" => endless(),
        "flood" => loop {
            // Where the device is there each one is a request, elsewhere the host says no.
            let _ = parameters::get_parameter_values(&["Device.Time.NTPServer1".to_owned()]);
        },
        "allocate" => {
            let mut kept: Vec<Vec<u8>> = Vec::new();
            loop {
                kept.push(vec![1; 1 << 20]);
                black_box(&kept);
            }
        }
        "sleep" => loop {
            std::thread::sleep(std::time::Duration::from_secs(300));
        },
        _ => panic!("this guest panics on purpose"),
    }
}

fn endless() -> ! {
    let mut number = 0_u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}
