//! A data directory of a member, made beside the one that it is to replace, and put in its place.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, chownat, fsync, openat, renameat, statat};
use rustix::io::Errno;
use rustix::path::Arg;

use super::draft::has_digest;
use crate::agent::artifacts::{available, full};
use crate::agent::change::{Deed, Host};
use crate::agent::fault::Fault;
use crate::agent::files::aside::move_aside;
use crate::agent::files::owner::Owner;
use crate::agent::files::put::{Wanted, put};
use crate::agent::files::{directory, look, remove};
use crate::agent::part::SPARE;
use crate::agent::place::{HostPath, Root};
use crate::agent::run;
use crate::proto::agent::run_reply::End;
use crate::proto::agent::run_request::Program;
use crate::proto::agent::{
    PrepareMemberRequest, RunRequest, SwitchMemberReply, SwitchMemberRequest,
};

/// Behind the name of what it is to replace.
const PREPARED: &str = ".restore";
/// Inside `member`, where etcd does not wonder about it.
const MARK: &str = "member/ha-restored";
const MOST_MARK: u64 = 4 << 10;
/// Seconds: a database has 8 GiB at most.
const LIMIT: u32 = 1_800;

/// Makes the directory, unless it was made with the same mark. Whether it was not.
pub(in crate::agent) async fn prepare(
    host: &Arc<Host>,
    mut request: PrepareMemberRequest,
) -> Result<bool, Fault> {
    let claim = request.claim.take();
    let data = HostPath::parse(&request.data_dir)?;
    let deed = Deed::new(format!("prepare {data}{PREPARED}"), &request);
    let here = Arc::clone(host);
    let work = async move {
        let request = Arc::new(request);
        let asked = Arc::clone(&request);
        if !here.blocking(move |it| begin(&it.root, &asked)).await? {
            return Ok(false);
        }
        let ended = run::run(&here.root, command(&here.root, &request)?, here.life.ending());
        let ended = ended.await?;
        if ended.end != Some(End::Status(0)) {
            let said = String::from_utf8_lossy(&ended.stderr);
            let last = said.lines().last().unwrap_or("it says nothing").to_owned();
            return Err(Fault::Refused(format!("etcdutl does not restore the snapshot: {last}")));
        }
        here.blocking(move |it| finish(&it.root, &request)).await.map(|()| true)
    };
    host.change(claim, deed, work).await
}

/// What is to be replaced: the log first, for the mark lies with the data. A log that lies there too goes with it.
fn directories(data: &Bytes, log: &Bytes) -> Result<Vec<HostPath>, Fault> {
    let all = [log, data].into_iter().filter(|it| !it.is_empty());
    let apart = all.filter(|it| below(data, it).is_none());
    apart.map(|it| HostPath::parse(it)).collect()
}

/// What of a path is below the data, with the sign before it.
fn below<'a>(data: &[u8], path: &'a [u8]) -> Option<&'a [u8]> {
    path.strip_prefix(data).filter(|it| it.starts_with(b"/"))
}

fn with_end(path: &HostPath, end: &str) -> Result<HostPath, Fault> {
    HostPath::parse(&[path.bytes(), end.as_bytes()].concat())
}

fn has_mark(root: &Root, directory: &HostPath, mark: &str) -> Result<bool, Fault> {
    let Some(place) = root.find(&with_end(directory, &format!("/{MARK}"))?)? else {
        return Ok(false);
    };
    Ok(look::read(&place, MOST_MARK)?.1 == mark.as_bytes())
}

/// Sweeps what was left. False: it is there.
fn begin(root: &Root, request: &PrepareMemberRequest) -> Result<bool, Fault> {
    let data = HostPath::parse(&request.data_dir)?;
    if has_mark(root, &with_end(&data, PREPARED)?, &request.mark)? {
        return Ok(false);
    }
    for path in directories(&request.data_dir, &request.wal_dir)? {
        let prepared = with_end(&path, PREPARED)?;
        directory::make_above(root, &prepared)?;
        remove::remove(&root.place(&prepared)?, true)?;
    }
    let snapshot = HostPath::parse(&request.snapshot)?;
    if !has_digest(root, &snapshot, &request.digest)? {
        return Err(Fault::Refused(format!("{snapshot} has another digest, or is not there")));
    }
    let size = look::open(&root.place(&snapshot)?)?.map_or(0, |it| it.1.st_size);
    let needed = u64::try_from(size).unwrap_or_default().saturating_add(SPARE);
    let place = root.place(&data)?;
    if available(place.parent()) < needed {
        return Err(full(place.parent(), &format!("{data}{PREPARED}"), needed));
    }
    Ok(true)
}

