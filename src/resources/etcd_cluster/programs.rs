//! Where the program comes from, by the settings of the provider.

use crate::actions::etcd::Programs;
use crate::domain::artifacts::{DigestError, Project, Source, TemplateError};
use crate::remote::http::{Proxy, Route};
use crate::resources::provider::{Client, FetchFrom, Gap};
use crate::tfplugin::diagnostics::Diagnostic;

/// Where etcd comes from.
///
/// # Errors
/// The settings are not known yet, or cannot be followed.
pub(super) fn programs(client: &Client) -> Result<Programs, Gap> {
    let settings = client.artifacts.as_ref().map_err(Clone::clone)?;
    let wrong = |what: &str, err: &dyn std::error::Error| {
        let summary = format!("`{what}` of the provider block cannot be used");
        Gap::Fault(Diagnostic::error(summary, format!("{err}.")))
    };
    let mut source = Source::upstream(Project::Etcd);
    if let Some(url) = &settings.etcd_url {
        source.url = url.parse().map_err(|it: TemplateError| wrong("artifacts.etcd_url", &it))?;
    }
    if let Some(url) = settings.checksums_url.get(Project::Etcd.name()) {
        source.checksums_url =
            url.parse().map_err(|it: TemplateError| wrong("artifacts.checksums_url", &it))?;
    }
    for (file, digest) in &settings.checksums {
        let digest = digest.parse().map_err(|it: DigestError| wrong("artifacts.checksums", &it))?;
        source.checksums.insert(file.clone(), digest);
    }
    if settings.fetch_from == FetchFrom::Provider && settings.directory.is_none() {
        let detail = "The provider does not download programs yet.";
        let fault = Diagnostic::error("`artifacts.fetch_from` cannot be followed", detail);
        return Err(Gap::Fault(
            fault.hint("Set `artifacts.directory`, or let the hosts download."),
        ));
    }
    let proxy = settings.proxy.clone();
    let at = proxy.clone().map_or(Proxy::Environment, Proxy::At);
    let authorities = settings.ca_certificate.clone();
    Ok(Programs {
        source,
        directory: settings.directory.clone(),
        route: Route { proxy: at, authorities: authorities.clone() },
        proxy: proxy.unwrap_or_default(),
        authorities: authorities.unwrap_or_default(),
    })
}
