//! Runs the script on a channel, gives sudo its password and the host its agent, until the agent speaks.

use std::future::{Future, pending};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::timeout;

use super::fault::Fault;
use super::script::{self, Rise, Word};
use super::session::Session;
use super::stdio::{Said, Stdio, Tail};
use crate::host::Binaries;
use crate::host::hello::{Lines, Nonce};

/// From the start of the login shell to the first word of the script. sudo alone waits for 20 s on a host that cannot
/// resolve its own name.
const FIRST_WORD: Duration = Duration::from_secs(30);
/// From there to the agent. A few megabytes over any line that is worth to be called one, and a disk that syncs them.
const PLACED: Duration = Duration::from_mins(5);
/// How long a script that gives up may take to say why.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// What is on its way to the host meanwhile.
type Sending = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The exchange with the script.
struct Talk {
    read: ChannelReadHalf,
    write: Arc<ChannelWriteHalf<Msg>>,
    lines: Lines,
    said: Said,
    /// What came on stdout before the script did.
    noise: Tail,
    /// The login shell is past.
    is_in: bool,
    prompt: String,
    /// How much of stderr was looked at for the prompt.
    asked: usize,
}

/// Something that the other end did.
enum Event {
    Word(Word),
    /// sudo asks for the password.
    Prompt,
    Refused,
    /// The command has ended.
    End,
    /// The session has.
    Lost,
}

/// Starts the agent, as root.
pub(super) async fn start(
    session: Session,
    user: &str,
    password: Option<&SecretString>,
    agents: &Binaries,
) -> Result<Stdio, Fault> {
    let nonce = Nonce::new().ok_or(Fault::NoRandomness)?;
    let rise = match password {
        _ if user == "root" => Rise::Root,
        None => Rise::Sudo,
        Some(_) => Rise::SudoAsks,
    };
    let mut talk = Talk::begin(&session, &nonce, &script::command(rise, &nonce, agents)).await?;
    let begun = timeout(FIRST_WORD, talk.until_here(&session, password)).await;
    match begun {
        Ok(begun) => begun?,
        Err(_) => return Err(talk.mute()),
    }
    let placed = timeout(PLACED, talk.until_hello(&session, agents)).await;
    match placed {
        Ok(placed) => placed?,
        Err(_) => return Err(Fault::PlaceSlow { limit: PLACED, text: talk.text() }),
    }
    let Talk { read, write, lines, said, .. } = talk;
    Ok(Stdio::new(session, read, &write, lines.rest(), said))
}

impl Talk {
    async fn begin(session: &Session, nonce: &Nonce, command: &str) -> Result<Self, Fault> {
        let opened = timeout(FIRST_WORD, session.handle.channel_open_session()).await;
        let channel = match opened {
            Ok(Err(russh::Error::ChannelOpenFailure(_))) => return Err(Fault::NoExec),
            Ok(opened) => opened?,
            Err(_) => return Err(Fault::Mute { limit: FIRST_WORD, text: String::new() }),
        };
        channel.exec(true, command).await?;
        let (read, write) = channel.split();
        let prompt = script::prompt(nonce);
        let (write, lines) = (Arc::new(write), Lines::new(nonce));
        let (said, noise) = (Said::default(), Tail::default());
        Ok(Self { read, write, lines, said, noise, is_in: false, prompt, asked: 0 })
    }

    /// Past the login shell and sudo.
    async fn until_here(
        &mut self,
        session: &Session,
        password: Option<&SecretString>,
    ) -> Result<(), Fault> {
        // A second prompt means that the first answer was wrong.
        let mut password = password;
        loop {
            match self.next().await? {
                Event::Word(Word::Here) => return Ok(()),
                Event::Word(Word::Login) => self.is_in = true,
                Event::Word(_) => (),
                Event::Refused => return Err(Fault::NoExec),
                Event::Prompt => {
                    let password = password.take().ok_or(Fault::SudoPassword)?;
                    let line = format!("{}\n", password.expose_secret());
                    self.write.data_bytes(line).await?;
                }
                Event::End => {
                    let status = self.said.status();
                    if self.is_in {
                        return Err(Fault::Sudo { status, text: self.text() });
                    }
                    let text = [self.noise.text(), self.text()].concat();
                    return Err(Fault::Shell { status, text });
                }
                Event::Lost => return Err(self.lost(session)),
            }
        }
    }

