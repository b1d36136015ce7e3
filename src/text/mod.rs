//! Every Vietnamese and English text (`.ftl`) and its loader; pages, messages, receipts and refusals draw on it.
