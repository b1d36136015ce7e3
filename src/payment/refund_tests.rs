use super::*;
use crate::base::entropy::SeededEntropy;
use proptest::prelude::*;
use time::macros::datetime;

const NOW: Instant = datetime!(2026-11-24 07:30 UTC);

fn states() -> [State; 9] {
    [
        State::Requested,
        State::Declined { at: NOW },
        State::Approved,
        State::Sent,
        State::Unknown { inquiries: 0, since: NOW },
        State::Bounced { reason: "AC04".parse().unwrap() },
        State::AtDesk,
        State::AwaitingTreasury,
        State::Done { at: NOW },
    ]
}

#[test]
fn the_table_of_states_and_events() {
    let refused = Answer::Refused("AC04".parse().unwrap());
    let events = [
        Event::Answered(Answer::Taken),
        Event::Answered(Answer::NeverGot),
        Event::Answered(refused),
        Event::Answered(Answer::None),
        Event::Debited,
        Event::NeverRemitted(Way::Cash),
    ];
    // Columns: taken, never got, refused, silence, debited, never remitted; `-` stays, `!` is a contradiction.
    let table = [
        ("requested", "- - - - ! -"),
        ("declined", "- - - - ! -"),
        ("approved", "sent - bounced unknown done -"),
        ("sent", "- ! bounced - done -"),
        ("unknown", "sent approved bounced - done -"),
        ("bounced", "- - - - ! -"),
        ("at_desk", "- - - - ! -"),
        ("awaiting_treasury", "- - - - done at_desk"),
        ("done", "- - ! - - -"),
    ];
    for ((name, row), state) in table.into_iter().zip(states()) {
        assert_eq!(state.as_str(), name);
        for (event, expected) in events.iter().zip(row.split(' ')) {
            let found = match follow(&state, event, NOW) {
                Next::Move(state) => state.as_str(),
                Next::Ask(_) => "ask",
                Next::Stay => "-",
                Next::Contradiction => "!",
            };
            assert_eq!(found, expected, "{name} + {event:?}");
        }
    }
}

#[test]
fn silence_is_asked_about_three_times() {
    let mut state = State::Unknown { inquiries: 0, since: NOW };
    let mut asked = Vec::new();
    for minute in 0..300 {
        let now = NOW + Duration::seconds(30 * minute);
        if let Next::Ask(next) = follow(&state, &Event::InquiryDue, now) {
            asked.push(now - NOW);
            state = next;
        }
    }
    assert_eq!(asked, INQUIRY_AFTER);
}

#[test]
fn two_people_decide_and_three_above_the_bound() {
    let [asker, one, two] = [1, 2, 3].map(|seed| Id::<Citizen>::new(NOW, &SeededEntropy::new(seed)));
    let bounds = Bounds { one_approver_max: Money::vnd(1_000), day_max: Money::vnd(5_000) };
    let decide = |amount, before: &[Id<Citizen>], by, today| {
        let amount = Money::vnd(amount);
        approve(&State::Requested, amount, Some(asker), before, by, (bounds, Money::vnd(today)))
    };
    assert_eq!(decide(1_000, &[], asker, 0), Err(Refusal::OwnAct));
    assert_eq!(decide(1_000, &[], one, 0), Ok(Approval::Complete));
    assert_eq!(decide(1_001, &[], one, 0), Ok(Approval::First));
    assert_eq!(decide(1_001, &[one], one, 0), Err(Refusal::OwnAct));
    assert_eq!(decide(1_001, &[one], two, 0), Ok(Approval::Complete));
    assert_eq!(decide(1_000, &[], one, 4_000), Ok(Approval::Complete));
    assert_eq!(decide(1_000, &[], one, 4_001), Err(Refusal::OverDayLimit));
    for state in states().into_iter().skip(1) {
        let again = approve(&state, Money::vnd(1), None, &[], one, (bounds, Money::vnd(0)));
        assert_eq!(again, Err(Refusal::AlreadyDecided));
    }
}

#[test]
fn money_goes_back_the_way_that_it_can() {
    let lies = |remitted, in_cash| Lies { remitted, in_cash };
    assert_eq!(way(lies(false, false), false), Way::Clearing);
    assert_eq!(way(lies(false, false), true), Way::Cash);
    assert_eq!(way(lies(false, true), false), Way::Cash);
    assert_eq!(way(lies(true, true), true), Way::Treasury);
}

#[test]
fn every_word_is_read_back_and_every_reason_cites_a_law() {
    for reason in Reason::ALL {
        assert_eq!(Reason::named(reason.as_str()), Some(reason));
        assert!(reason.legal_basis().chars().count() > 10 && reason.return_code().len() == 4);
    }
    for way in [Way::Clearing, Way::Cash, Way::Treasury] {
        assert_eq!(Way::named(way.as_str()), Some(way));
    }
    assert_eq!(states().iter().filter(|state| !state.counts()).count(), 1);
    assert_eq!(states().iter().filter(|state| state.holder() == Holder::Nobody).count(), 2);
}

proptest! {
    #[test]
    fn no_line_gives_more_than_it_holds(
        left in prop::collection::vec(0..1_000_000_i64, 1..8), part in 0..=120_u64, by_line in any::<bool>(),
    ) {
        let left: Vec<Money> = left.into_iter().map(Money::vnd).collect();
        let sum: i64 = left.iter().map(|money| money.minor()).sum();
        let asked = Money::vnd(sum * i64::try_from(part).unwrap() / 100);
        let extent = if by_line { Extent::Lines(vec![(0, asked)]) } else { Extent::Amount(asked) };
        match allocate(&left, &extent) {
            Ok(back) => {
                prop_assert_eq!(back.iter().map(|money| money.minor()).sum::<i64>(), asked.minor());
                prop_assert!(back.iter().zip(&left).all(|(b, l)| (0..=l.minor()).contains(&b.minor())));
            }
            Err(_) => prop_assert!(
                asked.minor() <= 0 || asked.minor() > sum || (by_line && asked.minor() > left[0].minor())
            ),
        }
        if sum > 0 {
            prop_assert_eq!(allocate(&left, &Extent::Whole), Ok(left));
        }
    }
}