    /// Past the script.
    async fn until_hello(&mut self, session: &Session, agents: &Binaries) -> Result<(), Fault> {
        let mut sending: Sending = Box::pin(pending());
        loop {
            let event = tokio::select! {
                event = self.next() => event?,
                () = &mut sending => {
                    sending = Box::pin(pending());
                    continue;
                }
            };
            match event {
                Event::Word(Word::Hello) => return Ok(()),
                Event::Word(Word::Need(machine)) => {
                    let content = content(agents, machine).await?;
                    let write = Arc::clone(&self.write);
                    // Whether it arrived is for the script to say.
                    sending = Box::pin(async move { drop(write.data_bytes(content).await) });
                }
                Event::Word(Word::Machine(machine)) => return Err(Fault::Machine { machine }),
                Event::Word(Word::Failed(what)) => {
                    let _ = timeout(LAST_WORDS, self.listen_on()).await;
                    return Err(Fault::Place { what, text: self.text() });
                }
                Event::Word(Word::Login | Word::Here) | Event::Prompt | Event::Refused => (),
                Event::End => {
                    return Err(Fault::Ended { status: self.said.status(), text: self.text() });
                }
                Event::Lost => return Err(self.lost(session)),
            }
        }
    }

    fn lost(&self, session: &Session) -> Fault {
        Fault::Lost { cause: session.seen.cause(), text: self.text() }
    }

    async fn listen_on(&mut self) {
        while !matches!(self.next().await, Ok(Event::End | Event::Lost) | Err(_)) {}
    }

    /// The next thing that happens. Nothing is lost when this is given up halfway.
    async fn next(&mut self) -> Result<Event, Fault> {
        loop {
            while let Some(line) = self.lines.line()? {
                if let Some(word) = script::word(&line) {
                    return Ok(Event::Word(word));
                }
            }
            match self.read.wait().await {
                Some(ChannelMsg::Data { data }) => {
                    if !self.is_in {
                        self.noise.push(&data);
                    }
                    self.lines.hear(&data);
                }
                Some(ChannelMsg::Failure) => return Ok(Event::Refused),
                None => return Ok(Event::Lost),
                Some(ChannelMsg::Close) => return Ok(Event::End),
                Some(message) => {
                    self.said.note(&message);
                    if self.is_asked() {
                        return Ok(Event::Prompt);
                    }
                }
            }
        }
    }

    /// Whether stderr stands at a new prompt. A shell that traces its commands shows the prompt in the middle of a line.
    fn is_asked(&mut self) -> bool {
        let total = self.said.stderr().total();
        let is_new = self.asked < total && self.said.stderr().ends_with(self.prompt.as_bytes());
        if is_new {
            self.asked = total;
        }
        is_new
    }

    /// What was said on stderr, without our prompts.
    fn text(&self) -> String {
        self.said.stderr().text().replace(&self.prompt, "")
    }

    /// Nothing came in time.
    fn mute(&self) -> Fault {
        let (limit, text) = (FIRST_WORD, self.text());
        if self.is_in { Fault::SudoMute { limit, text } } else { Fault::Mute { limit, text } }
    }
}

/// The agent for a machine.
async fn content(agents: &Binaries, machine: String) -> Result<Bytes, Fault> {
    let Some(agent) = agents.of(&machine) else { return Err(Fault::Machine { machine }) };
    let unreadable = |source| Fault::Binary { path: PathBuf::from(&agent.path), source };
    Ok(tokio::fs::read(&agent.path).await.map_err(unreadable)?.into())
}
