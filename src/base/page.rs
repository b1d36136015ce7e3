//! Lists are read a page at a time, after a cursor that names the last row seen.

/// The most rows that one page holds.
pub const LIMIT_MAX: u32 = 200;
/// The rows of a page when the caller names no number.
pub const LIMIT_DEFAULT: u32 = 50;

/// Which part of a list is wanted: at most `limit` rows after `after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest<C> {
    /// The last item of the page before; `None` for the first page.
    pub after: Option<C>,
    limit: u32,
}

impl<C> PageRequest<C> {
    /// A page of `limit` rows; `None` when the number is zero or above [`LIMIT_MAX`].
    pub fn new(after: Option<C>, limit: Option<u32>) -> Option<Self> {
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        (1..=LIMIT_MAX).contains(&limit).then_some(Self { after, limit })
    }

    /// How many rows to show.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// How many rows to read: one more than shown tells whether there is a next page.
    pub fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, in order.
    pub items: Vec<T>,
    /// Whether more rows follow the last one.
    pub more: bool,
}

impl<T> Page<T> {
    /// Makes a page of the rows read by [`PageRequest::fetch`].
    pub fn from_rows<C>(mut rows: Vec<T>, request: &PageRequest<C>) -> Self {
        let limit = request.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        Self { items: rows, more }
    }
}
