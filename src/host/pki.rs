//! Keys, requests and certificates on a host. No private key comes back.

use super::messages::{
    MakeAuthorityReply, MakeAuthorityRequest, MakeCsrRequest, MakeKeyReply, MakeKeyRequest,
    SignRequest, Subject,
};
use super::{Host, HostError, Locked};

impl Host {
    /// A request for a certificate in PEM, made with a key of the host.
    ///
    /// # Errors
    /// There is no such key.
    pub async fn make_csr(&self, key: &str, subject: Subject) -> Result<String, HostError> {
        let request = MakeCsrRequest { path: key.to_owned().into(), subject: Some(subject) };
        let call = format!("make a request with {key}");
        Ok(self.call(call, async |mut it| it.make_csr(request).await).await?.csr)
    }

    /// A certificate in PEM for a client alone, for 24 hours at most. Nothing is written on the host, and no lock taken.
    ///
    /// # Errors
    /// As [`Locked::sign`]; it is for something else.
    pub async fn sign_for_client(&self, request: SignRequest) -> Result<String, HostError> {
        let request = SignRequest { claim: None, ..request };
        Ok(self
            .call("sign a certificate", async |mut it| it.sign(request).await)
            .await?
            .certificate)
    }
}

impl Locked {
    /// Makes sure that there is a private key, 0600, with this owner. One that is there stays.
    ///
    /// # Errors
    /// Something else is there.
    pub async fn make_key(
        &self,
        path: &str,
        (user, group): (&str, &str),
    ) -> Result<MakeKeyReply, HostError> {
        let request = MakeKeyRequest {
            claim: self.claim(),
            path: path.to_owned().into(),
            user: user.to_owned(),
            group: group.to_owned(),
        };
        let call = format!("make the key {path}");
        self.call(call, async |mut it| it.make_key(request).await).await
    }

    /// Makes sure that a directory holds a certificate authority. One that is there stays.
    ///
    /// # Errors
    /// Half of one is there, or something else.
    pub async fn make_authority(
        &self,
        directory: &str,
        common_name: &str,
        days: u32,
    ) -> Result<MakeAuthorityReply, HostError> {
        let request = MakeAuthorityRequest {
            claim: self.claim(),
            directory: directory.to_owned().into(),
            common_name: common_name.to_owned(),
            days,
        };
        let call = format!("make a certificate authority in {directory}");
        self.call(call, async |mut it| it.make_authority(request).await).await
    }

    /// Signs with an authority of this host; the claim is added. The certificate in PEM.
    ///
    /// # Errors
    /// There is no authority, or it is not valid now, or the request for a certificate is wrong.
    pub async fn sign(&self, request: SignRequest) -> Result<String, HostError> {
        let request = SignRequest { claim: self.claim(), ..request };
        Ok(self
            .call("sign a certificate", async |mut it| it.sign(request).await)
            .await?
            .certificate)
    }
}
