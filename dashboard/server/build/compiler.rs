//! Finds a compiler for the browser and runs it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::Result;

const TARGET: &str = "wasm32-unknown-unknown";
const MISSING: &str = "no compiler for wasm32-unknown-unknown: run `rustup target add wasm32-unknown-unknown`, \
    or on Debian `apt-get install rustc-web rust-web-src lld-22`";

enum Compiler {
    /// The one that builds the server, with the target's standard library installed.
    Installed,
    /// Debian's: it has the standard library as source.
    BuildStd { linker: PathBuf },
}

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Compiles a package of the workspace with profile `wasm` and answers the module.
pub fn compile(workspace: &Path, package: &str) -> Result<PathBuf> {
    let compiler = find()?;
    let mut cargo = match &compiler {
        Compiler::Installed => Command::new(env::var_os("CARGO").unwrap_or("cargo".into())),
        Compiler::BuildStd { .. } => Command::new(DEBIAN_CARGO),
    };
    clean_environment(&mut cargo);
    // A target folder of its own: the one of the server's build is locked by it.
    let target = workspace.join("target/web");
    cargo
        .current_dir(workspace)
        .args(["build", "--profile", "wasm", "--target", TARGET, "-p", package])
        .arg("--target-dir")
        .arg(&target);
    if let Compiler::BuildStd { linker } = &compiler {
        cargo
            .args(["-Z", "build-std=std,panic_abort"])
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTC", DEBIAN_RUSTC)
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    let output = cargo.output()?;
    if !output.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        return Err(format!("compiling {package} for {TARGET} failed, see above").into());
    }
    Ok(target.join(TARGET).join("wasm").join(format!("{package}.wasm")))
}

fn find() -> Result<Compiler> {
    let rustc = env::var_os("RUSTC").unwrap_or("rustc".into());
    let installed =
        Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output().is_ok_and(|output| {
            output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
        });
    if installed {
        return Ok(Compiler::Installed);
    }
    build_std().ok_or_else(|| MISSING.into())
}

fn build_std() -> Option<Compiler> {
    let output = Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"]).output().ok()?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let has_source = sysroot.join("lib/rustlib/src/rust/library/std").is_dir();
    let linker = fs::read_dir("/usr/bin")
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("wasm-ld")))
        .max()?;
    (has_source && Path::new(DEBIAN_CARGO).is_file()).then_some(Compiler::BuildStd { linker })
}

/// A build script's environment describes the build of the server; only what says where cargo lives is kept.
fn clean_environment(cargo: &mut Command) {
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        let kept = ["CARGO_HOME", "CARGO_NET_OFFLINE", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"].contains(&name.as_ref())
            || name.starts_with("CARGO_HTTP")
            || name.starts_with("CARGO_REGISTR");
        let ours = name.starts_with("CARGO")
            || name.starts_with("RUST")
            || ["TARGET", "HOST", "OPT_LEVEL", "PROFILE", "DEBUG", "OUT_DIR", "NUM_JOBS", "MAKEFLAGS"]
                .contains(&name.as_ref());
        if ours && !kept {
            cargo.env_remove(name.as_ref());
        }
    }
}
