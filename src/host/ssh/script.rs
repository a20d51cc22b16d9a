//! The one command that places the agent where it is not yet, and starts it. Pure.
//!
//! It is made of our own constants, hexadecimal digits and numbers: no text of a user gets into it. It stands in single
//! quotes, as one line without `'`, `!` and `\`, so that every login shell hands it to `sh` as it is, and it uses what
//! POSIX and busybox have, and `sha256sum`.

use std::fmt::Write as _;

use crate::host::Binaries;
use crate::host::hello::Nonce;

/// Agents lie here by the first digits of their digests. Only root writes here.
const DIRECTORY: &str = "/usr/local/lib/ha-agent";
const DIGITS: usize = 16;
/// Agents of other versions are removed this many days after they were placed; who needs one places it again.
const DAYS: u32 = 7;

/// What the script says before the agent speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The login shell is past; sudo comes next.
    Login,
    /// sudo is past as well.
    Here,
    /// The agent is missing: send the one for this machine, as `uname -m` calls it.
    Need(String),
    /// There is none for this machine.
    Machine(String),
    /// The agent cannot be placed.
    Failed(&'static str),
    /// The agent runs; from here on the stream is its own.
    Hello,
}

/// Steps that can fail, by the words for them.
const FAILURES: [(&str, &str); 6] = [
    ("sha256sum", "the program `sha256sum` is missing"),
    ("directory", "its directory in /usr/local/lib cannot be made"),
    ("write", "it cannot be written"),
    ("digest", "its checksum is wrong after the transfer"),
    ("move", "it cannot be put in its place"),
    ("noexec", "/usr/local/lib does not let programs run (mounted with `noexec`?)"),
];

/// How to become root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rise {
    /// We are.
    Root,
    /// By sudo that asks nothing.
    Sudo,
    /// By sudo that may ask for a password, with the nonce as its prompt.
    SudoAsks,
}

/// The command for the login shell.
pub(super) fn command(rise: Rise, nonce: &Nonce, agents: &Binaries) -> String {
    let login = format!("echo ha-agent {} login; exec", nonce.as_str());
    let before = match rise {
        Rise::Root => "exec".to_owned(),
        Rise::Sudo => format!("{login} sudo -n --"),
        Rise::SudoAsks => format!("{login} sudo -S -p '{}' --", prompt(nonce)),
    };
    format!("{before} sh -c '{}'", script(nonce, agents))
}

/// What sudo asks with.
pub(super) fn prompt(nonce: &Nonce) -> String {
    format!("{}:", nonce.as_str())
}

fn script(nonce: &Nonce, agents: &Binaries) -> String {
    let nonce = nonce.as_str();
    let mut machines = String::new();
    for agent in agents.all() {
        let (machine, size, digest) = (agent.machine, agent.size, &agent.digest);
        let short = digest.get(..DIGITS).unwrap_or(digest);
        let _ = write!(machines, "{machine}) d={DIRECTORY}/{short} h={digest} n={size};; ");
    }
    // `true` where a redirection may fail, as the failing one of a special built-in would end the shell.
    // What was interrupted fails by its digest and is removed. The file is synced, since a later start trusts its name.
    [
        "umask 022; ",
        &format!("say() {{ echo \"ha-agent {nonce} $*\"; }}; "),
        "fail() { say fail $1; exit 1; }; ",
        "say here; m=$(uname -m); ",
        &format!("case $m in {machines}*) say machine $m; exit 1;; esac; "),
        &format!("p=$d/ha-agent; t={DIRECTORY}/{nonce}.tmp; "),
        "[ -x $p ] && [ -O $p ] || { ",
        "command -v sha256sum >/dev/null || fail sha256sum; ",
        "mkdir -p $d && true >$t || fail directory; ",
        "trap \"rm -f $t\" EXIT; ",
        "say need $m; ",
        "head -c $n >$t || fail write; ",
        "echo \"$h  $t\" | sha256sum -c >/dev/null || fail digest; ",
        "chmod 0755 $t && { sync $t || sync; } && mv -f $t $p || fail move; ",
        "[ -x $p ] || fail noexec; ",
        &format!("find {DIRECTORY} -mindepth 1 -maxdepth 1 -mtime +{DAYS} -exec rm -rf {{}} + 2>/dev/null; "),
        "}; ",
        &format!("exec $p serve --nonce {nonce}"),
    ]
    .concat()
}

