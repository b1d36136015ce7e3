//! Passkeys (WebAuthn Level 3): the two ceremonies, each begun and finished, and nothing kept in between.
//!
//! What a ceremony awaits and what a credential is travel as JSON that only this file reads. Every passkey verifies
//! its user (a finger, a face, a PIN) and names its holder by a random handle, so that signing in needs no number and
//! an onlooker learns nothing about numbers. Deliberately absent: attestation, since any maker's passkey is welcome.

use crate::base::origin::Origin;
use url::Url;
use uuid::Uuid;
use webauthn_rs::prelude::{
    CreationChallengeResponse, DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Webauthn, WebauthnBuilder,
};

/// A ceremony that came to nothing: garbled, for another site, another challenge, or signed by another key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the passkey was not accepted: {0}")]
pub struct NotAccepted(String);

/// Half of a ceremony: what the browser is asked, and what to keep until it answers.
pub struct Begun {
    /// For the page's script, JSON.
    pub options: String,
    /// To be kept here, JSON.
    pub state: Vec<u8>,
}

/// A new credential.
pub struct Enrolled {
    /// Its name, chosen by the authenticator.
    pub id: Vec<u8>,
    /// The credential, JSON.
    pub credential: Vec<u8>,
}

/// Whom an answer claims to come from, before anything is proved.
pub struct Claimed {
    /// The holder's handle.
    pub handle: Uuid,
    /// The credential's name.
    pub id: Vec<u8>,
}

/// This service as passkeys know it.
pub struct RelyingParty(Webauthn);

impl RelyingParty {
    /// The party of that origin; `None` where browsers know no passkeys, on a bare network address.
    pub fn of(origin: &Origin) -> Option<Self> {
        let origin = Url::parse(origin.as_str()).ok()?;
        let host = origin.domain()?.to_owned();
        let builder = WebauthnBuilder::new(&host, &origin).ok()?.rp_name("Chung");
        builder.build().ok().map(Self)
    }

    /// Asks a browser to make a passkey for the holder of `handle`; none of `known` is made twice.
    pub fn begin_enrolment(
        &self,
        handle: Uuid,
        name: &str,
        known: Vec<Vec<u8>>,
    ) -> Result<Begun, NotAccepted> {
        let (options, state) =
            self.0.start_passkey_registration(handle, name, name, Some(known)).map_err(refused)?;
        Ok(Begun { options: discoverable(&options)?, state: json(&state)?.into_bytes() })
    }

    /// Takes the browser's answer.
    pub fn finish_enrolment(&self, state: &[u8], answer: &str) -> Result<Enrolled, NotAccepted> {
        let state: PasskeyRegistration = read(state)?;
        let answer: RegisterPublicKeyCredential = read(answer.as_bytes())?;
        let passkey = self.0.finish_passkey_registration(&answer, &state).map_err(refused)?;
        Ok(Enrolled { id: passkey.cred_id().clone(), credential: json(&passkey)?.into_bytes() })
    }

    /// The name of a credential.
    pub fn id_of(&self, credential: &[u8]) -> Result<Vec<u8>, NotAccepted> {
        read::<Passkey>(credential).map(|passkey| passkey.cred_id().clone())
    }

    /// Asks a browser for a passkey of anybody.
    pub fn begin_sign_in(&self) -> Result<Begun, NotAccepted> {
        let (mut options, state) = self.0.start_discoverable_authentication().map_err(refused)?;
        options.mediation = None;
        Ok(Begun { options: json(&options)?, state: json(&state)?.into_bytes() })
    }

    /// Whom an answer claims to come from.
    pub fn claimed(&self, answer: &str) -> Result<Claimed, NotAccepted> {
        let answer: PublicKeyCredential = read(answer.as_bytes())?;
        let (handle, id) = self.0.identify_discoverable_authentication(&answer).map_err(refused)?;
        Ok(Claimed { handle, id: id.to_vec() })
    }

    /// Proves an answer against the credential it names; gives the credential as it is to be kept from now on. A
    /// counter that runs backwards is a copy, and refused.
    pub fn finish_sign_in(
        &self,
        state: &[u8],
        answer: &str,
        credential: &[u8],
    ) -> Result<Vec<u8>, NotAccepted> {
        let state: DiscoverableAuthentication = read(state)?;
        let answer: PublicKeyCredential = read(answer.as_bytes())?;
        let mut passkey: Passkey = read(credential)?;
        let result =
            self.0.finish_discoverable_authentication_v2(&answer, state, &passkey).map_err(refused)?;
        passkey.update_credential(&result);
        Ok(json(&passkey)?.into_bytes())
    }
}

/// Only a passkey that the browser finds by itself serves a sign-in without a number.
fn discoverable(options: &CreationChallengeResponse) -> Result<String, NotAccepted> {
    let mut options = serde_json::to_value(options).map_err(refused)?;
    let selection = &mut options["publicKey"]["authenticatorSelection"];
    selection["residentKey"] = "required".into();
    selection["requireResidentKey"] = true.into();
    Ok(options.to_string())
}

fn refused(cause: impl std::fmt::Display) -> NotAccepted {
    NotAccepted(cause.to_string())
}

fn json(value: &impl serde::Serialize) -> Result<String, NotAccepted> {
    serde_json::to_string(value).map_err(refused)
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, NotAccepted> {
    serde_json::from_slice(bytes).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_needs_a_name() {
        let of = |origin: &str| RelyingParty::of(&origin.parse().unwrap());
        assert!(of("https://chung.example").is_some() && of("http://localhost:8080").is_some());
        assert!(of("http://127.0.0.1:8080").is_none());
        let begun = of("http://localhost:8080").unwrap().begin_sign_in().unwrap();
        assert!(begun.options.contains("\"userVerification\":\"required\""), "{}", begun.options);
        let refused = of("http://localhost:8080").unwrap().finish_enrolment(b"{}", "{}");
        assert!(refused.is_err());
    }
}
