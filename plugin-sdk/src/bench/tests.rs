//! The bench against what the server does.

use serde_json::json;

use super::*;
use crate::{Cpe, Result};

/// Tries in each hook what only some of them can do, and returns what came of it as an error.
struct Curious;

fn kept(cpe: &Cpe) -> String {
    let memory = cpe.memory().set("key", &1).is_ok();
    let deadline = cpe.deadlines().set_in("soon", 1).is_ok();
    format!("memory {memory}, deadline {deadline}")
}

fn tried(cpe: &mut Cpe) -> crate::Error {
    let fact = cpe.fact("some.fact", 1).is_ok();
    let asked = cpe.get::<String>("Device.A").is_ok();
    crate::Error::other(format!("{}, fact {fact}, asked {asked}", kept(cpe)))
}

impl Plugin for Curious {
    type Settings = Json;

    fn manifest() -> Manifest {
        Manifest::new("curious", "1.0.0").admits().action("known", "", json!({}))
    }

    fn provision(cpe: &mut Cpe, _: Json) -> Result<()> {
        Err(tried(cpe))
    }

    fn action(_: &mut Cpe, _: Json, name: &str, _: Json) -> Result<Json> {
        Ok(json!(name))
    }

    fn admit(cpe: &Cpe, _: Json) -> Admission {
        Admission::Quarantine(kept(cpe))
    }

    fn expired(cpe: &mut Cpe, _: Json, _: &str) -> Result<()> {
        Err(tried(cpe))
    }
}

#[test]
fn a_transcript_has_all_that_a_plugin_did_and_is_compared_line_by_line() {
    let mut bench = Bench::new("Device.");
    bench.parameter("Device.A", "string", "a");
    bench.session(&["1 BOOT"], &[]);
    bench.run::<Curious>().unwrap_err();
    bench.action::<Curious>("known", &json!({})).unwrap();
    bench.expire::<Curious>();
    bench.session(&["2 PERIODIC"], &[]);
    bench.admit::<Curious>();
    let wanted = "session 1 BOOT
provision
  fact some.fact = 1
  > GetParameterValues Device.A
  remember key = 1
  deadline soon at 1800000001
  = failed: memory true, deadline true, fact true, asked true
action known {}
  = answered \"known\"

expired soon
  fact some.fact = 1
  > GetParameterValues Device.A
  < refused: the device is not there
  remember key = 1
  deadline soon at 1800000011
  = failed: memory true, deadline true, fact true, asked false

session 2 PERIODIC, 1 BOOT
admit
  = quarantined: memory false, deadline false
";
    assert_eq!(bench.transcript(), wanted);
    let file = std::env::temp_dir().join(format!("trellis-bench-{}.txt", std::process::id()));
    std::fs::write(&file, wanted).unwrap();
    assert_eq!(bench.compare(&file), Ok(()));
    std::fs::write(&file, wanted.replace("= quarantined", "= accepted")).unwrap();
    let error = bench.compare(&file).unwrap_err();
    std::fs::remove_file(&file).unwrap();
    assert!(error.contains(":21 has\n    = accepted: memory"), "{error}");
    let error = bench.compare(&file).unwrap_err();
    assert!(error.contains("TRELLIS_UPDATE=1"), "{error}");
}

#[test]
fn each_hook_can_do_what_it_can_do_on_the_server_and_no_more() {
    let mut bench = Bench::new("Device.");
    bench.parameter("Device.A", "string", "a");
    let at_inform = Admission::Quarantine("memory false, deadline false".to_owned());
    assert_eq!(bench.admit::<Curious>(), at_inform);
    assert!(bench.deadlines().is_empty() && bench.memory_writes() == 0);
    let in_session = "memory true, deadline true, fact true, asked true";
    assert_eq!(bench.run::<Curious>(), Err(in_session.to_owned()));
    let woken = "memory true, deadline true, fact true, asked false";
    assert_eq!(bench.expire::<Curious>(), Some(Err(woken.to_owned())));
    let again = *bench.deadlines().get("soon").expect("it is set");
    assert_eq!(again, bench.now + WOKEN_AGAIN_MIN, "not for the same moment without end");
}

#[test]
fn an_action_that_the_manifest_does_not_have_is_refused() {
    let mut bench = Bench::new("Device.");
    assert_eq!(bench.action::<Curious>("known", &json!({})), Ok(json!("known")));
    let refused = bench.action::<Curious>("other", &json!({})).unwrap_err();
    assert!(refused.contains("no action \"other\""), "{refused}");
}

/// Does what each test says.
struct Busy;

impl Plugin for Busy {
    type Settings = Json;

    fn manifest() -> Manifest {
        Manifest::new("busy", "1.0.0")
    }

