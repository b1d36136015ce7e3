//! What arrives from the banks, or fails to: messages late, lost, doubled, out of order, corrupted, forged.

use crate::life::{Life, expect_or_refused};
use crate::process::{live, together};
use crate::rails::Letter;
use crate::seen::Seen;
use chung::app::App;
use chung::codec::iso20022::read;
use chung::flow::{
    Error, inquire_payment::inquire_due, pass_on::pass_on, recall::send_recalls,
    send_refund::look_after_refunds, take_message::take_message,
};
use std::time::Duration;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Acknowledged,
    ComeAgain,
    Refused,
}

impl Life<'_> {
    /// The rails hand over a message, or fail to.
    pub async fn deliver(&mut self, seen: &Seen) {
        let (waiting, confirms) = {
            let truth = self.rails.truth.lock().unwrap();
            (truth.mail.len(), truth.confirms.len())
        };
        if confirms > 0 && self.chance.percent(40) {
            return self.hear_platform(seen).await;
        }
        if waiting == 0 {
            return;
        }
        let at = self.chance.below(waiting);
        if at > 0 {
            self.fault(seen, "message out of order");
        }
        let letter = self.rails.truth.lock().unwrap().mail[at].clone();
        match self.chance.below(10) {
            0 if letter.carries_money => {
                // What is not acknowledged is sent again.
                self.fault(seen, "message late");
                return;
            }
            0 | 1 if !letter.carries_money => {
                self.fault(seen, "message lost");
                self.rails.truth.lock().unwrap().mail.remove(at);
                return;
            }
            3 => {
                self.fault(seen, "message corrupted");
                if self.corrupt(&letter).await {
                    self.rails.truth.lock().unwrap().mail.remove(at);
                    self.delivered.push(letter);
                }
                return;
            }
            4 => {
                self.fault(seen, "two nodes");
                let turns = self.turns();
                let [node, beside] = &self.nodes;
                let other = live(beside, None, async |app| {
                    look_after_refunds(&app).await?;
                    pass_on(&app).await?;
                    send_recalls(&app).await?;
                    inquire_due(&app).await
                });
                let (taken, done) = together(self.world, turns, take(node, &letter, None), other).await;
                done.into_iter().for_each(|done| expect_or_refused(done.map(drop)));
                if taken == Some(Taken::Acknowledged) {
                    self.rails.truth.lock().unwrap().mail.remove(at);
                    self.delivered.push(letter);
                }
                return;
            }
            2 => {
                self.fault(seen, "message doubled");
                let turns = self.turns();
                let [one, other] = self.nodes.each_ref().map(|node| take(node, &letter, None));
                let (first, second) = together(self.world, turns, one, other).await;
                assert!(first != Some(Taken::Refused) && second != Some(Taken::Refused));
                return;
            }
            _ => {}
        }
        let death = self.death(seen);
        self.say("a message arrives");
        if self.take(&letter, death).await == Some(Taken::Acknowledged) {
            self.rails.truth.lock().unwrap().mail.remove(at);
            self.delivered.push(letter);
        }
    }

    /// Hands a message to the service; `None` when the process died over it.
    pub async fn take(&self, letter: &Letter, death: Option<u32>) -> Option<Taken> {
        take(&self.app, letter, death).await
    }

    /// A message under a known identifier with other content is refused and changes nothing.
    pub async fn forge(&mut self, seen: &Seen) {
        let Some(letter) = self.delivered.iter().rev().find(|letter| letter.xml.contains("<AcctSvcrRef>R"))
        else {
            return;
        };
        let other = letter.xml.replacen("<AcctSvcrRef>R", "<AcctSvcrRef>X", 2).replacen(
            "<NtryRef>R",
            "<NtryRef>X",
            1,
        );
        let letter = Letter { xml: other, carries_money: true };
        assert_eq!(
            self.take(&letter, None).await,
            Some(Taken::Refused),
            "other content under a known identifier"
        );
        self.fault(seen, "message with other content");
    }

    pub async fn deliver_all(&mut self) {
        self.confirm_all().await;
        loop {
            let Some(letter) = self.rails.truth.lock().unwrap().mail.first().cloned() else { return };
            if self.take(&letter, None).await == Some(Taken::Acknowledged) {
                self.rails.truth.lock().unwrap().mail.remove(0);
            } else {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
}

/// The same at that node.
async fn take(node: &App, letter: &Letter, death: Option<u32>) -> Option<Taken> {
    let received = read(letter.xml.as_bytes(), 1 << 20).unwrap();
    let done = live(node, death, async |app| take_message(&app, received).await).await?;
    Some(match done {
        Ok(_) => Taken::Acknowledged,
        Err(Error::Unavailable(_)) => Taken::ComeAgain,
        // Money that a refund gave back, whose receipt finds no number.
        Err(Error::Conflict(refusal)) if ["payment_moved", "no_receipt_series"].contains(&refusal.code) => {
            Taken::ComeAgain
        }
        Err(Error::Conflict(refusal)) if refusal.code == "message_id_reused" => Taken::Refused,
        Err(error) => panic!("{error:?}"),
    })
}
