-- Partners are looked at one by one, the oldest of each first, so that none that is silent stands before the others.
create index platform_order_untold on platform_order (partner_code, created_at, reference) where confirmed_at is null;