fn command(root: &Root, request: &PrepareMemberRequest) -> Result<RunRequest, Fault> {
    let outside = |path: &HostPath| root.outside(path).into_vec();
    let flag = |name: &str, value: &[u8]| Bytes::from([name.as_bytes(), b"=", value].concat());
    let data = with_end(&HostPath::parse(&request.data_dir)?, PREPARED)?;
    let mut arguments = vec![
        Bytes::from_static(b"snapshot"),
        Bytes::from_static(b"restore"),
        outside(&HostPath::parse(&request.snapshot)?).into(),
        flag("--name", request.name.as_bytes()),
        flag("--initial-cluster", request.initial_cluster.as_bytes()),
        flag("--initial-cluster-token", request.token.as_bytes()),
        flag("--initial-advertise-peer-urls", request.peer_url.as_bytes()),
        flag("--data-dir", &outside(&data)),
        // Clients that watch would miss what is between, so it is compacted: they list anew.
        flag("--bump-revision", request.bump.to_string().as_bytes()),
        Bytes::from_static(b"--mark-compacted"),
    ];
    if !request.wal_dir.is_empty() {
        let log = match below(&request.data_dir, &request.wal_dir) {
            Some(rest) => HostPath::parse(&[data.bytes(), rest].concat())?,
            None => with_end(&HostPath::parse(&request.wal_dir)?, PREPARED)?,
        };
        arguments.push(flag("--wal-dir", &outside(&log)));
    }
    let mut run = RunRequest {
        directory: request.programs.clone(),
        arguments,
        limit: LIMIT,
        ..RunRequest::default()
    };
    run.set_program(Program::Etcdutl);
    Ok(run)
}

/// Gives all of it to the member, makes it durable, and marks it as whole.
fn finish(root: &Root, request: &PrepareMemberRequest) -> Result<(), Fault> {
    let owner = Owner::named(root, &request.user, &request.group)?;
    for path in directories(&request.data_dir, &request.wal_dir)? {
        let place = root.place(&with_end(&path, PREPARED)?)?;
        hand_over(place.parent(), place.name(), owner).map_err(place.failed("give an owner to"))?;
        directory::make(&place, Mode::RWXU, owner)?;
    }
    let data = with_end(&HostPath::parse(&request.data_dir)?, PREPARED)?;
    let mark = root.place(&with_end(&data, &format!("/{MARK}"))?)?;
    let mode = Mode::RUSR | Mode::WUSR;
    put(&mark, Wanted { content: request.mark.as_bytes(), mode, owner }).map(drop)
}

/// Only what etcdutl has made is there.
fn hand_over(
    parent: BorrowedFd<'_>,
    name: impl Arg + Copy,
    owner: Owner,
) -> rustix::io::Result<()> {
    let (user, group) = (Some(owner.user), Some(owner.group));
    chownat(parent, name, user, group, AtFlags::SYMLINK_NOFOLLOW)?;
    let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat(parent, name, flags, Mode::empty())?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        for entry in Dir::read_from(&opened)? {
            let entry = entry?;
            if ![c".", c".."].contains(&entry.file_name()) {
                hand_over(opened.as_fd(), entry.file_name(), owner)?;
            }
        }
    }
    fsync(&opened)
}

/// Puts what was prepared in its place.
pub(in crate::agent) async fn switch(
    host: &Arc<Host>,
    mut request: SwitchMemberRequest,
) -> Result<SwitchMemberReply, Fault> {
    let claim = request.claim.take();
    let data = HostPath::parse(&request.data_dir)?;
    let deed = Deed::new(format!("put {data}{PREPARED} in its place"), &request);
    host.change_files(claim, deed, move |root| take_place(root, &request)).await
}