/// Reads what stands behind the nonce. `None`: nothing that the script or the agent says.
pub(super) fn word(line: &str) -> Option<Word> {
    match line.split_once(' ').unwrap_or((line, "")) {
        ("login", "") => Some(Word::Login),
        ("here", "") => Some(Word::Here),
        ("need", machine) => Some(Word::Need(machine.to_owned())),
        ("machine", machine) => Some(Word::Machine(machine.to_owned())),
        ("fail", what) => {
            let found = FAILURES.iter().find(|(word, _)| *word == what);
            found.map(|(_, text)| Word::Failed(text))
        }
        // The agent says the number of its format, which its greeting will say again.
        (format, "") if format.parse::<u32>().is_ok() => Some(Word::Hello),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "runs the script in a shell")]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    fn agents() -> (tempfile::TempDir, Binaries) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("ha-agent_linux_amd64"), "abc").unwrap();
        fs::write(directory.path().join("ha-agent_linux_arm64"), "abcd").unwrap();
        let agents = Binaries::beside(directory.path()).unwrap();
        (directory, agents)
    }

    #[test]
    fn any_login_shell_hands_the_script_on_as_it_is() {
        let (_directory, agents) = agents();
        let script = script(&Nonce::new().unwrap(), &agents);
        assert!(!script.contains(['\'', '!', '\\', '\n']), "{script}");
    }

    #[test]
    fn the_script_is_one_that_a_shell_understands() {
        let (_directory, agents) = agents();
        let nonce = Nonce::new().unwrap();
        for rise in [Rise::Root, Rise::Sudo, Rise::SudoAsks] {
            let command = command(rise, &nonce, &agents);
            for text in [&command, &script(&nonce, &agents)] {
                assert!(Command::new("sh").args(["-n", "-c", text]).status().unwrap().success());
            }
        }
    }

    #[test]
    fn sudo_comes_before_everything_else() {
        let (_directory, agents) = agents();
        let nonce = Nonce::new().unwrap();
        let check = |rise, beginning: &str| {
            let command = command(rise, &nonce, &agents);
            assert!(command.starts_with(beginning), "{command}");
        };
        check(Rise::Root, "exec sh -c 'umask 022; ");
        let login = format!("echo ha-agent {} login; exec", nonce.as_str());
        check(Rise::Sudo, &format!("{login} sudo -n -- sh -c 'umask 022; "));
        let prompt = prompt(&nonce);
        check(Rise::SudoAsks, &format!("{login} sudo -S -p '{prompt}' -- sh -c 'umask 022; "));
    }

    #[test]
    fn the_words_of_the_script_are_understood() {
        let check = |line: &str, expected| assert_eq!(word(line), expected, "{line}");
        check("login", Some(Word::Login));
        check("here", Some(Word::Here));
        check("need x86_64", Some(Word::Need("x86_64".to_owned())));
        check("machine riscv64", Some(Word::Machine("riscv64".to_owned())));
        check("fail digest", Some(Word::Failed(FAILURES[3].1)));
        check("fail what", None);
        check("1", Some(Word::Hello));
        check("1 2", None);
        check("", None);
        // Each word that the script can say has its sentence.
        let (_directory, agents) = agents();
        let script = script(&Nonce::new().unwrap(), &agents);
        let said = script.split("fail ").skip(1).filter_map(|it| it.split([';', ' ']).next());
        for what in said.filter(|it| !it.starts_with('$')) {
            assert!(matches!(word(&format!("fail {what}")), Some(Word::Failed(_))), "{what}");
        }
    }
}
