//! Reads XML front to back, one expected element at a time, and refuses everything else.
//!
//! ISO 20022 schemas are sequences, so a reader that knows what may come next needs no tree: memory stays flat and
//! an element that is unknown, doubled or out of order is met where something else was due. Names carry no prefix;
//! the only attributes are the namespaces of the outer elements and the currency of amounts.

use super::refusal::Refusal;
use crate::base::calendar::Day;
use crate::base::clock::Instant;
use crate::base::money::{Currency, Money};
use crate::base::text::{Line, NotALine};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::borrow::Cow;
use std::str::FromStr;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

const DEPTH_MAX: usize = 24;

/// What comes next in the message.
enum Next<'a> {
    Open(BytesStart<'a>),
    Close,
    Over,
}

/// A message being read.
pub(super) struct Source<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    next: Option<Next<'a>>,
    /// Where `next` begins.
    at: usize,
    open: Vec<&'static str>,
    /// The sibling read last.
    last: &'static str,
}

impl<'a> Source<'a> {
    /// Takes a message of at most `bytes_max` bytes.
    pub fn new(bytes: &'a [u8], bytes_max: usize) -> Result<Self, Refusal> {
        if bytes.len() > bytes_max {
            return Err(Refusal::TooLarge);
        }
        if bytes.iter().any(|&b| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r')) {
            return Err(Refusal::ControlCharacter);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Refusal::NotUtf8)?;
        if !text.is_ascii() && text.contains(['\u{FFFE}', '\u{FFFF}']) {
            return Err(Refusal::ControlCharacter);
        }
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        Ok(Self { text, reader, next: None, at: 0, open: Vec::with_capacity(16), last: "" })
    }

    /// Enters `name`, which must carry exactly this namespace; returns where the element begins.
    pub fn enter_root(&mut self, name: &'static str, namespace: &str) -> Result<usize, Refusal> {
        let tag = self.take(name)?.ok_or(Refusal::MissingElement(name))?;
        if only_attribute(&tag, "xmlns").as_deref() != Some(namespace) {
            return Err(Refusal::WrongNamespace(name));
        }
        Ok(self.at)
    }

    /// Enters the next child if it is `name`.
    pub fn enter_if(&mut self, name: &'static str) -> Result<bool, Refusal> {
        match self.take(name)? {
            None => Ok(false),
            Some(tag) if tag.attributes_raw().trim().is_empty() => Ok(true),
            Some(_) => Err(Refusal::WrongAttribute(name)),
        }
    }

    /// Enters the next child, which must be `name`.
    pub fn enter(&mut self, name: &'static str) -> Result<(), Refusal> {
        if self.enter_if(name)? { Ok(()) } else { Err(self.unexpected_or(Refusal::MissingElement(name))) }
    }

    /// Leaves the current element, which must hold nothing more.
    pub fn leave(&mut self) -> Result<(), Refusal> {
        self.peek()?;
        if matches!(self.next, Some(Next::Close)) {
            self.next = None;
            self.last = self.open.pop().unwrap_or_default();
            return Ok(());
        }
        Err(self.unexpected_or(Refusal::Malformed))
    }

