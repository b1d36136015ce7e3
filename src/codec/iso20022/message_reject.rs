//! `admi.002.001.01`, the message reject: what you sent was not accepted, and why. Nothing was done with it.

use super::refusal::Refusal;
use super::sink::Sink;
use super::source::Source;
use crate::base::clock::Instant;
use crate::base::text::Line;

/// A message sent back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageReject {
    /// The identifier of the refused message, as far as it could be read.
    pub refused: Line<35>,
    /// A stable code.
    pub code: Line<35>,
    /// When it was refused.
    pub at: Instant,
    /// The reason in words.
    pub description: Option<Line<350>>,
}

impl MessageReject {
    pub(super) const DEFINITION: &'static str = "admi.002.001.01";

    pub(super) fn write(&self, sink: &mut Sink) {
        sink.within(Self::DEFINITION, |s| {
            s.within("RltdRef", |s| s.text("Ref", &self.refused));
            s.within("Rsn", |s| {
                s.text("RjctgPtyRsn", &self.code);
                s.instant("RjctnDtTm", self.at);
                s.text_if("RsnDesc", self.description.as_ref());
            });
        });
    }

    pub(super) fn read(source: &mut Source<'_>) -> Result<Self, Refusal> {
        source.within(Self::DEFINITION, |s| {
            let refused = s.within("RltdRef", |s| s.line("Ref"))?;
            s.within("Rsn", |s| {
                let code = s.line("RjctgPtyRsn")?;
                let at = s.instant("RjctnDtTm")?;
                s.skip(&["ErrLctn"])?;
                let description = s.remark_if("RsnDesc")?;
                s.skip(&["AddtlData"])?;
                Ok(Self { refused, code, at, description })
            })
        })
    }
}
