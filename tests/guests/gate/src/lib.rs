//! A plugin for tests that stands at the gate and waits: the product class of a device of the
//! manufacturer `Gate` says whether it may come in, and what is waited for.

use trellis_plugin::{
    Admission, Cpe, Error, Manifest, Matcher, Plugin, Result,
    serde_json::{Value, json},
};

struct Gate;

impl Plugin for Gate {
    type Settings = Value;

    fn manifest() -> Manifest {
        Manifest::new("gate", "0.1.0")
            .description("Lets devices in, or not")
            .serves(Matcher::new().manufacturer("Gate"))
            .settings(
                json!({ "type": "object", "properties": { "seconds": { "type": "integer" } } }),
                json!({ "seconds": 2 }),
            )
            .admits()
    }

    fn admit(cpe: &Cpe, settings: Value) -> Admission {
        if settings["quarantine"] == true {
            return Admission::Quarantine("the operator says so".to_owned());
        }
        match cpe.device().product_class.as_str() {
            "refuse" => Admission::Refuse { code: 8801, text: "not this one".to_owned() },
            "wrong-code" => Admission::Refuse { code: 200, text: "no such code".to_owned() },
            "quarantine" => Admission::Quarantine("it looks odd".to_owned()),
            "panic" => panic!("the gate breaks"),
            "curious" => {
                // Nothing of this is to work, and the device is to come in all the same.
                let kept = cpe.memory().set("seen", &true).is_err();
                let wakes = cpe.deadlines().set_in("late", 1).is_err();
                if kept && wakes {
                    Admission::Accept
                } else {
                    Admission::Quarantine("no".to_owned())
                }
            }
            _ => Admission::Accept,
        }
    }

    fn provision(cpe: &mut Cpe, settings: Value) -> Result<()> {
        cpe.fact("gate.passed", true)?;
        match cpe.device().product_class.as_str() {
            "wait" | "wait-twice" | "wait-badly" => {
                let seconds = settings["seconds"].as_u64().unwrap_or(2);
                cpe.memory().set("waits", &true)?;
                cpe.deadlines().set_in("reboot", seconds)
            }
            "come-in-time" => {
                if cpe.memory().get::<bool>("waits")?.is_none() {
                    cpe.memory().set("waits", &true)?;
                    return cpe.deadlines().set_in("reboot", 3);
                }
                cpe.deadlines().clear("reboot");
                cpe.fact("gate.in-time", true)
            }
            "secretive" => match cpe.memory().get::<String>("admin-password")? {
                None => cpe.memory().set("admin-password", "tops3cret \"as kept\""),
                Some(password) => {
                    cpe.log().info(format!("it has {password} or {password:?}"));
                    println!("of several lines: {password}");
                    cpe.fact("some.api-token", "tops3cret-token")?;
                    cpe.fact("some.note", format!("the password is {password}"))?;
                    cpe.memory().set("admin-password", "another")?;
                    cpe.log().info(format!("it had {password}"));
                    Err(Error::other(format!("cannot set {password} with tops3cret-token")))
                }
            },
            "events" => {
                let codes: Vec<String> = cpe.events().into_iter().map(|it| it.code).collect();
                cpe.fact("gate.events", codes.join(", "))
            }
            _ => Ok(()),
        }
    }

    fn expired(cpe: &mut Cpe, _: Value, deadline: &str) -> Result<()> {
        let asked = cpe.get::<String>("Device.DeviceInfo.SoftwareVersion");
        cpe.fact("gate.asked", asked.map_err(|error| error.to_string()).unwrap_or_else(|it| it))?;
        match cpe.device().product_class.as_str() {
            "wait-badly" => Err(Error::other("it never came")),
            "wait-twice" if cpe.memory().get::<bool>("again")?.is_none() => {
                cpe.memory().set("again", &true)?;
                cpe.deadlines().set_in(deadline, 1)
            }
            _ => cpe.fact("gate.expired", deadline),
        }
    }
}

trellis_plugin::export!(Gate);
