//! A credential of its own for each device (TR-069 3.4.4).

use trellis_cwmp::{Message, ParameterList, SetParameterValues, ValueType};
use trellis_store::{Credential, Holder};

use crate::caller::Caller;
use crate::conversation::{Conversation, Lost};
use crate::post::random_text;
use crate::sessions::Acs;
use crate::visit::{Visit, lost};

impl Visit {
    /// Gives a device that came in with the onboarding credential one of its own, and takes note
    /// when it first uses it. The new one is on disk before the device hears of it: whatever
    /// becomes of the session, the server knows the password that the device may have.
    pub(crate) async fn exchange_credential(
        &mut self,
        acs: &Acs,
        cpe: &mut Conversation,
    ) -> Result<(), Lost> {
        if let Caller::Holder(credential) = &*self.caller
            && matches!(credential.holder, Holder::Given(_))
            && !credential.is_proven
        {
            acs.store.prove_credential(credential).await.map_err(lost)?;
        }
        if self.caller.is_one_device() && !self.header.has_own_credential {
            self.header.has_own_credential = true;
            self.header_changed = true;
        }
        if !self.caller.is_onboarding() || self.header.root.is_empty() {
            return Ok(());
        }
        let username = self.key.to_string();
        let Ok(password) = random_text() else {
            return Err(Lost::Store("the system gives no random numbers".to_owned()));
        };
        let holder = Holder::Given(self.key.clone());
        let credential = Credential::new(&username, &acs.settings.realm, &password, holder);
        acs.store.add_credential(&credential).await.map_err(lost)?;
        let server = format!("{}ManagementServer.", self.header.root);
        let mut parameter_list = ParameterList::new();
        parameter_list.push(&format!("{server}Username"), &username, ValueType::String);
        parameter_list.push(&format!("{server}Password"), &password, ValueType::String);
        let parameter_key = self.header.parameter_key.clone();
        let request = SetParameterValues { parameter_list, parameter_key };
        if let Message::Fault(fault) =
            self.carry(acs, cpe, Message::SetParameterValues(request)).await?
        {
            // It keeps the onboarding credential, which stays valid for it.
            tracing::warn!(code = fault.fault_code, "the device takes no credential of its own");
        }
        Ok(())
    }
}
