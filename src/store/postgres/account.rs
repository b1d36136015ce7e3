//! The account under which the server runs: PostgreSQL refuses root, so root lends it an unprivileged one.

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// An unprivileged account of this machine.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its name, for messages.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
}

impl Account {
    /// The account to become, when we are root: `postgres` if the machine has one, else `nobody`.
    pub fn unprivileged() -> Option<Self> {
        if effective_uid() != Some(0) {
            return None;
        }
        let passwd = fs::read_to_string("/etc/passwd").ok()?;
        ["postgres", "nobody"].iter().find_map(|name| Self::from_passwd(&passwd, name))
    }

    fn from_passwd(passwd: &str, name: &str) -> Option<Self> {
        let fields: Vec<&str> = passwd
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|f| f.first() == Some(&name))?;
        let number = |i: usize| fields.get(i).and_then(|n| n.parse().ok());
        Some(Self { name: name.to_owned(), uid: number(2)?, gid: number(3)? })
    }

    /// Whether the account can enter the folder: asked of the system, which knows every rule about it.
    pub fn can_enter(&self, folder: &Path) -> bool {
        let mut probe = Command::new("/bin/sh");
        probe.args(["-c", "cd \"$1\"", "sh"]).arg(folder).current_dir("/").gid(self.gid).uid(self.uid);
        probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    }

    /// Makes the account the owner of a folder.
    pub fn own(&self, folder: &Path) -> io::Result<()> {
        chown(folder, Some(self.uid), Some(self.gid))
    }
}

/// Who we are to the operating system.
pub fn effective_uid() -> Option<u32> {
    let output = Command::new("id").arg("-u").output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_account_file() {
        let passwd = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65533:n:/:/bin/false\nodd\n";
        let nobody = Account::from_passwd(passwd, "nobody").unwrap();
        assert_eq!((nobody.uid, nobody.gid), (65534, 65533));
        assert!(Account::from_passwd(passwd, "postgres").is_none());
        assert!(Account::from_passwd(passwd, "odd").is_none());
    }
}
