//! JavaScript libraries and map data, from the lock file beside the app.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Result, clear, table::hash};

const COMMAND: &str = "npm ci --ignore-scripts --no-audit --no-fund";

/// Fetches the packages, when they are not there or the lock file is another than the last time.
pub fn install(app: &Path) -> Result<()> {
    let lock = hash(&fs::read(app.join("package-lock.json"))?);
    let stamp = app.join("node_modules/.installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let mut words = COMMAND.split(' ');
    let output = Command::new(words.next().unwrap_or_default())
        .args(words)
        .current_dir(app)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("npm cannot be run ({error}): on Debian run `apt-get install nodejs npm`"))?;
    if !output.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        return Err(format!("`{COMMAND}` failed in {}, see above", app.display()).into());
    }
    Ok(fs::write(stamp, lock)?)
}

/// Packs the map data, when the recipe or its sources have changed; answers the folder.
pub fn geodata(app: &Path, out: &Path) -> Result<PathBuf> {
    let mut recipe = fs::read(app.join("geodata.mjs"))?;
    recipe.extend(fs::read(app.join("package-lock.json"))?);
    let dir = out.join(format!("geodata-{}", hash(&recipe)));
    if !dir.join("done").exists() {
        clear(&dir)?;
        let output = Command::new("node")
            .arg("geodata.mjs")
            .arg(&dir)
            .current_dir(app)
            .output()
            .map_err(|error| format!("node cannot be run ({error}): on Debian run `apt-get install nodejs`"))?;
        if !output.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&output.stderr));
            return Err("packing the map data failed, see above".into());
        }
        fs::write(dir.join("done"), "")?;
    }
    Ok(dir)
}
