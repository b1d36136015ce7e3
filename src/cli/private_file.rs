//! Files that hold secrets: readable by their owner alone, and whole or not there at all, whenever the machine stops.

use anyhow::Context;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Writes a file where there is none; one that is there stays as it is and is an error.
pub fn create(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let unfinished = unfinished(path, bytes)?;
    let linked = fs::hard_link(&unfinished, path);
    fs::remove_file(&unfinished).with_context(|| format!("cannot tidy up {}", unfinished.display()))?;
    linked.with_context(|| format!("cannot create {}", path.display()))
}

/// Writes a file in the place of what was there.
pub fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let unfinished = unfinished(path, bytes)?;
    fs::rename(&unfinished, path).with_context(|| format!("cannot write {}", path.display()))
}

/// The file's bytes; the first time, those that `make` gives are written and kept.
pub fn kept(path: &Path, make: impl FnOnce() -> Vec<u8>) -> anyhow::Result<Vec<u8>> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = make();
            create(path, &made)?;
            Ok(made)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The bytes on the disk beside `path`, in a file that only its owner can read.
fn unfinished(path: &Path, bytes: &[u8]) -> anyhow::Result<PathBuf> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let unfinished = PathBuf::from(name);
    let told = || format!("cannot write {}", unfinished.display());
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).with_context(told),
        Ok(()) | Err(_) => {}
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished).with_context(told)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(told)?;
    Ok(unfinished)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_private_file_is_created_once_and_replaced_whole() {
        let folder = std::env::temp_dir().join(format!("chung-private-{}", std::process::id()));
        let path = folder.join("inner").join("secret");
        create(&path, b"one").unwrap();
        assert!(create(&path, b"two").is_err());
        assert_eq!(kept(&path, || b"three".to_vec()).unwrap(), b"one");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(folder.join("inner").join("secret.new"), "what a crash left").unwrap();
        replace(&path, b"four").unwrap();
        assert_eq!(kept(&path, Vec::new).unwrap(), b"four");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }
}
