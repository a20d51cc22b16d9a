//! The few programs that a client may run, by number and not by name.

use std::ffi::OsString;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;

use super::fault::Fault;
use super::place::{HostPath, Root};
use super::program::{self, Call};
use crate::proto::agent::run_reply::End;
use crate::proto::agent::run_request::Program;
use crate::proto::agent::{RunReply, RunRequest};

const LIMIT: u32 = 60;

/// Runs one of them.
pub(super) async fn run(
    root: &Root,
    request: RunRequest,
    ending: watch::Receiver<bool>,
) -> Result<RunReply, Fault> {
    let name = name(request.program())?;
    if request.arguments.iter().any(|it| it.contains(&0)) {
        return Err(Fault::Invalid(format!("an argument of {name} holds a NUL")));
    }
    // Kept open while it runs: the path below leads through it.
    let directory = if request.directory.is_empty() {
        None
    } else {
        let path = HostPath::parse(&request.directory)?;
        Some(root.directory(&path).map_err(Fault::failed(format!("open {path}")))?)
    };
    let program = match &directory {
        None => program::find(name)?,
        Some(directory) => {
            program::vouch(directory.as_fd(), name)?;
            let own = rustix::process::getpid().as_raw_nonzero();
            PathBuf::from(format!("/proc/{own}/fd/{}/{name}", directory.as_raw_fd()))
        }
    };
    let arguments = request.arguments.iter().map(|it| OsString::from_vec(it.to_vec())).collect();
    let limit = if request.limit == 0 { LIMIT } else { request.limit };
    let limit = Duration::from_secs(limit.into());
    let (input, until) = (request.input, request.until);
    let call = Call { program, arguments, input, limit, until, ending: Some(ending) };
    let ended = program::run(call).await?;
    let end = match (ended.status.code(), ended.status.signal()) {
        (Some(code), _) => End::Status(code),
        (None, signal) => End::Signal(signal.unwrap_or_default()),
    };
    Ok(RunReply {
        end: Some(end),
        stdout: ended.stdout.into(),
        stderr: ended.stderr.into(),
        truncated: ended.truncated,
    })
}

fn name(program: Program) -> Result<&'static str, Fault> {
    match program {
        Program::Unspecified => Err(Fault::Invalid("no program is named".to_owned())),
        Program::Haproxy => Ok("haproxy"),
        Program::Keepalived => Ok("keepalived"),
        Program::Nginx => Ok("nginx"),
        Program::SystemdAnalyze => Ok("systemd-analyze"),
        Program::Etcdutl => Ok("etcdutl"),
        Program::KubeApiserver => Ok("kube-apiserver"),
        Program::KubeControllerManager => Ok("kube-controller-manager"),
        Program::KubeScheduler => Ok("kube-scheduler"),
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test makes files")]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    async fn etcdutl(root: &Root, argument: &[u8]) -> Result<RunReply, Fault> {
        let mut request = RunRequest {
            directory: b"/bin".to_vec().into(),
            arguments: vec![argument.to_vec().into()],
            ..RunRequest::default()
        };
        request.set_program(Program::Etcdutl);
        run(root, request, watch::Sender::new(false).subscribe()).await
    }

    #[tokio::test]
    async fn a_program_of_a_directory_is_run_if_nobody_else_can_have_written_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        etcdutl(&root, b"x").await.unwrap_err();
        fs::copy("/bin/echo", bin.join("etcdutl")).unwrap();
        let mode = |it, mode| fs::set_permissions(it, fs::Permissions::from_mode(mode)).unwrap();
        mode(bin.join("etcdutl"), 0o755);
        let reply = etcdutl(&root, b"$(id)\xff").await.unwrap();
        assert_eq!((reply.end, &reply.stdout[..]), (Some(End::Status(0)), &b"$(id)\xff\n"[..]));
        etcdutl(&root, b"a\0b").await.unwrap_err();
        mode(bin.join("etcdutl"), 0o775);
        etcdutl(&root, b"x").await.unwrap_err();
        mode(bin.join("etcdutl"), 0o755);
        mode(bin, 0o777);
        etcdutl(&root, b"x").await.unwrap_err();
    }

    #[tokio::test]
    async fn no_program_is_no_program() {
        let root = Root::open(None).unwrap();
        let ending = watch::Sender::new(false).subscribe();
        let fault = run(&root, RunRequest::default(), ending).await.unwrap_err();
        assert!(matches!(fault, Fault::Invalid(_)));
    }
}
