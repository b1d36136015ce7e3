//! The pages that people see; each template lives beside its page.

pub mod assets;
pub mod board;
pub mod board_case;
pub mod checkout;
pub mod consent;
pub mod desk_card;
pub mod me;
pub mod me_locks;
pub mod page;
pub mod receipts;
pub mod sign_in;
