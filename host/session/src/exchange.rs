//! A credential of its own for each device (TR-069 3.4.4).

use trellis_cwmp::{Message, ParameterList, SetParameterValues, ValueType};
use trellis_store::{Credential, Holder};

use crate::caller::Caller;
use crate::conversation::{Conversation, Lost};
use crate::post::random_text;
use crate::sessions::Acs;
use crate::visit::{Visit, store_failed};

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
            acs.store.prove_credential(credential).await.map_err(store_failed)?;
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
        acs.store.add_credential(&credential).await.map_err(store_failed)?;
        let names = ["Username", "Password"];
        if !self.set_login(acs, cpe, names, &username, &password).await? {
            // It keeps the onboarding credential, which stays valid for it.
            tracing::warn!("the device takes no credential of its own");
        }
        Ok(())
    }

    /// Sets a user name and a password of the ManagementServer object, and says whether the device
    /// took them. Its ParameterKey stays what it is.
    pub(crate) async fn set_login(
        &mut self,
        acs: &Acs,
        cpe: &mut Conversation,
        names: [&str; 2],
        username: &str,
        password: &str,
    ) -> Result<bool, Lost> {
        let mut parameter_list = ParameterList::new();
        for (name, value) in names.iter().zip([username, password]) {
            let name = format!("{}ManagementServer.{name}", self.header.root);
            parameter_list.push(&name, value, ValueType::String);
        }
        let parameter_key = self.header.parameter_key.clone();
        let request = SetParameterValues { parameter_list, parameter_key };
        // It says nothing of whose the device's other values are.
        let (acknowledged, changed_ms) = (
            self.header.acknowledged_parameter_key.take(),
            self.header.changed_elsewhere_ms.take(),
        );
        let answer = self.carry(acs, cpe, Message::SetParameterValues(request)).await;
        self.header.acknowledged_parameter_key = acknowledged;
        self.header.changed_elsewhere_ms = changed_ms;
        self.header_changed = true;
        Ok(!matches!(answer?, Message::Fault(_)))
    }
}
