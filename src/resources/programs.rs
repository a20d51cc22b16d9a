//! Where programs come from, by the settings of the provider.

use super::provider::{Artifacts, Client, FetchFrom, Gap};
use crate::actions::programs::{By, Downloads, Programs};
use crate::domain::artifacts::{DigestError, Project, Source, TemplateError};
use crate::remote::http::{Proxy, Route};
use crate::tfplugin::diagnostics::Diagnostic;

/// Where the programs of a project come from.
///
/// # Errors
/// The settings are not known yet, or cannot be followed.
pub(super) fn programs(client: &Client, project: Project) -> Result<Programs, Gap> {
    let settings = client.artifacts.as_ref().map_err(Clone::clone)?;
    let proxy = settings.proxy.clone().map_or(Proxy::Environment, Proxy::At);
    Ok(Programs {
        source: source(settings, project)?,
        by: by(settings),
        route: Route { proxy, authorities: settings.ca_certificate.clone() },
    })
}

fn by(settings: &Artifacts) -> By {
    match (&settings.directory, settings.fetch_from) {
        (Some(directory), _) => By::Directory(directory.clone()),
        (None, FetchFrom::Provider) => By::Here(Downloads::default()),
        (None, FetchFrom::Host) => By::Host {
            proxy: settings.proxy.clone().unwrap_or_default(),
            authorities: settings.ca_certificate.clone().unwrap_or_default(),
        },
    }
}

fn source(settings: &Artifacts, project: Project) -> Result<Source, Gap> {
    let wrong = |what: &str, err: &dyn std::error::Error| {
        let summary = format!("`{what}` of the provider block cannot be used");
        Gap::Fault(Diagnostic::error(summary, format!("{err}.")))
    };
    let mut source = Source::upstream(project);
    let (name, url) = match project {
        Project::Etcd => ("artifacts.etcd_url", &settings.etcd_url),
        Project::Kubernetes => ("artifacts.kubernetes_url", &settings.kubernetes_url),
    };
    if let Some(url) = url {
        source.url = url.parse().map_err(|it: TemplateError| wrong(name, &it))?;
    }
    if let Some(url) = settings.checksums_url.get(project.name()) {
        source.checksums_url =
            url.parse().map_err(|it: TemplateError| wrong("artifacts.checksums_url", &it))?;
    }
    for (file, digest) in &settings.checksums {
        let digest = digest.parse().map_err(|it: DigestError| wrong("artifacts.checksums", &it))?;
        source.checksums.insert(file.clone(), digest);
    }
    Ok(source)
}
