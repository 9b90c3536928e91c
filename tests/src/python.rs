//! The Python of `scripts/python`, with what `docs/examples/requirements.txt` names.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

/// Its interpreter.
pub fn interpreter() -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/python");
    ensure!(path.exists(), "`{}` is not there; run scripts/python (make setup-test does)", path.display());
    Ok(path)
}
