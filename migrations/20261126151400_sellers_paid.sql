-- The prices of services go to each seller's own account, which the line of its invoice names, where the agency's rule says so;
-- one order a day for each seller's account.
alter table payout_rule add column to_sellers boolean not null default false;
alter table payout_rule add constraint payout_rule_sellers check (kind = 'service' or not to_sellers);
comment on column payout_rule.to_sellers is 'for service: into the account that each line names for its seller; else into the rule''s own, from which the agency pays them';
alter table payout add column seller_account text not null default '';
comment on column payout.seller_account is 'the seller''s tax code, bank and account number where the order pays a seller; else empty';
drop index payout_once;
create unique index payout_once on payout (account_id, agency_id, kind, day, seller_account)
    where state <> 'bounced' and kind <> 'collected';
