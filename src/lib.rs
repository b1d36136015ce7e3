//! Chung: one service that answers *who is this citizen?* and *has this fee been paid?*, and lets an auditor prove
//! both answers later.
//!
//! One sentence rules the code: **the edges parse, the middle decides, the store remembers, and nothing else happens.**
//!
//! README lists what works and what is missing.
//!
//! # The map
//!
//! | room | what it owns | what it never does |
//! |---|---|---|
//! | [`base`] | time, chance, identifiers, money, dates, secrets, text | know a citizen or a payment |
//! | [`crypto`] | the key ring, seals, digests, JOSE | read the clock |
//! | [`audit`] | the Merkle log as pure functions | store anything |
//! | [`codec`] | wire formats and documents | decide anything |
//! | [`text`] | every Vietnamese and English sentence | |
//! | [`identity`] | who a person is and who may be told (pure) | know money |
//! | [`payment`] | what is owed, paid, returned (pure) | know a person's identity |
//! | [`flow`] | the use cases; identity and payment meet only here | speak HTTP or SQL |
//! | [`store`] | all SQL | ask the time, apply a rule |
//! | [`partner`] | everybody whom we ask or tell: clearing system, register, national e-ID, payment platform, gateway for SMS and e-mail, issuers of receipts, time stamps, webhooks | run inside a transaction |
//! | [`http`] | the OpenID provider, `/v1`, the pages, the clearing inbox | touch the database |
//! | [`work`] | bounded loops, each tick one flow call | |
//! | [`app`], [`batch`] | what every request holds; questions that are answered together | decide anything |
//! | [`config`], [`telemetry`] | settings and limits; log lines, metrics, what never leaves | |
//! | [`sandbox`] | the outside world as a program | use the service other than over HTTP |
//! | [`cli`], `main` | commands | rules |
//!
//! To change **what a name match means**: [`identity`]. **How a fee is computed**: [`payment`]. **A page's words**:
//! `src/text/vi` and `src/text/en`. **A route or its scope**: `http::router` and `http::auth`. **A status code**:
//! `http::problem`. **A table**: `migrations`. **A limit**: `config`. Which room may import which is a test
//! (`tests/architecture.rs`).
//!
//! # The laws of a flow
//!
//! 1. An `Err` wrote nothing. A refusal that must leave a mark is an `Ok` variant and is committed.
//! 2. No partner is called inside a transaction: record the intent, commit; call; record the outcome, commit.
//!    *Unknown is a state, not an error.*
//! 3. The clock is read once, at the top. SQL never asks the time.
//! 4. Decide, then act: a pure function returns the decision; audit leaf, postings and outbox ride in its transaction.
//! 5. State moves by compare-and-set.
//! 6. A lock, revocation or suspension holds in the transaction of the decision it forbids.
//!
//! # What always holds
//!
//! Every ledger entry sums to zero (a type, and a deferred constraint). Balances are folds of entries. A bill is paid
//! once; second money is kept in suspense. A receipt number is drawn in the transaction that settles. A message of a
//! partner is posted once, whatever is repeated. No value of the register leaves that the asker did not send or the
//! citizen did not allow. Every decision is a leaf of the audit log.
//!
//! # The life of one verification
//!
//! An agency's system posts `/v1/verifications` with a bearer token: [`http`] reads the token in memory and the body
//! strictly; the command joins others in a [`batch`]; `flow::verify_identity` looks up all numbers of the batch by
//! keyed hash in one statement, opens each record with its citizen's key, lets `identity::verification` grade it, and
//! writes verification and audit leaf of every command in the transaction that has claimed its key. The answer carries a
//! signed statement that `chung verify statement` checks years later with public keys alone.
//!
//! # The life of one payment
//!
//! An agency posts `/v1/bills`: `payment::fee` computes the lines from dated rules and verified facts, with a trace.
//! Anybody opens `/pay/{reference}` and chooses a bank: an attempt is recorded and committed, together with those of others
//! who choose just then, and `partner::clearing`
//! sends a `pain.013`. The bank's answers come back as signed messages to `/clearing/inbox`; a `camt.054` settles: in
//! one transaction for many credits, `payment::payment` decides, the ledger is posted, the receipt's number is drawn
//! and its content signed, and the webhook waits in the outbox. An answer that never comes leaves the attempt
//! `Unknown`; a bounded inquiry asks the clearing system, and the next statement decides the rest. At the end of the
//! day `flow::reconcile_statement` fetches the `camt.053` and matches it line by line; what differs becomes a case with
//! an owner, and a silent attempt ends once every day that could show its money has a statement.
//!
//! # Glossary
//!
//! | word | meaning | Vietnamese |
//! |---|---|---|
//! | account level | 1 or 2, reported by the national e-ID; the only level a fee rule may read | mức độ tài khoản định danh |
//! | agency | an office that asks about citizens and charges fees | cơ quan |
//! | applicant | whose dossier it is | chủ hồ sơ |
//! | assurance | how sure Chung itself is who is signing in, ordered, in `acr` | mức bảo đảm |
//! | attempt, payment | one try at paying a bill | giao dịch thanh toán |
//! | batch | many questions about people, asked in one file | tệp câu hỏi |
//! | blank, book, leaf of a book | a receipt on paper before its payment; many that come printed; one of them | biên lai trắng, quyển biên lai, liên |
//! | bill | what an agency asks somebody to pay for a dossier | khoản phải nộp |
//! | case | a difference that somebody must settle | vụ việc đối soát |
//! | closing | a day, month or year of the accounting that two people have closed | khóa sổ |
//! | clearing system | the central bank's rails, behind one trait | hệ thống bù trừ |
//! | checkpoint | balances kept at a place of the audit log | mốc số dư |
//! | declaration | what an agency's fees came to over a month or a year | tờ khai phí, quyết toán |
//! | delivery | one event on its way to one endpoint | lượt gửi thông báo |
//! | document signer | a key and certificate with which an agency signs documents | chứng thư số của cơ quan |
//! | dossier | an administrative file, named by the agency's code | hồ sơ |
//! | endpoint | an address of an agency that is told of events (a webhook) | địa chỉ nhận thông báo |
//! | entry, posting | a balanced set of movements, and one of them | bút toán |
//! | evidence | the verified answer that a granted reduction rests on | căn cứ miễn, giảm |
//! | event | something that happened and is told to an agency | sự kiện |
//! | fee: phí, lệ phí | a charge for a service, partly kept by the agency; a state fee, all to the budget | phí, lệ phí |
//! | lock | what a citizen forbids to be done with their identity | khóa |
//! | mandate | what a person lets another, or an organisation, do in their name | ủy quyền |
//! | kept and remitted part | what the collecting unit keeps of a phí by law, and what goes to the budget | phần để lại, phần nộp ngân sách |
//! | leaf, place, tree head | one decision in the audit log, where it stands, and the signed state of the log | nhật ký kiểm toán |
//! | principal, actor | in whose name something is done, and who does it | người được làm thay, người làm thay |
//! | notice | the register's signed message that something about a person changed | thông báo thay đổi |
//! | payout, slip | an order that passes collected money on to whom it belongs, and the budget payment slip with it | lệnh chuyển tiền đã thu, giấy nộp tiền |
//! | payer, submitter, receipt name | who pays, who files, whose name the receipt bears; each may differ from the applicant | người nộp tiền, người nộp hồ sơ |
//! | personal number | twelve digits, once and for life | số định danh cá nhân |
//! | portal | a site that signs citizens in (a relying party) | cổng dịch vụ công |
//! | reference | twenty characters that name a bill wherever money is sent | mã thanh toán |
//! | recall | a request between institutions for money back (`camt.056`) | yêu cầu hoàn trả |
//! | part | one owner's share of a bill, a bill of its own | phần của khoản phải nộp |
//! | refund | money that goes back, a record of its own | hoàn trả |
//! | register | the population database | cơ sở dữ liệu quốc gia về dân cư |
//! | schedule version | one draft of the fee schedule on its way into force | phiên bản biểu phí |
//! | slip | what a citizen takes home from a negative answer | phiếu thông báo kết quả xác minh |
//! | copy | a receipt that is printed once more, and says so | bản sao |
//! | shift, till | one cashier from count to count, and where the cash lies | ca thu, két |
//! | series | registered, dated numbers of an agency's receipts of one kind | ký hiệu biên lai |
//! | statement | a bank's list of movements; also a signed answer of a verification | sao kê; xác nhận |
//! | successor | the agency that takes another's place from a day on | cơ quan kế thừa |
//! | suspense | money received that no bill explains yet | tạm giữ chờ xử lý |
//! | witness | an institution outside that keeps the heads of the audit log | nơi giữ bản ghi bên ngoài |
//!
//! # Decisions
//!
//! * 2026-11-24, keys: one TOML text holds the key ring; signing keys are separate by purpose (token, record, message),
//!   so that a token can never pass for a receipt or a message between institutions.
//! * 2026-11-24, tokens: jsonwebtoken never checks the time here; every expiry is compared with the flow's own clock.
//! * 2026-11-24, batches: a set-wise flow answers with store or domain types, so that `app` holds the queues without
//!   knowing the flows; what failed a whole batch is `batch::Undone`.
//! * 2026-11-24, webhooks: an event is written once with its decision and routed to endpoints afterwards, so the hot path
//!   knows no endpoint; endpoints belong to the noun event (`/v1/events/endpoints`), and an agency's own system keeps them.
//! * 2026-11-24, administration: the scope `admin` reaches over all agencies and is handed out from the command line only;
//!   where a system grants or takes back a role, it names the administrator it acts for, who must be one there.
//! * 2026-11-25, trial: a passkey or app that a code alone enrolled is worth no more than a code for 72 hours, so that a
//!   stolen telephone number does not become a stronger sign-in before its holder has read the notice.
//! * 2026-11-25, limits: a browser in which the number's holder signed in before is counted for itself and under no
//!   other rule; passkeys name their holder, so no number is typed and nothing is counted.
//! * 2026-11-25, notices: each has a code by which whoever got it locks the identity, without a sign-in, since the
//!   sign-in may be the thief's by then; the code is typed on a page or answered by SMS and never stands in an address. It is taken
//!   once and for thirty days, and undoes nothing that an officer did with the card.
//! * 2026-11-25, slips and sheets: one reading of a card serves one act at a counter; paper stands for a phone.
//! * 2026-11-25, scripts: pages have none, but for one same-origin file that speaks with a passkey; it fetches nothing.
//! * 2026-11-24, simulation: a process lives for one act and is dropped at a random poll, so that crashes fall before,
//!   between and after transactions and into commits; the model of the truth is the bank's, never the service's.
//! * 2026-11-25, the register: a remote register's answers are kept as sealed copies in the table of the local one, so
//!   that everything follows one citizen's identifier; a copy answers for the register only where a portal's policy says
//!   so, and signed notices change it at once.
//! * 2026-11-25, policies: what a portal may ask is a versioned row and names the rule for names; `standard-1` and its
//!   kin stay the names of those rules. A failure tells which attribute failed only where the policy says so.
//! * 2026-11-25, budgets: a number's budget counts questions without its owner; across portals it is read without a lock.
//! * 2026-11-25, transfers: a transfer that names a bill by its reference has no attempt before its money; its payment is
//!   born settled, and what names two bills names none.
//! * 2026-11-25, refunds: systems ask, people approve, at a page and never for themselves; a rule stands in their place
//!   for second money alone. A mistaken payment at a desk is given back by a refund, never undone.
//! * 2026-11-26, payouts: a dated rule is the decision and orders by itself once a day is matched; an order told again is
//!   the same message to the letter, so that nobody has to be asked about it, and only a debit ends it.
//! * 2026-11-25, payment platform: a confirmation is an acceptance, never money; the bill is paid when money arrives.
//! * 2026-11-25, profiles: a client is `fapi2` unless it is registered as `basic`, and is held to it everywhere; sector
//!   and profile never change afterwards. Refresh tokens are bound to the client, and under `basic` rotated; what was
//!   granted beyond the session outlives signing out.
//! * 2026-11-25, proofs: a DPoP nonce is a keyed digest of its two minutes, so that nodes share it without storing it;
//!   assertions and proofs are used up through one batch, whoever waits.
//! * 2026-11-25, keys: a running service takes changed signing keys in from their file; a key is published before it
//!   signs. `Signer` is the seam for a hardware module: JOSE goes through it too.
//! * 2026-11-25, counters: a sign-in that an officer starts is an authorization without a browser until the citizen
//!   takes it up; `auth_req_id` stands where a code would.
//! * 2026-11-24, audit: a leaf carries the number of its writing transaction, and a tree head the number below which
//!   everything is placed: the sequencer never scans what is long placed and never misses a slow transaction. A head names the
//!   cluster whose numbers these are; a log that was restored into another is looked through once.
//! * 2026-11-25, levels: assurance has a fourth level above the national e-ID, an officer who read the chip card; the two
//!   strongest levels expire before their session. `app` holds the trusted card authorities, a type of [`codec`].
//! * 2026-11-25, locks: a look-up that names no law rests on consent, so a lock answers it; a law passes only from the
//!   client's own list. A code by SMS sets a lock and lifts none.
//! * 2026-11-25, mandates: a right to act that is missing is an answer of the verification, recorded and shown to the
//!   principal, never an error; a death or lost capacity ends a mandate by that fact, read from the register each time, so
//!   a corrected record corrects it; for whom a sign-in is stands beside the authorization, not in its states.
//! * 2026-11-26, kin: whom somebody may stand for is found by keyed hashes of the kin's numbers beside the sealed records;
//!   the record itself decides. A number that changed still names a parent or guardian.
//! * 2026-11-26, money: whoever is concerned by a payment or a refund has a leaf of their own about each step, under
//!   their own key, beside the agency's; it names the receipts, so that the payer needs no mandate to read them.
//! * 2026-11-26, erasure: ways, mailboxes, notices, locks and data requests are removed; mandates end and stay as rows,
//!   because the other side acted under them.
//! * 2026-11-25, payers: the name of a payer who is signed in is kept with the attempt as the parties that its receipts
//!   name, so that the bill itself never changes.
//! * 2026-11-25, books: an entry and its leaf are written with one reading of the clock, so that the entries of some
//!   leaves stand in one stretch of the primary key; balances at a place need no index that settling would pay for.
//! * 2026-11-25, fees: the first schedule of an installation comes from the command line; every later version is drafted,
//!   submitted and approved by officers whom a system names. Late interest is a rule of the schedule like any other.
//! * 2026-11-25, bills: interest is charged where an attempt starts, as a line of the bill's next version, so that
//!   settling compares one amount and knows no rule.
//! * 2026-11-26, heirs: an account keeps its owner and names who answers for it since, so that the books of before read by
//!   the old tree; what was owed back passes by one entry; paid bills stay where they were, and the successor reads and
//!   refunds them in the old agency's place.
//! * 2026-11-26, trees: `tree` is one extractor for every report; an officer of a successor reads the old agency's pages as
//!   an auditor does, so that nobody acts for who was succeeded. A part belongs to the version of the bill it divides.
//! * 2026-11-26, owners: a bill that is collected by owner is divided in the transaction that issues it and is never open
//!   as a whole; its reference shows the parts. What is withdrawn, replaced or charged anew closes its instalments.
//! * 2026-11-26, fees: a version of a fee schedule never changes (a trigger holds it), so that a node remembers the one in
//!   force and asks only which one that is.
//! * 2026-11-26, retention: bills are emptied in the order of their issue behind a mark, so that no new bill pays for an
//!   index; the key of an act is forgotten with the people whom its answer names.
//! * 2026-11-26, receipts: every owner of a shared bill gives its own; a tax belongs to the account of its notice.
//! * 2026-11-26, services: a seller's invoice is taken by the bill that charges it and let go of by one that no longer does;
//!   the claim is a row of its own beside the record. Its money goes by rule to each seller's account, or to whoever pays them.
//! * 2026-11-26, stamps: revocation rests on lists that the operator brings; no network is asked, so that checking years
//!   later needs none, and what no list shows is kept and told as unknown, never as well. A kept stamp is judged
//!   again whenever it is shown; a key that was lost takes its stamps with it whenever that is said (RFC 3161 section 4).
//! * 2026-11-26, uploads: a file has no deadline and must come on, so much within each window; everything else has one.
//! * 2026-11-25, national e-ID: where it is configured it is the floor of portals; while it is down the page names the
//!   counter and nothing weaker takes its place. What it reports of an account is evidence under the citizen's key.
//! * 2026-11-25, privacy: erasing destroys the citizen's key and nothing that law keeps, which stands under its agency's
//!   key; a class of data has one rule, one job and one line in the report.
//! * 2026-11-25, keys: `chung keys rotate --purpose` names what a key is for, and `master` is one of the purposes: it
//!   signs nothing, wraps data keys, and the old one stays until the job has rewrapped what it wrapped.
//! * 2026-11-25, mandates: the key of an act of a system keeps the mandate's name alone; its answer is read anew, so that
//!   no name stands outside a seal, and says how the mandate stands now.
//! * 2026-11-26, imports: a file is as old as the day it names, and older than every notice where it names none; what a
//!   notice told on that day or later stays.
//! * 2026-11-26, vouching: an officer's reading of a card raises a browser's sign-in by a code that the browser shows; the
//!   session is a new one, as after any stronger way, and its level ends after an hour.
//! * 2026-11-26, retries: a look-up is asked once more, under its name, if its connection broke; a refusal is an answer.
//! * 2026-11-25, successors: open bills are sealed anew under the successor's key when they pass on; notes, which never
//!   change, are copied for it.
//! * 2026-11-25, receipts: the service's record key signs what the QR code holds, the agency's own certificate signs the
//!   PDF; a series is registered, and where none has a number left the receipt waits, never the money.
//! * 2026-11-25, closings: what a closing says is fixed when it is prepared, with the newest signed head; the approval is an
//!   event, so that the head leaves the operator's hands by the same way as every other telling.
//! * 2026-11-25, statements from files: one line stands for the money of rows that cannot be read, so that a damaged row
//!   becomes a case and the rest of the day is matched.
//! * 2026-11-26, counters: past the limit of a number a request stands and asks no phone; a sheet signed after the card
//!   was read answers any request, as the strongest sign-in, with a session that no cookie opens.
//! * 2026-11-26, clients: which client asks is read for all who wait at that moment, like its standing.
//! * 2026-11-26, pushed requests: several browsers may open one, the first answer uses it up, and whoever comes second is
//!   told that it is over while the portal hears nothing.
//! * 2026-11-26, secrets: one former secret serves beside the new one until its end.
//! * 2026-11-26, a day told again: the first telling's rows never change, a revision adds lines and withdraws lines; what a
//!   bank takes back becomes a claim on it, and the bill and its receipt stand.
//! * 2026-11-26, long days: a statement is read once, kept as it is read and never held; SQL decides one thing, that a line
//!   is plain, and a plain line's showing is derived, so that a million of them write no row but their own. Payers' words are
//!   sealed for many lines at once; whoever gives up in the middle of a COPY costs a connection, not the next caller.
//! * 2026-11-26, days matched beside: what is too long to wait for is a row before the work begins and ends in the transaction
//!   that keeps the day; how far it is is told on a connection of its own, which the matching never waits for. Two tellings are
//!   compared by one full join, whose plan depends on no statistics; what stays writes nothing.
//! * 2026-11-26, long closings: what is too long to fold while somebody waits is a row with the closing's own name, so that one
//!   page tells how far it is and then what it says; it is read as of one moment, and prepared in the asker's name if they may.
//! * 2026-11-26, silence: what left is looked for on the statements of clearing days, from its order to the next one after
//!   nobody answered; a bank that tells nothing of other days keeps nobody waiting.
//! * 2026-11-26, differences: one is withdrawn, replaced and revived with the bill that it is of, unless somebody pays it.
//! * 2026-11-26, receipts of heirs: a receipt is signed by whoever gives it, so that a successor takes the old agency's back under
//!   that one's number and gives its own in its place, which names it.
//! * 2026-11-26, witnesses: whoever keeps heads outside is named on the command line; one head is on its way at a time.
//! * 2026-11-26, no money, no number: a dossier of nothing has a signed notice instead of a bill; a seller's price is a
//!   reference to an invoice.
//! * 2026-11-26, deliveries: a lane goes on while one endpoint is slow; what is done is recorded meanwhile.
//! * 2026-11-26, matching by hand: a match moves no money and hides no sum; it says that cases are one matter, and what it
//!   leaves open beyond the tolerance takes two people.
//! * 2026-11-27, cases: a single one that leaves more open than the tolerance is a match of one, and takes two people like any
//!   other. What people said of a line holds until its own credit comes, and of a credit until the line that showed it is taken
//!   back: the match falls with all that stood in it. Whatever a case of money in suspense ends with, the money stays there until two have released it.
//! * 2026-11-26, paper: blanks end with the shift in which they were printed; a book stays with its cashier, and no leaf of
//!   it is skipped. A receipt of paper bears its own number and time; its payment is booked when it is entered. A bill that was
//!   charged anew meanwhile goes back to what the paper says, and the difference is a refund by rule or a bill of its own;
//!   what reductions rest on goes with their lines. What was written on paper is a receipt from here, whoever issues others.
//! * 2026-11-26, what waits: money that cannot go with its day's orders is a row until it does; a desk's cash counts as
//!   brought first in first out, after what its till owes others. The clearing system's late word stands beside an order.
//! * 2026-11-26, desks: what a till takes for another agency stands between the two agencies, so that the books of each
//!   balance for themselves; it is carried to that agency's account, or transferred from the desk's own.
//! * 2026-11-26, receipts in bulk: what waited is issued hundreds in one transaction and signed at once; what settles with its
//!   money is signed when somebody first asks. Money that goes back waits for no paper: its adjusting receipt is a row
//!   until a number, and the receipt it adjusts, are there.
//! * 2026-11-26, time stamps: the stamp of a head stands beside it and never in what was signed; while one is asked for, a
//!   closing's files are made and not kept.
//! * 2026-11-26, prices of services: they stand in the bill's column of what belongs to accounts that the lines name; an
//!   invoice is charged once, by a bill in a transaction of its own.
//! * 2026-11-26, imports: a file is kept as it came, sealed in pieces, and read twice, because some tell their day at the end.
//! * 2026-11-26, money on paper that nobody owed: whatever became of its bill meanwhile (paid, withdrawn, replaced, past its
//!   day), it is booked and receipted like any other, and owed back by rule, in cash; the bill stays what it is.
//! * 2026-11-26, proposals: exactly one thing that fits is proposed, two are nobody's guess; a person confirms.
//! * 2026-11-26, cards: one credit pays chosen slips and leaves a twentieth of them at most as its discount; more needs
//!   another paper.
//! * 2026-11-26, recalls: a bank hears yes once the refund is approved, never before; declined, its request is open again.
//! * 2026-11-26, succession: tills, open shifts, cash on its way, card slips and what other agencies' tills owe pass on with
//!   one entry; a paper receipt of the old agency that was not entered before is void, and its payment is entered as the
//!   successor's.
//! * 2026-11-28, what a succession leaves behind: a match that waits goes on at the successor, and whatever comes up later about a
//!   bill that had ended is the successor's case; what is not closed yet in the old agency's books its people close.
//! * 2026-11-28, proposals about suspense: one that nobody approved vanishes when it is declined or taken back, and the log alone
//!   keeps it; a page approves the proposal that it showed, and no other that came in its place.
//! * 2026-11-26, statements in a connection: all that a node asks stay prepared, or each would be planned again and again.
//! * 2026-11-26, access tokens: what a signature said is remembered by the token's digest, so that it is checked once; key,
//!   client and revocation are asked at every request.
//! * 2026-11-26, keys of a batch: they are claimed by writing them before anything is decided, and given back where it is
//!   refused; of two nodes the second waits for the first and hears what it answered.
//! * 2026-11-26, silent sign-ins: a portal that forbids pages is answered at once where somebody is signed in, many in one
//!   look, and nothing is written: the code carries the sign-in, sealed under a key of its own, and the row comes with its
//!   exchange, where everything is asked again; whoever writes the row first has exchanged the code.
//! * 2026-11-26, codes: one ends with its session and with its consent, like the tokens that it would have given.
//! * 2026-11-26, refresh tokens: those about which nothing is out of the ordinary are renewed many in one transaction;
//!   whatever is gets looked at by itself, and has the words for it.
//! * 2026-11-26, forms: a form of somebody who is signed in is taken with its proof (`http::sent`), and so are files, the steps
//!   of a sign-in and its own sheet; nobody else asks whether a form is genuine, but signing out.
//! * 2026-11-26, builds: whoever types the first command waits less; what is deployed (`--profile dist`) and what the
//!   benches measure is optimised across crates.
//! * 2026-11-27, lanes: a batch begins beside another once it is as large. Whatever came first used to begin at once, and made five
//!   of thirty-two callers' questions a batch; every batch pays for its statements anew.
//! * 2026-11-27, threads: one answers requests for every two processors where the database works beside, which needs as much;
//!   with one for each, the two of them took turns, and every settled payment paid a tenth more. `worker_threads` says otherwise.
//! * 2026-11-27, regulars: writers and loops that ask all day long have connections of their own (`store::regular`), so that their
//!   plans are made once and not once for every connection of the pool whenever statistics change.
//! * 2026-11-27, machines: a batch of settled payments waits for as many as came before, since whoever tells them is no person.
//! * 2026-11-27, issuers: one that an agency has left stays known, and what was ordered from it is fetched from and adjusted by it
//!   alone; an order names whose charge was paid then, so that it stays the same order whoever succeeds.
//! * 2026-11-27, evidence: a line that was paid on paper and charged anew rests on what it is asked by now, divided between what
//!   was paid and the rest; of a line whose money goes back as a whole no difference is owed.
//! * 2026-11-27, statements in CSV: balances after each row, in either order of time, tell both ends, and the file is held to them.
//! * 2026-11-27, spreadsheets of journals: written row by row into a file that vanishes, so that no number of rows is too many.
//! * 2026-11-27, where money lies: the parts of the lines that go back decide, the kept part of phí and the rest apart. A refund is
//!   of money in one place, and of one order of ours where it was remitted, so that an order which a bank does not take gives
//!   back whole what waited for the Treasury. What the Treasury orders leaves the account that it was remitted to, by that one's
//!   statement where it comes here, and else by that of the account it was remitted from.
//! * 2026-11-27, corrections: an entry bears the bank's day of the money that it is about, a correction that of what it corrects,
//!   and is booked on the day on which it is made. A month needs closings of all days on which any account of the agency moved.
//! * 2026-11-27, moments: acceptance, booking and value are three facts of the bank; a credit and a line keep a value day only where
//!   it is another than the booking day.
//! * 2026-11-27, charts: an amended chart of accounts is rows from a day ahead on; what is or was in force never changes.
//! * 2026-11-27, receipts taken back: by a system under its key, or at its page by whoever keeps the books, once.
//! * 2026-11-27, attempts: those about whose bills nothing is to be decided begin together, and go on together; whatever is not
//!   plain is answered by nothing there and takes the way of its own, so that each refusal has one place.
//! * 2026-11-27, money of desks: what a transfer into the agency's own account brought goes back to the account that it came
//!   from, first; the rest, and all of it on request, in cash.
//! * 2026-11-27, lines booked by hand: a signed statement is evidence enough where two people say so; the credit has the bank's own
//!   reference as its name, so that its notification, if it comes after all, repeats it. It lives on without the match, and is
//!   taken back and shown again like any other.
//! * 2026-11-27, hours: each day goes by the clearing hours that hold on it; what is over never changes, and a day has those of both
//!   sessions or of neither.
//! * 2026-11-27, rates of a day: what comes into force in the course of a day is in force from its morning on, and who asked by what
//!   held before asked rightly: paper is taken by either, a transfer by that and by what its day began with.
//! * 2026-11-27, a seed is one life: in the simulation a process dies the moment a counted statement is answered, and what one of
//!   two at once sends waits at its node's gate until it is its turn. What is due at one moment has an order of its own in every
//!   statement that takes the first of it, but for messages to people, which go as they were written, and the listeners of one
//!   event.
//! * 2026-11-27, one build: CI builds everything once, as the tests want it, and asks that what they depend on lends no crate of
//!   the service a feature of its own; so the fields of JSON stay in the order in which they were written, which had been lent.
//! * 2026-11-28, shifts: whoever is no cashier any more takes and gives nothing; what they left open an accountant of the till's
//!   agency counts and closes.
//! * 2026-11-28, erasure, mandates, locks: erasing oneself, letting somebody act and lifting a lock take a strong sign-in of the last
//!   minutes, since a stolen telephone number has neither; whoever is erased is told where they were told before.
//! * 2026-11-28, credentials of administrators' systems are made and taken back at the command line only.
//! * 2026-11-28, ends of sign-ins: what a session gave ends with the last of the sessions that took its place, wherever it is shown.
//! * 2026-11-28, waiting money goes on by the rules of the newest matched day; an older day that is told again passes on its own alone.
//! * 2026-11-28, money that people found on a line lies in the account as what a line shows does.
//! * 2026-11-28, batches: an upload has seven days; answers, slips and free look-ups are classes of retention like all else.
//! * 2026-11-26, mutants: all are compiled at once behind a switch that only the scratch copy has; one is awake at a time.

pub mod app;
pub mod audit;
pub mod base;
pub mod batch;
pub mod cli;
pub mod codec;
pub mod config;
pub mod crypto;
pub mod flow;
pub mod http;
pub mod identity;
pub mod partner;
pub mod payment;
pub mod sandbox;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod work;
