//! The outside world as a program: a central bank with member banks, an SMS inbox, a demo portal. It speaks to the
//! service over HTTP only.