    fn provision(cpe: &mut Cpe, settings: Json) -> Result<()> {
        let events: Vec<String> = cpe.events().into_iter().map(|it| it.code).collect();
        cpe.fact("events", events.join(","))?;
        cpe.fact("transfers", cpe.completed_transfers().len().to_string())?;
        match settings["does"].as_str() {
            Some("fail") => Err(crate::Error::other("on purpose")),
            Some("row") => {
                let keys = [("Description", "web".into()), ("Port", crate::Value::untyped("080"))];
                let row = cpe.ensure_instance("Device.Map.", keys)?;
                cpe.fact("row", row)
            }
            Some("twice") => cpe.ensure([("A", 1_u32.into()), ("A", 2_u32.into())]).map(drop),
            Some("number") => cpe.ensure([("Device.Port", 80_u32.into())]).map(drop),
            _ => Ok(()),
        }
    }

    fn admit(_: &Cpe, _: Json) -> Admission {
        Admission::Quarantine("never asked".to_owned())
    }

    fn expired(cpe: &mut Cpe, _: Json, _: &str) -> Result<()> {
        let seen = (cpe.events().len(), cpe.inform().len(), cpe.completed_transfers().len());
        Err(crate::Error::other(format!("{seen:?}")))
    }
}

fn does(bench: &mut Bench, what: &str) -> std::result::Result<(), String> {
    bench.settings(json!({ "does": what })).run::<Busy>()
}

#[test]
fn what_a_run_was_told_that_failed_is_told_again() {
    let mut bench = Bench::new("Device.");
    bench.session(&["1 BOOT", "2 PERIODIC"], &[]).completed("key", 0);
    does(&mut bench, "fail").unwrap_err();
    bench.session(&["6 CONNECTION REQUEST"], &[]);
    does(&mut bench, "nothing").unwrap();
    assert_eq!(bench.fact("events"), Some(&"6 CONNECTION REQUEST,1 BOOT".into()));
    assert_eq!(bench.fact("transfers"), Some(&"1".into()));
    bench.session(&["2 PERIODIC"], &[]);
    does(&mut bench, "nothing").unwrap();
    assert_eq!(bench.fact("events"), Some(&"2 PERIODIC".into()));
    assert_eq!(bench.fact("transfers"), Some(&"0".into()));
}

#[test]
fn a_row_is_found_by_its_keys_or_added_and_its_number_is_not_given_twice() {
    let mut bench = Bench::new("Device.");
    let row = [("Description", "string", ""), ("Port", "unsignedInt", "0")];
    bench.table("Device.Map.", &row).session(&["2 PERIODIC"], &[]);
    does(&mut bench, "row").unwrap();
    assert_eq!(bench.value("Device.Map.1.Port"), Some("080"));
    assert_eq!(bench.rpcs().len(), 4, "{:?}", bench.rpcs());
    bench.parameter("Device.Map.1.Port", "unsignedInt", "80");
    does(&mut bench, "row").unwrap();
    assert_eq!(bench.fact("row"), Some(&1.into()), "080 is 80");
    bench.delete("Device.Map.1.").unwrap();
    does(&mut bench, "row").unwrap();
    assert_eq!(bench.fact("row"), Some(&2.into()));

    bench.table("Device.Map.", &[("Description", "string", "")]).delete("Device.Map.2.").unwrap();
    let error = does(&mut bench, "row").unwrap_err();
    assert!(error.contains("the new row has no Device.Map.3.Port"), "{error}");
    assert_eq!(bench.value("Device.Map.3.Description"), None, "it is taken away again");
    let error = does(Bench::new("Device.").session(&[], &[]), "row").unwrap_err();
    assert!(error.contains("9005"), "{error}");
}

#[test]
fn values_of_another_type_and_names_that_are_there_twice_are_refused() {
    let mut bench = Bench::new("Device.");
    bench.parameter("Device.Port", "int", "8080").session(&["2 PERIODIC"], &[]);
    let error = does(&mut bench, "number").unwrap_err();
    assert!(error.contains("9006"), "{error}");
    let error = does(&mut bench, "twice").unwrap_err();
    assert!(error.contains("twice"), "{error}");
}

#[test]
fn nobody_is_asked_at_the_inform_unless_the_manifest_says_so() {
    assert_eq!(Bench::new("Device.").admit::<Busy>(), Admission::Accept);
}

#[test]
fn a_plugin_that_is_woken_sees_nothing_of_the_device() {
    let mut bench = Bench::new("Device.");
    bench.parameter("Device.A", "string", "a").session(&["1 BOOT"], &["Device.A"]);
    bench.completed("key", 0).set_deadline("some", 0).unwrap();
    assert_eq!(bench.expire::<Busy>(), Some(Err("(0, 0, 0)".to_owned())));
    does(&mut bench, "nothing").unwrap();
    assert_eq!(bench.fact("transfers"), Some(&"1".into()), "that waits for the session");
}
