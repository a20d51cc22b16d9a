//! Files of a host in memory.

use tonic::Status;

use super::state::{Entry, State};
use crate::proto::agent::MoveAsideReply;

impl State {
    /// Whether it was another.
    pub(super) fn put(&mut self, path: String, content: &[u8], mode: u32) -> bool {
        let entry = Entry { content: content.to_vec(), mode, is_directory: false };
        let before = self.files.insert(path, entry);
        before.is_none_or(|it| it.content != content || it.mode != mode)
    }

    pub(super) fn make_directory(&mut self, path: String, mode: u32) -> bool {
        let entry = Entry { content: Vec::new(), mode, is_directory: true };
        self.files.insert(path, entry).is_none_or(|it| it.mode != mode)
    }

    pub(super) fn remove(&mut self, path: &str, tree: bool) -> Result<bool, Status> {
        let below = format!("{path}/");
        if !tree && self.files.keys().any(|it| it.starts_with(&below)) {
            return Err(Status::failed_precondition(format!("{path} is not empty")));
        }
        let before = self.files.len();
        self.files.retain(|it, _| it != path && !it.starts_with(&below));
        Ok(self.files.len() < before)
    }

    /// Whether there was something.
    pub(super) fn rename(&mut self, path: &str, goal: &str) -> bool {
        let below = format!("{path}/");
        let all = self.files.keys().cloned();
        let moved: Vec<_> = all.filter(|it| it == path || it.starts_with(&below)).collect();
        for name in &moved {
            if let Some(entry) = self.files.remove(name) {
                self.files.insert(format!("{goal}{}", &name[path.len()..]), entry);
            }
        }
        !moved.is_empty()
    }

    pub(super) fn move_aside(&mut self, path: &str, label: &str) -> MoveAsideReply {
        let goal = format!("{path}.aside-{label}");
        let changed = self.rename(path, &goal);
        let is_there = changed || self.files.contains_key(&goal);
        let path = if is_there { goal } else { String::new() };
        MoveAsideReply { changed, path: path.into() }
    }
}

/// As a line of the transcript has it.
pub(super) fn owner(user: &str, group: &str) -> String {
    if user.is_empty() && group.is_empty() { String::new() } else { format!(" {user}:{group}") }
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
