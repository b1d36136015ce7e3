//! The pages that people see; each template lives beside its page.

pub mod assets;
pub mod board;
pub mod board_books;
pub mod board_case;
pub mod checkout;
pub mod consent;
pub mod desk_card;
pub mod desk_mandates;
pub mod desk_requests;
pub mod mandate_form;
pub mod me;
pub mod me_erasure;
pub mod me_locks;
pub mod me_mandates;
pub mod me_requests;
pub mod me_sharing;
pub mod page;
pub mod receipts;
pub mod sign_in;
pub mod sign_in_for;
pub mod sign_in_national_id;
pub mod sign_in_passkey;
pub mod slips;
pub mod way_contact;
pub mod way_enrol;
pub mod ways;
