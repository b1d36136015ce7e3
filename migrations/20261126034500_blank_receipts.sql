-- Receipts on paper that are there before their payment: blanks that a desk prints for an outage, and books that come
-- printed. Every number that was drawn for them is issued, voided, or held by an owner; none is any of these twice.

-- What the numbers of a series stand on. Only electronic ones are drawn by settlements.
alter table receipt_series add column medium text not null default 'electronic'
    constraint receipt_series_medium check (medium in ('electronic', 'printed', 'book'));
comment on column receipt_series.medium is 'electronic; printed by the desk itself; book: pre-printed, as stock';
-- The first series that is made for whoever has none takes the letter A.
alter table receipt_series add constraint receipt_series_letter_kept check (medium = 'electronic' or letters not like 'A_');

-- A stretch of numbers on paper, drawn from its series at once, and the one cashier who answers for it.
create table receipt_block (
    id        uuid primary key,
    series_id uuid not null references receipt_series,
    agency_id uuid not null,
    medium    text not null constraint receipt_block_medium check (medium in ('printed', 'book')),
    first     bigint not null,
    until     bigint not null,
    owner_id  uuid not null,              -- the cashier who holds it; a book may pass on
    shift_id  uuid references shift,      -- during which it was printed, and with which it ends; a book outlives shifts
    drawn_at  timestamptz not null,
    drawn_by  uuid not null,              -- whoever printed it or handed it out
    constraint receipt_block_once unique (series_id, first),
    constraint receipt_block_range check (first >= 1 and first <= until and until - first < 100),
    constraint receipt_block_shift check ((shift_id is not null) = (medium = 'printed'))
);
create index receipt_block_of_agency on receipt_block (agency_id, id);
create index receipt_block_of_owner on receipt_block (owner_id);
create function block_is_kept() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or (new.id, new.series_id, new.agency_id, new.medium, new.first, new.until, new.shift_id, new.drawn_at,
            new.drawn_by) is distinct from (old.id, old.series_id, old.agency_id, old.medium, old.first, old.until,
            old.shift_id, old.drawn_at, old.drawn_by) then
        raise exception 'a block is kept' using errcode = 'restrict_violation';
    end if;
    if new.owner_id <> old.owner_id and old.medium <> 'book' then
        raise exception 'only a book passes on' using errcode = 'check_violation', constraint = 'receipt_block_owner';
    end if;
    return new;
end $$;
create trigger receipt_block_is_kept before update or delete on receipt_block
    for each row execute function block_is_kept();

-- The document that voids leaves which were never given to anybody.
create table leaf_void (
    id        uuid primary key,
    agency_id uuid not null,
    reason    text not null constraint leaf_void_reason check (reason in ('unused', 'spoilt', 'lost')),
    content   bytea not null,             -- what the signature covers, as canonical JSON, sealed under the agency's key
    key       integer not null,           -- the generation of that seal
    digest    bytea not null constraint leaf_void_digest check (length(digest) = 32),
    leaf_id   uuid not null,              -- the leaf of the audit log that commits to the digest
    by        uuid not null,
    at        timestamptz not null
);
create trigger leaf_void_is_append_only before update or delete on leaf_void
    for each row execute function refuse_change();

-- One number on paper.
create table receipt_leaf (
    series_id  uuid not null,
    serial     bigint not null,
    block_id   uuid not null references receipt_block,
    state      text not null default 'held',
    receipt_id uuid references receipt,   -- what was written on it, once it is entered
    void_id    uuid references leaf_void,
    entered_at timestamptz,               -- when it was entered or voided; the receipt bears the time of the paper
    constraint receipt_leaf_once primary key (series_id, serial),
    constraint receipt_leaf_receipt_once unique (receipt_id),
    constraint receipt_leaf_state check (
        case state when 'held' then num_nonnulls(receipt_id, void_id, entered_at) = 0
                   when 'issued' then receipt_id is not null and void_id is null and entered_at is not null
                   when 'voided' then receipt_id is null and void_id is not null and entered_at is not null
                   else false end)
);
create index receipt_leaf_of_block on receipt_leaf (block_id, serial);
create function leaf_moves_once() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or old.state <> 'held'
        or (new.series_id, new.serial, new.block_id) is distinct from (old.series_id, old.serial, old.block_id) then
        raise exception 'a leaf moves once' using errcode = 'restrict_violation', constraint = 'leaf_moves_once';
    end if;
    return new;
end $$;
create trigger receipt_leaf_moves_once before update or delete on receipt_leaf
    for each row execute function leaf_moves_once();

-- A shift does not end while a leaf that was printed in it is held.
create function shift_accounts_for_leaves() returns trigger language plpgsql as $$
begin
    if new.closed_at is not null and old.closed_at is null and exists (
        select from receipt_block b join receipt_leaf l on l.block_id = b.id
        where b.shift_id = new.id and l.state = 'held')
    then
        raise exception 'leaves are held' using errcode = 'check_violation', constraint = 'shift_accounts_for_leaves';
    end if;
    return new;
end $$;
create trigger shift_accounts_for_leaves before update on shift
    for each row execute function shift_accounts_for_leaves();

-- When a payment at a desk was taken and when it was entered differ where it was written on paper first.
alter table desk_payment add column entered_at timestamptz;
comment on column desk_payment.entered_at is 'when it was entered, where a receipt on paper was given before';

-- Each printing of a receipt for somebody: the original, then copies that are marked and numbered.
create table receipt_print (
    receipt_id uuid not null references receipt,
    copy       smallint not null constraint receipt_print_copy check (copy >= 0),  -- 0 is the original
    agency_id  uuid not null,             -- at whose desk
    by         uuid not null,
    at         timestamptz not null,
    constraint receipt_print_once primary key (receipt_id, copy)
);
create trigger receipt_print_is_append_only before update or delete on receipt_print
    for each row execute function refuse_change();
