//! What an engine takes for nothing, which is not ours.

use std::fs;
use std::thread;

use crate::directory::Directory;
use crate::engine::Engine;
use crate::report::Result;
use crate::turns::{Aim, Row, timed, turns};

/// A configuration that is nothing but the work of the engine.
const NOTHING: &str = "resource \"terraform_data\" \"this\" {\n  input = \"x\"\n}\n";

/// How often a plan is made.
pub(crate) const PLANS: usize = 15;

/// Where nothing but the engine works.
pub(crate) fn idle() -> Result<Directory> {
    let on = Directory::with_ha(Engine::Terraform);
    fs::write(on.path("main.tf"), NOTHING)?;
    Ok(on)
}

#[expect(clippy::unnecessary_wraps, reason = "one of several ways to do it, and others fail")]
pub(crate) fn apply(on: &Directory) -> Result<()> {
    on.apply();
    Ok(())
}

/// An apply of nothing, in milliseconds.
pub(crate) fn apply_of_nothing() -> Result<f64> {
    let on = idle()?;
    timed(|| apply(&on))
}

pub(crate) fn less(ours: &[f64], engine: &[f64]) -> Vec<f64> {
    ours.iter().zip(engine).map(|(ours, engine)| ours - engine).collect()
}

/// A plan of what is as planned, less one of nothing.
pub(crate) fn plans(what: &'static str, aim: Aim, plan: impl Fn()) -> Result<Row> {
    let nothing = idle()?;
    nothing.apply();
    let once = |plan: &dyn Fn()| {
        timed(|| {
            plan();
            Ok(())
        })
    };
    let idle = || nothing.plan_is_empty();
    let [ours, engine] = turns(PLANS, [&mut || once(&plan), &mut || once(&idle)])?;
    Ok(Row::ms(what, aim, less(&ours, &engine), Vec::new()))
}

/// What measured it, and on what.
pub(crate) fn machine() -> Result<String> {
    let version = Engine::Terraform.command().arg("version").output()?.stdout;
    let version = String::from_utf8(version)?;
    let version = version.lines().next().unwrap_or_default();
    let cores = thread::available_parallelism()?;
    Ok(format!("{version}, {cores} cores, {}", std::env::consts::ARCH))
}
