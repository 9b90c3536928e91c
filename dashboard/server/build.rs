//! Compiles dashboard/app for the browser and packs it, so that one `cargo build` makes the whole server.
//!
//! `BUGBROTHER_SKIP_APP=1` leaves the app out, for lints and quick tests.

#[path = "build/compiler.rs"]
mod compiler;
#[path = "build/npm.rs"]
mod npm;
#[path = "build/page.rs"]
mod page;
#[path = "build/table.rs"]
mod table;

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What the app is made of, below dashboard/app.
const SOURCES: [&str; 12] = [
    "Cargo.toml",
    "package.json",
    "package-lock.json",
    "geodata.mjs",
    "icon.svg",
    "icon-maskable.svg",
    "index.html",
    "start.js",
    "worker.js",
    "manifest.json",
    "src",
    "style",
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error=the web app cannot be built: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let variable = |name| env::var_os(name).ok_or_else(|| format!("{name} is not set"));
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let app = here.join("../app").canonicalize()?;
    let workspace = app.join("../..").canonicalize()?;

    println!("cargo::rerun-if-env-changed=BUGBROTHER_SKIP_APP");
    let watched = SOURCES.map(|name| app.join(name)).into_iter();
    let watched = watched.chain(["build.rs", "build"].map(|name| here.join(name)));
    let watched = watched.chain(["Cargo.lock", "crates/wire/src"].map(|name| workspace.join(name)));
    for path in watched {
        println!("cargo::rerun-if-changed={}", path.display());
    }

    let site = out.join("site");
    clear(&site)?;
    if env::var_os("BUGBROTHER_SKIP_APP").is_some_and(|value| value != "0" && !value.is_empty()) {
        fs::write(site.join("index.html"), page::LEFT_OUT)?;
        return table::write(&site, &out);
    }
    npm::install(&app)?;
    let wasm = compiler::compile(&workspace, "bugbrother-app")?;
    let code = bind(&wasm, &out)?;
    let geodata = npm::geodata(&app, &out)?;
    page::lay_out(&app, &code, &geodata, &site)?;
    table::write(&site, &out)
}

/// Runs wasm-bindgen, when the module is another than the last time; answers the folder with its output.
fn bind(wasm: &Path, out: &Path) -> Result<PathBuf> {
    let bytes = fs::read(wasm)?;
    let dir = out.join(format!("bindgen-{}", table::hash(&bytes)));
    if !dir.join("done").exists() {
        clear(&dir)?;
        wasm_bindgen_cli_support::Bindgen::new()
            .input_path(wasm)
            .out_name("app")
            .web(true)?
            .typescript(false)
            .remove_name_section(true)
            .remove_producers_section(true)
            .generate(&dir)?;
        fs::write(dir.join("done"), "")?;
    }
    Ok(dir)
}

/// An empty folder.
fn clear(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    Ok(fs::create_dir_all(dir)?)
}