    /// The bytes of the element that began at `start` and was just left.
    pub fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.position()]
    }

    /// Reads a whole optional or required element by `inside`.
    pub fn within<T>(
        &mut self,
        name: &'static str,
        inside: impl FnOnce(&mut Self) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.enter(name)?;
        let value = inside(self)?;
        self.leave()?;
        Ok(value)
    }

    /// The same for an element that may be absent.
    pub fn within_if<T>(
        &mut self,
        name: &'static str,
        inside: impl FnOnce(&mut Self) -> Result<T, Refusal>,
    ) -> Result<Option<T>, Refusal> {
        if !self.enter_if(name)? {
            return Ok(None);
        }
        let value = inside(self)?;
        self.leave()?;
        Ok(Some(value))
    }

    /// Passes over any number of these elements, whatever they hold: the schema allows them and we do not use them.
    pub fn skip(&mut self, names: &[&'static str]) -> Result<(), Refusal> {
        loop {
            self.peek()?;
            let Some(Next::Open(tag)) = &self.next else { return Ok(()) };
            if !names.iter().any(|name| tag.name().as_ref() == *name) {
                return Ok(());
            }
            let depth = self.open.len();
            self.descend("")?;
            while self.open.len() > depth {
                self.skip_event()?;
            }
        }
    }

    /// Nothing may follow the root element.
    pub fn over(&mut self) -> Result<(), Refusal> {
        self.peek()?;
        match self.next {
            Some(Next::Over) => Ok(()),
            _ => Err(Refusal::Malformed),
        }
    }

    /// The text of the required child `name`, of 1 to `max` characters.
    pub fn text(&mut self, name: &'static str, max: usize) -> Result<Cow<'a, str>, Refusal> {
        self.enter(name)?;
        self.content(name, max)
    }

    /// The text of the child `name`, if it is there.
    pub fn text_if(&mut self, name: &'static str, max: usize) -> Result<Option<Cow<'a, str>>, Refusal> {
        if self.enter_if(name)? { self.content(name, max).map(Some) } else { Ok(None) }
    }

    /// The required child `name`, read as a `T`.
    pub fn value<T: FromStr>(&mut self, name: &'static str, max: usize) -> Result<T, Refusal> {
        self.text(name, max)?.parse().map_err(|_| Refusal::Unreadable(name))
    }

    /// The child `name`, read as a `T`, if it is there.
    pub fn value_if<T: FromStr>(&mut self, name: &'static str, max: usize) -> Result<Option<T>, Refusal> {
        self.text_if(name, max)?.map(|text| text.parse().map_err(|_| Refusal::Unreadable(name))).transpose()
    }

    /// A line that identifies something: it must print as it reads.
    pub fn line<const MAX: usize>(&mut self, name: &'static str) -> Result<Line<MAX>, Refusal> {
        Line::parse(&self.text(name, MAX)?).map_err(|_| Refusal::Unreadable(name))
    }

    /// The same for an element that may be absent.
    pub fn line_if<const MAX: usize>(&mut self, name: &'static str) -> Result<Option<Line<MAX>>, Refusal> {
        let Some(text) = self.text_if(name, MAX)? else { return Ok(None) };
        Line::parse(&text).map(Some).map_err(|_| Refusal::Unreadable(name))
    }

    /// What somebody else wrote and we only show: characters that do not print as they read become blanks, because
    /// money that arrived is not refused for the sake of its remark.
    pub fn remark_if<const MAX: usize>(&mut self, name: &'static str) -> Result<Option<Line<MAX>>, Refusal> {
        let Some(text) = self.text_if(name, MAX)? else { return Ok(None) };
        match Line::cleaned(&text) {
            Ok(line) => Ok(Some(line)),
            Err(NotALine::Empty) => Ok(None),
            Err(NotALine::TooLong(_) | NotALine::Unprintable) => Err(Refusal::TooLong(name)),
        }
    }

    /// An instant; the standard's local times without an offset are refused.
    pub fn instant(&mut self, name: &'static str) -> Result<Instant, Refusal> {
        let text = self.text(name, 40)?;
        read_instant(&text).ok_or(Refusal::Unreadable(name))
    }

    /// An instant that may be absent.
    pub fn instant_if(&mut self, name: &'static str) -> Result<Option<Instant>, Refusal> {
        let Some(text) = self.text_if(name, 40)? else { return Ok(None) };
        read_instant(&text).map(Some).ok_or(Refusal::Unreadable(name))
    }

    /// A day, given as a date or as an instant.
    pub fn day(&mut self, name: &'static str) -> Result<Day, Refusal> {
        self.within(name, |s| match s.value_if("Dt", 10)? {
            Some(day) => Ok(day),
            None => Ok(Day::of(s.instant("DtTm")?)),
        })
    }

    /// An amount with its currency; zero is an amount.
    pub fn amount(&mut self, name: &'static str) -> Result<Money, Refusal> {
        let tag = self.take(name)?;
        let tag = tag.ok_or_else(|| self.unexpected_or(Refusal::MissingElement(name)))?;
        let code = only_attribute(&tag, "Ccy").ok_or(Refusal::WrongAttribute(name))?;
        let text = self.content(name, 40)?;
        let refused = |why| Refusal::Amount { element: name, why };
        Money::parse(&text, code.parse::<Currency>().map_err(refused)?).map_err(refused)
    }

    /// An amount above nothing.
    pub fn positive(&mut self, name: &'static str) -> Result<Money, Refusal> {
        let money = self.amount(name)?;
        if money.is_positive() { Ok(money) } else { Err(Refusal::ZeroAmount(name)) }
    }

    /// Whether the next child is `name`.
    pub fn is_next(&mut self, name: &str) -> Result<bool, Refusal> {
        self.peek()?;
        Ok(matches!(&self.next, Some(Next::Open(tag)) if tag.name().as_ref() == name))
    }

    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    /// Takes the start tag if the next child is `name`, and goes into it.
    fn take(&mut self, name: &'static str) -> Result<Option<BytesStart<'a>>, Refusal> {
        if !self.is_next(name)? {
            return Ok(None);
        }
        match self.descend(name)? {
            Some(Next::Open(tag)) => Ok(Some(tag)),
            _ => Ok(None),
        }
    }

    fn descend(&mut self, name: &'static str) -> Result<Option<Next<'a>>, Refusal> {
        if self.open.len() >= DEPTH_MAX {
            return Err(Refusal::TooDeep);
        }
        self.open.push(name);
        self.last = "";
        Ok(self.next.take())
    }

    /// One step through an element that is passed over.
    fn skip_event(&mut self) -> Result<(), Refusal> {
        match self.event()? {
            Event::Start(tag) => {
                check_name(&tag)?;
                self.open.push("");
                if self.open.len() > DEPTH_MAX { Err(Refusal::TooDeep) } else { Ok(()) }
            }
            Event::End(_) => {
                self.last = self.open.pop().unwrap_or_default();
                Ok(())
            }
            Event::Text(_) => Ok(()),
            Event::GeneralRef(reference) => character(&reference, &mut String::new()),
            Event::Eof => Err(Refusal::Malformed),
            other => Err(forbidden(&other)),
        }
    }

    /// The text up to the end of the element just entered.
    fn content(&mut self, name: &'static str, max: usize) -> Result<Cow<'a, str>, Refusal> {
        let mut content: Cow<'a, str> = Cow::Borrowed("");
        loop {
            match self.event()? {
                Event::Text(text) if content.is_empty() => content = text.into_inner(),
                Event::Text(text) => content.to_mut().push_str(&text.into_inner()),
                Event::GeneralRef(reference) => character(&reference, content.to_mut())?,
                Event::End(_) => break,
                Event::Start(tag) => return Err(Refusal::UnexpectedElement(shown(&tag))),
                Event::Eof => return Err(Refusal::Malformed),
                other => return Err(forbidden(&other)),
            }
        }
        self.last = self.open.pop().unwrap_or_default();
        if content.is_empty() {
            return Err(Refusal::Unreadable(name));
        }
        if content.len() > max && content.chars().count() > max {
            return Err(Refusal::TooLong(name));
        }
        Ok(content)
    }

    /// Looks at the next tag without passing it.
    fn peek(&mut self) -> Result<(), Refusal> {
        while self.next.is_none() {
            self.at = self.position();
            self.next = match self.event()? {
                Event::Start(tag) => {
                    check_name(&tag)?;
                    Some(Next::Open(tag))
                }
                Event::End(_) => Some(Next::Close),
                Event::Eof if self.open.is_empty() => Some(Next::Over),
                Event::Eof => return Err(Refusal::Malformed),
                Event::Text(text) if text.bytes().all(|b| b.is_ascii_whitespace()) => None,
                Event::Text(_) | Event::GeneralRef(_) => {
                    return Err(Refusal::ForbiddenMarkup("text between elements"));
                }
                Event::Decl(declaration) if self.at == 0 => {
                    let utf8 = declaration
                        .encoding()
                        .is_none_or(|e| e.is_ok_and(|e| e.eq_ignore_ascii_case("utf-8")));
                    if !utf8 {
                        return Err(Refusal::NotUtf8);
                    }
                    None
                }
                other => return Err(forbidden(&other)),
            };
        }
        Ok(())
    }

    fn event(&mut self) -> Result<Event<'a>, Refusal> {
        self.reader.read_event().map_err(|_| Refusal::Malformed)
    }

    /// Names what stands where something else was due, or what is due.
    fn unexpected_or(&self, missing: Refusal) -> Refusal {
        match &self.next {
            Some(Next::Open(tag)) if !self.last.is_empty() && tag.name().as_ref() == self.last => {
                Refusal::DuplicateElement(shown(tag))
            }
            Some(Next::Open(tag)) => Refusal::UnexpectedElement(shown(tag)),
            _ => missing,
        }
    }
}

/// Reads RFC 3339 and brings it to UTC.
fn read_instant(text: &str) -> Option<Instant> {
    Instant::parse(text, &Rfc3339).ok().map(|instant| instant.to_offset(UtcOffset::UTC))
}

fn check_name(tag: &BytesStart<'_>) -> Result<(), Refusal> {
    if tag.name().as_ref().contains(':') { Err(Refusal::ForbiddenMarkup("namespace prefix")) } else { Ok(()) }
}

/// The value of the attribute `name`, if the tag has it and no other.
fn only_attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = tag.attributes();
    let first = attributes.next()?.ok()?;
    let alone = attributes.next().is_none() && first.key.as_ref() == name && !first.value.contains('&');
    alone.then(|| first.value.into_owned())
}

/// The start of a name, to print it.
fn shown(tag: &BytesStart<'_>) -> String {
    tag.name().as_ref().chars().filter(|c| c.is_ascii_graphic()).take(40).collect()
}

fn forbidden(event: &Event<'_>) -> Refusal {
    match event {
        Event::DocType(_) => Refusal::DocumentType,
        Event::PI(_) => Refusal::ProcessingInstruction,
        Event::CData(_) => Refusal::ForbiddenMarkup("CDATA section"),
        Event::Comment(_) => Refusal::ForbiddenMarkup("comment"),
        _ => Refusal::Malformed,
    }
}

/// One of the five entities of XML, or a character by its number.
fn character(reference: &str, out: &mut String) -> Result<(), Refusal> {
    let c = match reference {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        other => numbered(other.strip_prefix('#').ok_or(Refusal::Entity)?)?,
    };
    out.push(c);
    Ok(())
}

fn numbered(number: &str) -> Result<char, Refusal> {
    let code = match number.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    let c = code.ok().and_then(char::from_u32).ok_or(Refusal::Malformed)?;
    let allowed = matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}');
    if allowed { Ok(c) } else { Err(Refusal::ControlCharacter) }
}
