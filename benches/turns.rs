//! Sides that are measured in turns, so that what else the machine does hits them alike; and the table of it.

use std::fmt::Write as _;
use std::time::Instant;

use crate::report::{Result, median, verdict};

/// One line of the table, with what each round gave. The peer may have nothing like it.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) aim: Aim,
    pub(crate) ours: Vec<f64>,
    pub(crate) peer: Vec<f64>,
}

/// What a figure of ours has to be: so much at most, or so many times the peer's.
#[derive(Clone, Copy)]
pub(crate) enum Aim {
    AtMost(f64),
    TimesPeer(f64),
    /// The one and the other.
    Both(f64, f64),
    None,
}

/// One round of one side: milliseconds.
pub(crate) type Side<'a> = &'a mut dyn FnMut() -> Result<f64>;

/// All sides in turns, after a first round that does not count.
pub(crate) fn turns<const N: usize>(
    rounds: usize,
    mut sides: [Side<'_>; N],
) -> Result<[Vec<f64>; N]> {
    let mut all = [const { Vec::new() }; N];
    for round in 0..=rounds {
        for (side, figures) in sides.iter_mut().zip(&mut all) {
            let took = side()?;
            if 0 < round {
                figures.push(took);
            }
        }
    }
    Ok(all)
}

pub(crate) fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<f64> {
    let begin = Instant::now();
    work()?;
    Ok(begin.elapsed().as_secs_f64() * 1e3)
}

impl Row {
    pub(crate) fn ms(what: &'static str, aim: Aim, ours: Vec<f64>, peer: Vec<f64>) -> Self {
        Self { what, unit: "ms", aim, ours, peer }
    }
}

pub(crate) fn table(peer: &str, rows: &[Row]) -> Result<String> {
    let mut text = format!(
        "| | ours | {peer} | ratio | aim | met |\n| --- | ---: | ---: | ---: | --- | --- |\n"
    );
    for Row { what, unit, aim, ours, peer } in rows {
        let (a, b) = (median(ours.iter().copied()), median(peer.iter().copied()));
        // Where the peer has nothing like it, or none of it.
        let ratio = if b.is_nan() || b == 0.0 { String::new() } else { format!("{:.2}", a / b) };
        let (aim, met) = match *aim {
            Aim::AtMost(most) => (format!("≤ {most} {unit}"), verdict(a <= most)),
            Aim::TimesPeer(times) => (format!("≤ {times:.1}×"), verdict(a / b <= times)),
            Aim::Both(most, times) => {
                (format!("≤ {most} {unit}, ≤ {times:.1}×"), verdict(a <= most && a / b <= times))
            }
            Aim::None => <(String, &str)>::default(),
        };
        let (ours, peer) = (figures(ours, unit), figures(peer, unit));
        writeln!(text, "| {what} | {ours} | {peer} | {ratio} | {aim} | {met} |")?;
    }
    Ok(text)
}

/// The median and, of several, the smallest and the largest.
fn figures(all: &[f64], unit: &str) -> String {
    let figure = |it: f64| format!("{it:.*}", if it < 100.0 { 2 } else { 0 });
    let (least, most) =
        (all.iter().copied().reduce(f64::min), all.iter().copied().reduce(f64::max));
    match (least, most) {
        (Some(least), Some(most)) if 1 < all.len() => {
            let middle = median(all.iter().copied());
            format!("{} {unit} ({}–{})", figure(middle), figure(least), figure(most))
        }
        (Some(only), _) => format!("{} {unit}", figure(only)),
        _ => String::new(),
    }
}

/// How busy the machine is, as the kernel averages it over a minute.
pub(crate) fn load() -> Result<String> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    Ok(load.split(' ').next().unwrap_or_default().to_owned())
}
