//! What an officer may do at an agency, and which roles one person may not hold together.

use std::str::FromStr;

/// A role at one agency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Works on dossiers and asks about citizens.
    Officer,
    /// Takes payments at the counter.
    Cashier,
    /// Keeps the books and settles differences.
    Accountant,
    /// Approves what another prepared.
    Approver,
    /// Reads everything and changes nothing.
    Auditor,
    /// Registers clients and grants roles.
    Administrator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] =
        [Self::Officer, Self::Cashier, Self::Accountant, Self::Approver, Self::Auditor, Self::Administrator];

    /// Its word in rows and on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Officer => "officer",
            Self::Cashier => "cashier",
            Self::Accountant => "accountant",
            Self::Approver => "approver",
            Self::Auditor => "auditor",
            Self::Administrator => "administrator",
        }
    }

    /// Whether one person may not hold both at one agency: whoever takes money neither books nor approves it.
    pub fn excludes(self, other: Self) -> bool {
        let cashier = |a, b| a == Self::Cashier && matches!(b, Self::Accountant | Self::Approver);
        cashier(self, other) || cashier(other, self)
    }
}

/// A text that names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is officer, cashier, accountant, approver, auditor or administrator")]
pub struct NotARole;

impl FromStr for Role {
    type Err = NotARole;

    fn from_str(s: &str) -> Result<Self, NotARole> {
        Self::ALL.into_iter().find(|role| role.word() == s).ok_or(NotARole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cashier_neither_books_nor_approves() {
        for one in Role::ALL {
            assert_eq!(one.word().parse(), Ok(one));
            for other in Role::ALL {
                assert_eq!(one.excludes(other), other.excludes(one));
                let apart = one.excludes(other);
                assert!(!apart || one == Role::Cashier || other == Role::Cashier);
            }
        }
        assert!(Role::Cashier.excludes(Role::Accountant) && Role::Cashier.excludes(Role::Approver));
        assert!(!Role::Cashier.excludes(Role::Officer) && !Role::Accountant.excludes(Role::Approver));
    }
}