fn take_place(root: &Root, request: &SwitchMemberRequest) -> Result<SwitchMemberReply, Fault> {
    let data = HostPath::parse(&request.data_dir)?;
    let is_done = has_mark(root, &data, &request.mark)?;
    if !is_done && !has_mark(root, &with_end(&data, PREPARED)?, &request.mark)? {
        return Err(Fault::Refused(format!("{data}{PREPARED} was not prepared as a whole")));
    }
    let mut reply = SwitchMemberReply::default();
    for path in directories(&request.data_dir, &request.wal_dir)? {
        let (place, prepared) = (root.place(&path)?, root.place(&with_end(&path, PREPARED)?)?);
        let rename = || renameat(prepared.parent(), prepared.name(), place.parent(), place.name());
        let renamed = match rename() {
            // An empty directory is replaced; one with data is kept.
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                let (_, aside) = move_aside(&place, &request.label)?;
                reply.aside = aside.map(|it| it.bytes().to_vec().into()).unwrap_or_default();
                rename()
            }
            renamed => renamed,
        };
        match renamed {
            Ok(()) => reply.changed = true,
            // An earlier call has done it.
            Err(Errno::NOENT) => {}
            Err(error) => return Err(place.failed("put what was prepared in the place of")(error)),
        }
        fsync(place.parent()).map_err(place.failed("make durable the move of"))?;
    }
    Ok(reply)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn make(folder: &Path, files: &[&str]) {
        for file in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "m").unwrap();
        }
    }

    fn switch(folder: &Path) -> Result<SwitchMemberReply, String> {
        let request = SwitchMemberRequest {
            claim: None,
            data_dir: Bytes::from_static(b"/data"),
            wal_dir: Bytes::from_static(b"/log"),
            label: "1".to_owned(),
            mark: "m".to_owned(),
        };
        let done = take_place(&Root::open(Some(folder)).unwrap(), &request);
        done.map_err(|it| tonic::Status::from(it).message().to_owned())
    }

    const PREPARED_FILES: [&str; 2] = ["data.restore/member/ha-restored", "log.restore/0.wal"];

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_prepared_takes_the_place_and_what_was_there_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        make(folder, &["data/member/old", "log/old.wal"]);
        let why = "/data.restore was not prepared as a whole";
        assert_eq!(switch(folder).unwrap_err(), why);
        make(folder, &["log.restore/0.wal", "data.restore/member/other"]);
        assert_eq!(switch(folder).unwrap_err(), why);
        assert_eq!(names(folder), ["data", "data.restore", "log", "log.restore"]);
        make(folder, &PREPARED_FILES);
        let reply = switch(folder).unwrap();
        assert_eq!((reply.changed, &reply.aside[..]), (true, &b"/data.aside-1"[..]));
        assert_eq!(names(folder), ["data", "data.aside-1", "log", "log.aside-1"]);
        assert!(folder.join("data/member/ha-restored").exists());
        assert!(folder.join("data.aside-1/member/old").exists());
        assert!(folder.join("log/0.wal").exists());
        assert!(!switch(folder).unwrap().changed);
        assert_eq!(names(folder), ["data", "data.aside-1", "log", "log.aside-1"]);
    }

    /// Wherever the agent was ended, the next call goes on from there.
    #[test]
    fn a_switch_that_was_cut_off_goes_on() {
        let steps: [fn(&Path); 4] = [
            |it| fs::rename(it.join("log"), it.join("log.aside-1")).unwrap(),
            |it| fs::rename(it.join("log.restore"), it.join("log")).unwrap(),
            |it| fs::rename(it.join("data"), it.join("data.aside-1")).unwrap(),
            |it| fs::rename(it.join("data.restore"), it.join("data")).unwrap(),
        ];
        for count in 0..=steps.len() {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path();
            make(folder, &["data/member/old", "log/old.wal"]);
            make(folder, &PREPARED_FILES);
            steps[..count].iter().for_each(|it| it(folder));
            switch(folder).unwrap();
            assert_eq!(names(folder), ["data", "data.aside-1", "log", "log.aside-1"], "{count}");
            assert!(
                folder.join("log/0.wal").exists() && folder.join("log.aside-1/old.wal").exists()
            );
            assert!(folder.join("data/member/ha-restored").exists());
        }
    }

    #[test]
    fn a_log_below_the_data_goes_with_it() {
        let paths = |data: &'static str, log: &'static str| {
            let all = directories(
                &Bytes::from_static(data.as_bytes()),
                &Bytes::from_static(log.as_bytes()),
            );
            all.unwrap().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(paths("/data", ""), ["/data"]);
        assert_eq!(paths("/data", "/log"), ["/log", "/data"]);
        assert_eq!(paths("/data", "/database"), ["/database", "/data"]);
        assert_eq!(paths("/data", "/data/log"), ["/data"]);
        let root = Root::open(None).unwrap();
        let request = PrepareMemberRequest {
            data_dir: Bytes::from_static(b"/data"),
            wal_dir: Bytes::from_static(b"/data/log"),
            snapshot: Bytes::from_static(b"/it.db"),
            bump: 7,
            ..PrepareMemberRequest::default()
        };
        let arguments = command(&root, &request).unwrap().arguments;
        assert!(arguments.contains(&Bytes::from_static(b"--wal-dir=/data.restore/log")));
        assert!(arguments.contains(&Bytes::from_static(b"--bump-revision=7")));
    }

    #[test]
    fn an_empty_directory_is_nothing_to_keep() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        make(folder, &PREPARED_FILES);
        fs::create_dir(folder.join("data")).unwrap();
        assert_eq!(switch(folder).unwrap().aside, Bytes::new());
        assert_eq!(names(folder), ["data", "log"]);
    }
}
