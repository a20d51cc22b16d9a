//! Packages of the distribution: what is missing is installed, what is there keeps its version.

mod manager;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use self::manager::Manager;
use super::change::{Deed, Host};
use super::facts::system;
use super::fault::Fault;
use super::place::Root;
use super::program::{self, Call, Ended};
use super::{mutex, name};
use crate::proto::agent::{EnsurePackagesReply, EnsurePackagesRequest, Package};

/// An installation over a slow line. What runs then is killed, and the package manager has to be repaired.
const LIMIT: Duration = Duration::from_mins(30);
const LOOK_LIMIT: Duration = Duration::from_mins(1);
const MOST_PACKAGES: usize = 200;

/// Installs what is missing.
pub(super) async fn ensure(
    host: &Arc<Host>,
    mut request: EnsurePackagesRequest,
) -> Result<EnsurePackagesReply, Fault> {
    let claim = request.claim.take();
    check(&request.names)?;
    let deed = Deed::new(format!("ensure the packages {}", request.names.join(" ")), &request);
    let here = Arc::clone(host);
    let work = async move {
        let manager = manager(&here.root)?;
        let before = query(manager, &request.names).await?;
        if absent(&before).is_empty() {
            return Ok(EnsurePackagesReply { changed: false, packages: before });
        }
        let _alone = mutex::alone(&here.root, LIMIT, here.life.ending()).await?;
        // Looked at again: whoever was at it before may have installed the same.
        let missing = absent(&query(manager, &request.names).await?);
        if !missing.is_empty() {
            install(manager, &missing).await?;
        }
        let packages = query(manager, &request.names).await?;
        match &absent(&packages)[..] {
            [] => Ok(EnsurePackagesReply { changed: !missing.is_empty(), packages }),
            still => {
                let still = still.join(" ");
                Err(Fault::Refused(format!("{still} was installed and is not there")))
            }
        }
    };
    host.change(claim, deed, work).await
}

/// The packages in the order of their names. A fault becomes an error of each, which is not "absent".
pub(super) async fn look(root: &Root, names: &[String]) -> Vec<Package> {
    let seen = async {
        check(names)?;
        query(manager(root)?, names).await
    };
    seen.await.unwrap_or_else(|fault| {
        let error = tonic::Status::from(fault).message().to_owned();
        let unseen = |name: &String| Package {
            name: name.clone(),
            error: error.clone(),
            ..Package::default()
        };
        names.iter().map(unseen).collect()
    })
}

fn check(names: &[String]) -> Result<(), Fault> {
    if names.len() > MOST_PACKAGES {
        return Err(Fault::Invalid(format!("more than {MOST_PACKAGES} packages are named")));
    }
    names.iter().try_for_each(|it| name::package(it))
}

fn manager(root: &Root) -> Result<Manager, Fault> {
    if root.is_own() {
        return Err(Fault::Refused("a host in a directory has no packages of its own".to_owned()));
    }
    let os = system::release()?;
    Manager::of(&os).ok_or_else(|| {
        Fault::Refused(format!("no package manager is known for the distribution {:?}", os.id))
    })
}

async fn query(manager: Manager, names: &[String]) -> Result<Vec<Package>, Fault> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let ended = call(&[manager.query(), &words(names)].concat(), LOOK_LIMIT).await?;
    if !manager.is_answer(ended.status.code(), &ended.stderr) {
        ended.success("ask which packages are installed")?;
        return Err(Fault::Refused("the package manager could not be asked".to_owned()));
    }
    let text = String::from_utf8_lossy(&ended.stdout);
    let package = |name: &String| Package {
        name: name.clone(),
        version: manager.version(&text, name).unwrap_or_default(),
        error: String::new(),
    };
    Ok(names.iter().map(package).collect())
}

fn absent(packages: &[Package]) -> Vec<String> {
    let absent = packages.iter().filter(|it| it.version.is_empty());
    absent.map(|it| it.name.clone()).collect()
}

/// Tries with the lists of packages that the host has, and once more with new ones.
async fn install(manager: Manager, names: &[String]) -> Result<(), Fault> {
    let command = [manager.install(), &words(names)].concat();
    let first = call(&command, LIMIT).await?;
    let Some(refresh) = manager.refresh().filter(|_| !first.status.success()) else {
        return success(first, &format!("install {}", names.join(" ")));
    };
    success(call(refresh, LIMIT).await?, "refresh the lists of packages")?;
    success(call(&command, LIMIT).await?, &format!("install {}", names.join(" ")))
}

/// A package manager says at the end what went wrong.
fn success(ended: Ended, doing: &str) -> Result<(), Fault> {
    let tail = |text: &[u8]| text[text.len().saturating_sub(1500)..].to_vec();
    let (stderr, stdout) = (tail(&ended.stderr), tail(&ended.stdout));
    let text = if stderr.trim_ascii().is_empty() { stdout } else { stderr };
    Ended { stderr: text, ..ended }.success(doing).map(drop)
}

fn words(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// The first word is the program.
async fn call(command: &[&str], limit: Duration) -> Result<Ended, Fault> {
    let [name, arguments @ ..] = command else {
        return Err(Fault::Invalid("no program is named".to_owned()));
    };
    let program = program::find(name)?;
    let arguments = arguments.iter().map(OsString::from).collect();
    // Not ended with the agent: cut off, it leaves packages half installed.
    let (input, until) = (Bytes::new(), Bytes::new());
    program::run(Call { program, arguments, input, limit, until, ending: None }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_looked_at_is_not_absent() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let seen = look(&root, &["haproxy".to_owned()]).await;
        let error = "a host in a directory has no packages of its own".to_owned();
        let name = "haproxy".to_owned();
        assert_eq!(seen, [Package { name, version: String::new(), error }]);
        let seen = look(&Root::open(None).unwrap(), &["--purge".to_owned()]).await;
        assert!(!seen[0].error.is_empty());
        assert_eq!(look(&root, &[]).await, []);
    }

    #[tokio::test]
    async fn packages_of_this_machine() {
        let root = Root::open(None).unwrap();
        // Nothing to ask on a machine whose distribution is not known.
        let Ok(manager) = manager(&root) else { return };
        let name = match manager {
            Manager::Apt => "dpkg",
            Manager::Dnf | Manager::Zypper => "rpm",
            Manager::Apk => "apk-tools",
        };
        let seen = look(&root, &[name.to_owned(), "no-such-package".to_owned()]).await;
        assert!(seen[0].version.starts_with(|it: char| it.is_ascii_digit()), "{seen:?}");
        assert_eq!((seen[1].version.as_str(), seen[1].error.as_str()), ("", ""));
    }
}
