//! One session, from the Inform to the empty answer: TR-069 3.7, Figure 3, as a function.

use trellis_cwmp::{AcsFault, Envelope, InformResponse, Message};

use crate::conversation::{Conversation, Lost, cut};
use crate::post::Content;
use crate::requests;
use crate::sessions::Acs;
use crate::visit::Visit;

/// Runs a session. What it learns on the way is in `visit`, also when the session is lost.
pub(crate) async fn run(
    acs: &Acs,
    cpe: &mut Conversation,
    visit: &mut Visit,
    inform: Envelope,
) -> Result<(), Lost> {
    // Inform: what it tells is kept before the answer lets the device forget it.
    let agreed = visit.agree(acs, cpe, &inform)?;
    let recorded = visit.record_inform(acs, cpe, inform.message).await;
    match &recorded {
        Err(Lost::Unknown) => cpe.respond_fault(&inform.header, AcsFault::InvalidArguments),
        Err(Lost::NotAdmitted(code, text)) => cpe.respond_refusal(&inform.header, *code, text),
        _ => {}
    }
    recorded?;
    cpe.habits = visit.habits;
    cpe.respond(&inform.header, Message::InformResponse(InformResponse::default()), agreed);

    // The device speaks until it has nothing more to say.
    loop {
        match cpe.receive().await? {
            Content::Empty => break,
            Content::Message(envelope) if envelope.message == Message::Empty => break,
            Content::Message(envelope) if envelope.message.is_request() => {
                requests::answer(acs, cpe, visit, *envelope).await?;
            }
            Content::Message(envelope) => {
                let name = cut(envelope.message.name());
                return Err(Lost::Violation(format!("a {name} that answers nothing")));
            }
        }
    }

    if visit.is_quarantined {
        cpe.close_to_work();
    }

    // Now it is our turn: the plugin speaks, then what operators queued.
    if !visit.is_quarantined {
        visit.provision(acs, cpe).await?;
        visit.read_diagnostics(acs, cpe).await?;
        visit.exchange_credential(acs, cpe).await?;
        visit.give_login(acs, cpe).await?;
        visit.run_tasks(acs, cpe).await?;
        while cpe.is_wanted() {
            visit.run_tasks(acs, cpe).await?;
        }
    }

    // Nothing is left: what was learned is kept, and the empty answer ends the session.
    visit.record(acs, cpe, None).await?;
    cpe.end();
    Ok(())
}
